"""Tiny ImageNet and Leeds butterflies in their native layout, made small here."""

import numpy as np
import pytest
from PIL import Image

from kdprobe.data import load_data
from kdprobe.errors import ConfigError, DataError


@pytest.fixture
def tiny(tmp_path):
    """Two classes, 3 training images each, 2 validation images."""
    (tmp_path / "wnids.txt").write_text("n2\nn1\n")
    (tmp_path / "words.txt").write_text("n0\tthing\nn1\tgoldfish, Carassius auratus\nn2\tkoala, koala bear\n")
    for wnid in ("n1", "n2"):
        images = tmp_path / "train" / wnid / "images"
        images.mkdir(parents=True)
        for k in range(3):
            Image.new("RGB", (64, 64), (k, k, k)).save(images / f"{wnid}_{k}.JPEG", quality=100)
        lines = [f"{wnid}_{k}.JPEG\t8\t16\t{23 + k}\t47" for k in range(3)]
        (tmp_path / "train" / wnid / f"{wnid}_boxes.txt").write_text("\n".join(lines) + "\n")
    images = tmp_path / "val" / "images"
    images.mkdir(parents=True)
    for k in range(2):
        Image.new("L", (64, 64), 10).save(images / f"val_{k}.JPEG")
    (tmp_path / "val" / "val_annotations.txt").write_text(
        "val_0.JPEG\tn2\t0\t0\t63\t63\nval_1.JPEG\tn1\t0\t0\t31\t63\n"
    )
    return tmp_path


def test_tiny_imagenet_reads_labels_words_and_boxes(tiny):
    data = load_data("tiny_imagenet", root=tiny)
    assert data.classes == ("goldfish", "koala") and data.image_shape == (3, 64, 64)
    assert data.ids[:2] == ("train/n1/n1_0.JPEG", "train/n1/n1_1.JPEG") and data.labels.tolist() == [
        0,
        0,
        0,
        1,
        1,
        1,
    ]
    expected = np.zeros((64, 64), dtype=bool)
    expected[16:48, 8:25] = True  # rows y, columns x, both ends included
    np.testing.assert_array_equal(data.foregrounds[1].numpy(), expected)
    assert data.foreground_kind == "box"


def test_tiny_imagenet_test_split_is_val(tiny):
    data = load_data("tiny_imagenet", root=tiny, split="test")
    assert data.ids == ("val/n1/val_1.JPEG", "val/n2/val_0.JPEG") and data.labels.tolist() == [0, 1]
    assert data.image_shape == (3, 64, 64)  # the files are grey
    assert data.foregrounds[0].float().mean() == 0.5 and data.foregrounds[1].all()
    assert load_data("tiny_imagenet", root=tiny, split="test", classes=["koala"]).labels.tolist() == [0]


def test_tiny_imagenet_boxes_follow_the_image_size(tiny):
    data = load_data("tiny_imagenet", root=tiny, image_size=16, classes=["n2"])
    expected = np.zeros((16, 16), dtype=bool)
    expected[4:12, 2:6] = True  # 8 ... 23 of 64 -> 2 ... 5 of 16
    np.testing.assert_array_equal(data.foregrounds[0].numpy(), expected)


def test_tiny_imagenet_leaves_out_single_images(tiny):
    (tiny / "train/n1/images/n1_0.JPEG").write_bytes(b"broken")
    boxes = tiny / "train/n1/n1_boxes.txt"
    boxes.write_text("n1_0.JPEG\t0\t0\t9\t9\nn1_1.JPEG\t0\t0\t9\n")
    data = load_data("tiny_imagenet", root=tiny)
    reasons = dict(data.left_out)
    assert set(reasons) == {f"train/n1/n1_{k}.JPEG" for k in range(3)} and len(data) == 3
    assert "Cannot read" in reasons["train/n1/n1_0.JPEG"] and "No box" in reasons["train/n1/n1_2.JPEG"]
    assert str(tiny / "train/n1/images/n1_1.JPEG") in reasons["train/n1/n1_1.JPEG"]
    assert len(load_data("tiny_imagenet", root=tiny, foreground="central").left_out) == 1


@pytest.mark.parametrize(
    ("gone", "split"),
    [
        ("train/n1/n1_boxes.txt", "train"),
        ("train/n1/images", "train"),
        ("val/val_annotations.txt", "test"),
        ("val/images", "test"),
        ("train", "train"),
    ],
)
def test_tiny_imagenet_names_what_is_missing(tiny, gone, split):
    (tiny / gone).rename(tiny / "elsewhere")
    with pytest.raises(DataError) as error:
        load_data("tiny_imagenet", root=tiny, split=split)
    assert str(tiny / gone) in str(error.value)


def test_tiny_imagenet_unknown_class(tiny):
    with pytest.raises(ConfigError, match="Did you mean 'goldfish'"):
        load_data("tiny_imagenet", root=tiny, classes=["goldfisch"])


@pytest.fixture
def leeds(tmp_path):
    """Two species with 10 images of 40 x 20 pixels; palette indices 0 ... 3 in four vertical stripes."""
    (tmp_path / "images").mkdir()
    (tmp_path / "segmentations").mkdir()
    stripes = np.repeat(np.arange(4, dtype=np.uint8), 10)[None].repeat(20, 0)
    for species in ("001", "010"):
        for k in range(10):
            stem = f"{species}{k:04d}"
            Image.new("RGB", (40, 20), (int(species), k, 0)).save(tmp_path / "images" / f"{stem}.png")
            mask = Image.fromarray(stripes)
            mask.putpalette([0, 0, 0, 255, 255, 255, 9, 9, 9, 200, 0, 0])
            mask.save(tmp_path / "segmentations" / f"{stem}_seg0.png")
    return tmp_path


def test_leeds_masks_are_palette_indices_1_and_3(leeds):
    data = load_data("leeds_butterfly", root=leeds, image_size=16)
    assert data.classes == ("Danaus plexippus", "Vanessa cardui") and data.foreground_kind == "mask"
    assert data.labels.bincount().tolist() == [8, 8]
    row = np.repeat([False, True, False, True], 4)
    np.testing.assert_array_equal(data.foregrounds[0].numpy(), row[None].repeat(16, 0))


def test_leeds_split_is_stratified_and_stable(leeds):
    train, test = (load_data("leeds_butterfly", root=leeds, split=s) for s in ("train", "test"))
    assert test.labels.bincount().tolist() == [2, 2] and not set(train.ids) & set(test.ids)
    other = load_data("leeds_butterfly", root=leeds, split="test", seed=5)
    assert other.ids == test.ids  # the run's seed does not move it
    assert load_data("leeds_butterfly", root=leeds, split="test", split_seed=1).ids != test.ids


def test_leeds_classes_and_bad_masks(leeds):
    (leeds / "segmentations/0100003_seg0.png").unlink()
    Image.new("P", (40, 20), 3).save(leeds / "segmentations/0100004_seg0.png")
    Image.new("RGB", (40, 20), (255, 255, 255)).save(leeds / "segmentations/0100005_seg0.png")
    reasons = {}
    for split in ("train", "test"):
        data = load_data("leeds_butterfly", root=leeds, split=split, classes=["Vanessa cardui"])
        assert data.classes == ("Vanessa cardui",)
        reasons |= dict(data.left_out)
    assert set(reasons) == {"0100003", "0100004", "0100005"}
    assert (
        "No mask" in reasons["0100003"] and "everywhere" in reasons["0100004"] and "RGB" in reasons["0100005"]
    )


def test_real_tiny_imagenet(real_data):
    data = load_data("tiny_imagenet", root=real_data / "tiny-imagenet-200", classes=2, images_per_class=40)
    assert data.labels.bincount().tolist() == [40, 40] and data.left_out == ()
    assert data.classes == ("goldfish", "European fire salamander")
    assert 0.3 < float(data.foregrounds.float().mean()) < 0.9
    listing = (real_data / "tiny-imagenet-200/train/n01443537/n01443537_boxes.txt").read_text().splitlines()
    boxes = {line.split()[0]: [int(v) for v in line.split()[1:]] for line in listing}
    for i in range(40):
        x0, y0, x1, y1 = boxes[data.ids[i].split("/")[-1]]
        assert int(data.foregrounds[i].sum()) == (x1 - x0 + 1) * (y1 - y0 + 1)


def test_real_leeds_butterflies(real_data):
    root = real_data / "leedsbutterfly"
    train, test = (load_data("leeds_butterfly", root=root, split=s, image_size=32) for s in ("train", "test"))
    assert len(train) + len(test) == 682 and train.left_out == test.left_out == ()
    assert 0.17 < len(test) / 682 < 0.22 and int(test.labels.bincount().min()) >= 8
    assert 0.1 < float(train.foregrounds.float().mean()) < 0.5


@pytest.mark.parametrize(
    ("file", "split"),
    [
        ("wnids.txt", "train"),
        ("words.txt", "train"),
        ("train/n1/n1_boxes.txt", "train"),
        ("val/val_annotations.txt", "test"),
    ],
)
def test_tiny_imagenet_names_a_table_that_is_no_text(tiny, file, split):
    (tiny / file).write_bytes(b"\xff\xfen\x001\x00")
    with pytest.raises(DataError) as error:
        load_data("tiny_imagenet", root=tiny, split=split)
    assert str(tiny / file) in str(error.value) and "UTF-8" in str(error.value)


def test_tiny_imagenet_names_an_empty_table(tiny):
    (tiny / "val/val_annotations.txt").write_text("")
    with pytest.raises(DataError, match=r"val_annotations\.txt names no image"):
        load_data("tiny_imagenet", root=tiny, split="test")


def test_leeds_without_images_is_one_sentence(leeds):
    for path in (leeds / "images").iterdir():
        path.unlink()
    for classes in (None, 2):
        with pytest.raises(DataError, match=r"images names no image|images holds no image"):
            load_data("leeds_butterfly", root=leeds, classes=classes)
