"""Anyone's own images: layouts, masks, boxes, and what is left out."""

import unicodedata

import numpy as np
import pytest
from PIL import Image

from kdprobe.data import load_data
from kdprobe.errors import DataError


def save(path, pixels, mode=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(pixels, dtype=np.uint8), mode).save(path)


def half(size=20):
    """Left half foreground."""
    mask = np.zeros((size, size), dtype=np.uint8)
    mask[:, : size // 2] = 255
    return mask


def make(root, count=6, classes=("cat", "dog"), masks=True, size=20):
    for label, name in enumerate(classes):
        for k in range(count):
            save(root / "images" / name / f"{k}.png", np.full((size, size, 3), 40 * label + k))
            if masks:
                save(root / "masks" / name / f"{k}.png", half(size))
    return root


def load(root, **keywords):
    return load_data("image_folder", root=root, image_size=16, **keywords)


def test_masks_beside_the_images(tmp_path):
    make(tmp_path)
    train, test = load(tmp_path), load(tmp_path, split="test")
    assert (len(train), len(test)) == (10, 2) and not set(train.ids) & set(test.ids)
    assert train.classes == ("cat", "dog") and train.foreground_kind == "mask" and train.left_out == ()
    sample = train[list(train.ids).index(next(i for i in train.ids if i.startswith("dog")))]
    k = int(sample.id.split("/")[1].removesuffix(".png"))
    assert sample.label == 1
    assert train.to_display(sample.image)[0, 0, 0] == pytest.approx((40 + k) / 255, abs=1e-6)
    assert sample.foreground[:, :8].all() and not sample.foreground[:, 8:].any()


def test_bad_single_images_are_left_out_and_named(tmp_path):
    make(tmp_path, count=10)
    (tmp_path / "images/cat/0.png").write_bytes(b"no image")
    whole = (tmp_path / "images/cat/1.png").read_bytes()
    (tmp_path / "images/cat/1.png").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "masks/cat/2.png").unlink()
    save(tmp_path / "masks/cat/3.png", np.full((20, 20), 255))
    save(tmp_path / "masks/dog/4.png", np.zeros((20, 20)))
    save(tmp_path / "masks/dog/5.png", half(10))
    (tmp_path / "masks/dog/6.png").write_bytes(b"")
    reasons = {}
    for split in ("train", "test"):
        data = load(tmp_path, split=split)
        assert data.describe()["left_out"] == len(data.left_out)
        reasons |= dict(data.left_out)
        assert not set(data.ids) & set(reasons)
    expected = {
        "cat/0.png": ("Cannot read the image", "images/cat/0.png"),
        "cat/1.png": ("Cannot read the image", "images/cat/1.png"),
        "cat/2.png": ("No mask", "masks/cat/2.png"),
        "cat/3.png": ("foreground everywhere", "masks/cat/3.png"),
        "dog/4.png": ("no foreground", "masks/dog/4.png"),
        "dog/5.png": ("10 x 10", "masks/dog/5.png"),
        "dog/6.png": ("Cannot read the mask", "masks/dog/6.png"),
    }
    assert set(reasons) == set(expected)
    for image, (word, path) in expected.items():
        assert word in reasons[image] and str(tmp_path / path) in reasons[image], reasons[image]
        assert "\n" not in reasons[image]


def test_if_all_are_bad_the_set_cannot_be_used(tmp_path):
    make(tmp_path)
    for path in (tmp_path / "images").rglob("*.png"):
        path.write_bytes(b"broken")
    with pytest.raises(DataError, match=r"no usable image.*Cannot read the image"):
        load(tmp_path)


@pytest.mark.parametrize("separator", [",", ";", " ", "\t", ", "])
def test_boxes_are_inclusive_and_scaled(tmp_path, separator):
    make(tmp_path, masks=False, size=32)
    rows = ["# a note", "", "path,x0,y0,x1,y1"]
    rows += [separator.join([f"{c}/{k}.png", "4", "8", "11", "15"]) for c in ("cat", "dog") for k in range(6)]
    rows.append(
        separator.join(["images/cat/0.png", "20", "20", "21", "21"])
    )  # a second box, path with images/
    (tmp_path / "boxes.csv").write_text("\n".join(rows))
    found = {}
    for split in ("train", "test"):
        data = load(tmp_path, split=split)
        assert data.foreground_kind == "box" and data.left_out == ()
        found |= {data.ids[i]: data.foregrounds[i].numpy() for i in range(len(data))}
    expected = np.zeros(
        (16, 16), dtype=bool
    )  # 32 px -> 16 px: columns 4 ... 11 become 2 ... 5, rows 8 ... 15 4 ... 7
    expected[4:8, 2:6] = True
    np.testing.assert_array_equal(found["dog/3.png"], expected)
    expected[10, 10] = True
    np.testing.assert_array_equal(found["cat/0.png"], expected)


def test_bad_boxes_are_left_out_and_full_ones_kept(tmp_path):
    make(tmp_path, count=5, masks=False)
    rows = [f"{c}/{k}.png,2,2,9,9" for c in ("cat", "dog") for k in range(5)]
    rows[0], rows[1], rows[2], rows[3] = "cat/0.png,5,2,4,9", "cat/1.png,20,2,30,9", "cat/2.png,a,b,c,d", "#"
    rows[5] = "dog/0.png,0,0,19,19"
    (tmp_path / "boxes.txt").write_text("\n".join(rows))
    reasons, full = {}, []
    for split in ("train", "test"):
        data = load(tmp_path, split=split)
        reasons |= dict(data.left_out)
        full += [data.ids[i] for i in range(len(data)) if data.foregrounds[i].all()]
    assert set(reasons) == {f"cat/{k}.png" for k in range(4)} and full == ["dog/0.png"]
    assert "empty or lies outside" in reasons["cat/0.png"] and "20 x 20" in reasons["cat/1.png"]
    assert "line 3" in reasons["cat/2.png"] and "No box" in reasons["cat/3.png"]
    assert all(str(tmp_path) in reason for reason in reasons.values())


def test_without_masks_and_boxes_there_is_no_foreground(tmp_path):
    data = load(make(tmp_path, masks=False))
    assert data.foregrounds is None and data.foreground_kind is None and data[0].foreground is None
    assert load(tmp_path, foreground="central").foreground_kind == "central"


def test_central_does_not_ask_for_masks(tmp_path):
    make(tmp_path)
    for mask in (tmp_path / "masks").rglob("*.png"):
        mask.write_bytes(b"broken")
    assert load(tmp_path, foreground="central").left_out == ()


def test_split_folders_and_class_folders_without_images(tmp_path):
    for split in ("train", "val"):
        for name in ("a", "train"):  # a class may be called train
            save(tmp_path / split / "images" / name / "0.png", np.zeros((16, 16, 3)))
    data = load(tmp_path, split="test")
    assert data.ids == ("a/0.png", "train/0.png")
    save(tmp_path / "val/images/zebra/0.png", np.zeros((16, 16, 3)))
    with pytest.raises(DataError, match="zebra"):
        load(tmp_path, split="test")
    plain = tmp_path / "plain"
    for k in range(5):
        save(plain / "x" / f"{k}.png", np.zeros((16, 16, 3)))
        save(plain / "masks" / "x" / f"{k}.png", half(16))
    assert load(plain).classes == ("x",) and load(plain).foreground_kind == "mask"


def test_named_masks_and_boxes(tmp_path):
    make(tmp_path)
    (tmp_path / "masks").rename(tmp_path / "other")
    assert load(tmp_path).foregrounds is None
    assert load(tmp_path, masks="other").foreground_kind == "mask"
    assert load(tmp_path, masks=str(tmp_path / "other")).foreground_kind == "mask"
    with pytest.raises(DataError, match="nowhere"):
        load(tmp_path, boxes="nowhere.csv")


def test_grey_palette_and_16_bit_images_become_rgb(tmp_path):
    folder = tmp_path / "images" / "a"
    save(folder / "grey.png", np.full((16, 16), 100))
    palette = Image.new("P", (16, 16), 1)
    palette.putpalette([0, 0, 0, 100, 100, 100])
    palette.save(folder / "palette.png")
    Image.fromarray(np.full((16, 16), 100 * 257, np.uint16)).save(folder / "sixteen.png")
    save(folder / "alpha.png", np.full((16, 16, 4), 100))
    (folder / "notes.txt").write_text("no image")
    data = [load(tmp_path, split=s) for s in ("train", "test")]
    shown = {d.ids[i]: d.to_display(d[i].image) for d in data for i in range(len(d))}
    assert len(shown) == 4 and all(d.left_out == () for d in data)
    for name, image in shown.items():
        assert image.shape == (16, 16, 3), name
        np.testing.assert_allclose(image, 100 / 255, atol=0.02, err_msg=name)


def test_images_per_class_is_seeded_nested_and_skips_bad_ones(tmp_path):
    make(tmp_path, count=20)
    few, more, other = (load(tmp_path, images_per_class=n, seed=s) for n, s in ((4, 1), (8, 1), (4, 2)))
    assert few.labels.bincount().tolist() == [4, 4]
    assert set(few.ids) < set(more.ids) and few.ids != other.ids
    (tmp_path / "images" / few.ids[0]).write_bytes(b"broken")
    again = load(tmp_path, images_per_class=4, seed=1)
    assert again.labels.bincount().tolist() == [4, 4] and [i for i, _ in again.left_out] == [few.ids[0]]


def test_mask_pixels_count_by_area(tmp_path):
    """A 3 x 3 block becomes foreground if 5 or more of its 9 pixels are."""
    mask = np.zeros((48, 48), dtype=np.uint8)
    mask[0, :3], mask[1, :2] = 1, 1  # block (0, 0): 5 of 9
    mask[0, 3:6], mask[1, 3:4] = 1, 1  # block (0, 1): 4 of 9
    for k in range(5):
        save(tmp_path / f"images/a/{k}.png", np.zeros((48, 48, 3)))
        save(tmp_path / f"masks/a/{k}.png", mask)
    foreground = load(tmp_path)[0].foreground
    assert foreground[0, 0] and int(foreground.sum()) == 1


def turned(pixels, path):
    """A JPEG that its camera wants turned by 90 degrees."""
    exif = Image.Exif()
    exif[0x0112] = 6
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, exif=exif)


def test_photographs_that_the_camera_wants_turned_are_said(tmp_path):
    for k in range(5):
        turned(np.zeros((20, 30, 3), np.uint8), tmp_path / f"images/a/{k}.jpg")
    train = load(tmp_path)
    assert len(train) == 4 and "4 images" in train.notes[0] and "EXIF" in train.notes[0]
    for k in range(5):
        save(tmp_path / f"masks/a/{k}.png", half(20).repeat(2, 0)[:30])  # drawn on the turned photograph
    with pytest.raises(DataError, match=r"20 x 30 pixels, its image 30 x 20.*turn.*EXIF"):
        load(tmp_path)
    make(tmp_path / "plain")
    assert load(tmp_path / "plain").notes == ()


def test_images_of_32_bits_are_refused_instead_of_clipped(tmp_path):
    make(tmp_path, masks=False)
    for k, kind in enumerate((np.float32, np.int32)):
        Image.fromarray(np.ones((20, 20), kind)).save(tmp_path / f"images/cat/deep{k}.tif")
    reasons = dict(load(tmp_path).left_out) | dict(load(tmp_path, split="test").left_out)
    assert set(reasons) == {"cat/deep0.tif", "cat/deep1.tif"}
    assert all("8 bits" in reason for reason in reasons.values())


def test_transparent_palettes_pass_silently(tmp_path, recwarn):
    make(tmp_path, masks=False)
    palette = Image.new("P", (20, 20), 1)
    palette.putpalette([0, 0, 0, 100, 100, 100])
    palette.save(tmp_path / "images/cat/clear.png", transparency=bytes([0, 128]))
    for split in ("train", "test"):
        assert load(tmp_path, split=split).left_out == ()
    assert [str(w.message) for w in recwarn] == []


def test_a_mask_of_small_numbers_is_told_the_threshold(tmp_path):
    make(tmp_path)
    save(tmp_path / "masks/cat/0.png", np.arange(20)[None].repeat(20, 0) % 3)
    reasons = dict(load(tmp_path).left_out) | dict(load(tmp_path, split="test").left_out)
    assert "above 127" in reasons["cat/0.png"]


def test_boxes_that_are_no_text_are_one_sentence(tmp_path):
    make(tmp_path, masks=False)
    (tmp_path / "boxes.csv").write_bytes(b"k\xe4tzchen/0.png,1,1,9,9\n")
    with pytest.raises(DataError, match=r"boxes\.csv .*UTF-8"):
        load(tmp_path)


def test_names_with_accents_have_one_form_however_the_file_system_spells_them(tmp_path):
    """macOS takes letters and accents apart, others do not; ids, splits and lines of boxes.csv must not differ."""
    together, apart = (unicodedata.normalize(form, "Käfer") for form in ("NFC", "NFD"))
    found = []
    for root, spelt in ((tmp_path / "a", together), (tmp_path / "b", apart)):
        make(root, classes=(spelt,), masks=False)
        (root / "boxes.csv").write_text(
            "\n".join(f"{together}/{k}.png,2,2,9,9" for k in range(6)), encoding="utf-8"
        )
        data = load(root)
        assert data.left_out == () and data.classes == (together,)
        found.append(data.ids)
    assert found[0] == found[1]
