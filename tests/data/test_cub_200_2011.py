"""CUB-200-2011 in its native layout, made small here, and the real sample."""

import numpy as np
import pytest
from PIL import Image

from kdprobe.data import load_data
from kdprobe.errors import ConfigError, DataError

CLASSES = ("001.Black_footed_Albatross", "002.Laysan_Albatross")
BOX = (10, 6, 20, 12)  #: x, y, width, height


@pytest.fixture
def cub(tmp_path):
    """Two species in turn, 4 images of 40 x 24 pixels each: 3 train, 1 test."""
    root = tmp_path / "CUB_200_2011"
    tables = {name: [] for name in ("images", "image_class_labels", "train_test_split", "bounding_boxes")}
    for number in range(8):
        label = number % 2
        path = f"{CLASSES[label]}/bird_{number}.jpg"
        (root / "images" / CLASSES[label]).mkdir(parents=True, exist_ok=True)
        image = np.zeros((24, 40, 3), dtype=np.uint8)
        image[6:18, 10:30] = 255
        Image.fromarray(image).save(root / "images" / path, quality=100, subsampling=0)
        tables["images"].append(f"{number + 1} {path}")
        tables["image_class_labels"].append(f"{number + 1} {label + 1}")
        tables["train_test_split"].append(f"{number + 1} {int(number < 6)}")
        tables["bounding_boxes"].append(f"{number + 1} {' '.join(f'{v:.1f}' for v in BOX)}")
    tables["classes"] = [f"{k + 1} {name}" for k, name in enumerate(CLASSES)]
    for name, lines in tables.items():
        (root / f"{name}.txt").write_text("\n".join(lines) + "\n")
    return root


def add_masks(root, folder):
    """Soft masks: 255 in the middle of the box, 102 (2 of 5 annotators) around it, 51 at one pixel."""
    mask = np.zeros((24, 40), dtype=np.uint8)
    mask[6:18, 10:30], mask[9:15, 15:25], mask[0, 0] = 102, 255, 51
    for path in (root / "images").rglob("*.jpg"):
        file = folder / path.parent.name / f"{path.stem}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(mask).save(file)
    return mask


def load(root, **options):
    return load_data("cub_200_2011", root=root, **options)


def test_labels_and_split_follow_the_tables(cub):
    train, test = load(cub, image_size=8), load(cub, image_size=8, split="test")
    assert train.classes == ("Black footed Albatross", "Laysan Albatross")
    assert train.ids == tuple(f"{CLASSES[k % 2]}/bird_{k}.jpg" for k in (0, 2, 4, 1, 3, 5))
    assert train.labels.tolist() == [0, 0, 0, 1, 1, 1] and test.labels.tolist() == [0, 1]
    assert test.ids == (f"{CLASSES[0]}/bird_6.jpg", f"{CLASSES[1]}/bird_7.jpg")
    assert load(cub.parent, image_size=8).ids == train.ids  # the folder that holds CUB_200_2011
    assert load(cub, classes=["Laysan Albatross"], image_size=8).classes == ("Laysan Albatross",)
    assert load(cub, classes=["002.Laysan_Albatross"], image_size=8).labels.tolist() == [0, 0, 0]
    assert load(cub).image_shape == (3, 224, 224)


def test_boxes_are_x_y_width_height_from_0(cub):
    data = load(cub, image_size=40)
    rows = (np.arange(40) + 0.5) * 24 / 40
    expected = ((rows >= 6) & (rows < 18))[:, None] & ((np.arange(40) >= 10) & (np.arange(40) < 30))[None]
    np.testing.assert_array_equal(data.foregrounds[0].numpy(), expected)
    assert data.foreground_kind == "box" and "segmentations" in data.notes[0]
    assert data.source_sizes == ((40, 24),) * 6
    assert load(cub, annotation="boxes").notes == ()


def test_the_crop_is_cut_from_image_and_box_alike(cub):
    data = load(cub, image_size=24, crop=1.5)  # the window is 30 x 18 about (20, 12)
    assert data.source_sizes[0] == (30, 18)
    white = data.to_display(data[0].image)[..., 0] > 0.5
    np.testing.assert_array_equal(data.foregrounds[0].numpy(), white)
    assert float(data.foregrounds.float().mean()) == pytest.approx(1 / 1.5**2)


@pytest.mark.parametrize("inside", [True, False])
def test_masks_are_used_where_they_are(cub, inside):
    add_masks(cub, (cub if inside else cub.parent) / "segmentations")
    data = load(cub, image_size=20, crop=1.0)
    assert data.foreground_kind == "mask" and data.notes == () and data.options["annotation"] == "masks"
    row = np.zeros((12, 20), dtype=bool)
    row[3:9, 5:15] = True  # of the 12 x 20 box, what more than half of the annotators marked
    np.testing.assert_array_equal(data.foregrounds[0][:, 10].numpy(), row[(np.arange(20) * 12) // 20, 10])
    assert load(cub, annotation="boxes").foreground_kind == "box"


def test_the_released_rule_takes_every_annotator(cub):
    mask = add_masks(cub, cub / "segmentations")
    data = load(cub, image_size=16, mask_rule="released")
    expected = np.asarray(Image.fromarray(mask).resize((16, 16), Image.Resampling.BILINEAR)) > 0
    np.testing.assert_array_equal(data.foregrounds[0].numpy(), expected)
    assert expected[0, 0] and not load(cub, image_size=16).foregrounds[0][0, 0]


def test_grey_alpha_and_colour_masks_are_read_as_grey(cub):
    mask = add_masks(cub, cub / "segmentations")
    whole = load(cub, image_size=16).foregrounds
    for mode in ("LA", "RGB", "RGBA"):
        for path in (cub / "segmentations").rglob("*.png"):
            Image.fromarray(mask).convert(mode).save(path)
        np.testing.assert_array_equal(load(cub, image_size=16).foregrounds.numpy(), whole.numpy())


def test_single_images_are_left_out_and_named(cub):
    paths = [cub / "images" / CLASSES[k % 2] / f"bird_{k}.jpg" for k in range(8)]
    paths[0].unlink()
    paths[1].write_bytes(b"broken")
    boxes = cub / "bounding_boxes.txt"
    lines = boxes.read_text().splitlines()
    lines[2], lines[3] = "3 100.0 0.0 20.0 20.0", "4 a b c d"
    boxes.write_text("\n".join(lines[:4] + lines[5:]))
    data = load(cub, image_size=8)
    reasons = dict(data.left_out)
    assert len(data) == 1 and len(reasons) == 5
    words = ("it is missing", "Cannot read", "outside its 40 x 24", "No box", "No box")
    for path, word in zip(paths, words, strict=False):
        assert word in reasons[f"{path.parent.name}/{path.name}"] and str(path) in str(reasons)
    assert len(load(cub, image_size=8, foreground="central")) == 4


def test_what_is_missing_is_named(cub):
    with pytest.raises(DataError, match=r"No folder segmentations/.*annotation: boxes"):
        load(cub, annotation="masks")
    split = cub / "train_test_split.txt"
    split.write_text("\n".join(split.read_text().splitlines()[1:]))
    with pytest.raises(DataError, match=r"train_test_split\.txt has no line for image 1"):
        load(cub)
    (cub / "image_class_labels.txt").write_text("1\n")
    with pytest.raises(DataError, match=r"image_class_labels\.txt, line 1: 1 entries instead of 2"):
        load(cub)
    (cub / "images.txt").unlink()
    with pytest.raises(DataError, match=r"holds no images\.txt"):
        load(cub)


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"annotation": "mask"}, "Did you mean 'masks'"),
        ({"crop": 0.5}, "crop"),
        ({"mask_rule": "relased"}, "Did you mean 'released'"),
    ],
)
def test_settings_that_cannot_be_used(cub, options, word):
    with pytest.raises(ConfigError, match=word):
        load(cub, **options)


def test_the_real_sample(real_data):
    train, test = (load(real_data / "CUB_200_2011", split=s, image_size=32) for s in ("train", "test"))
    assert len(train) + len(test) == 178 and train.left_out == test.left_out == ()
    assert train.labels.bincount().tolist() == [30, 30, 30] and not set(train.ids) & set(test.ids)
    cropped = load(real_data / "CUB_200_2011", image_size=64, crop=1.5, images_per_class=10)
    assert float(cropped.foregrounds.float().mean(dim=(1, 2)).min()) == pytest.approx(1 / 1.5**2, abs=0.02)


def test_a_class_without_a_name_is_an_error_not_fewer_images(cub):
    (cub / "classes.txt").write_text(f"1 {CLASSES[0]}\n")
    with pytest.raises(DataError, match=r"classes\.txt has no line for class 2 .*bird_1\.jpg"):
        load(cub)
    (cub / "train_test_split.txt").write_text("\n".join(f"{k + 1} {2 * k}" for k in range(8)))
    with pytest.raises(DataError, match=r"train_test_split\.txt.*'2'"):
        load(cub, classes=[CLASSES[0]])


@pytest.mark.parametrize(
    "table", ["images", "classes", "image_class_labels", "train_test_split", "bounding_boxes"]
)
def test_a_byte_order_mark_is_no_part_of_the_first_number(cub, table):
    before = load(cub, image_size=8).ids
    path = cub / f"{table}.txt"
    path.write_text(path.read_text(), encoding="utf-8-sig")
    data = load(cub, image_size=8)
    assert data.ids == before and data.left_out == ()


def test_an_empty_list_of_images_is_named(cub):
    (cub / "images.txt").write_text("\n")
    with pytest.raises(DataError, match=r"images\.txt names no image"):
        load(cub)


@pytest.mark.parametrize("crop", [None, 1.5])
def test_boxes_without_an_end_are_left_out(cub, crop):
    boxes = cub / "bounding_boxes.txt"
    boxes.write_text(boxes.read_text().replace("1 10.0 6.0 20.0 12.0", "1 10.0 6.0 inf 12.0", 1))
    data = load(cub, image_size=8, crop=crop)
    assert [i for i, _ in data.left_out] == [f"{CLASSES[0]}/bird_0.jpg"] and "inf" in data.left_out[0][1]


def test_endings_in_capitals_are_found(cub):
    add_masks(cub, cub / "segmentations")
    whole = load(cub, image_size=16)
    for path in [*(cub / "images").rglob("*.jpg"), *(cub / "segmentations").rglob("*.png")]:
        path.rename(path.with_suffix(path.suffix.upper()))
    data = load(cub, image_size=16)
    assert data.ids == whole.ids and data.left_out == ()
    np.testing.assert_array_equal(data.foregrounds.numpy(), whole.foregrounds.numpy())
