"""ILSVRC-2013 DET in its native layout, made small here, and the real sample."""

import numpy as np
import pytest
import torch
from PIL import Image

from kdprobe.data import load_data
from kdprobe.errors import ConfigError, DataError
from kdprobe.metrics import cells_from_mask


def write(root, part, name, objects, size=(60, 40)):
    """One image with its objects: (wnid, (x0, y0, x1, y1)), counted from 0."""
    image, file = root / "Data/DET" / part / f"{name}.JPEG", root / "Annotations/DET" / part / f"{name}.xml"
    for path in (image, file):
        path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (50, 60, 70)).save(image)
    text = "".join(
        f"<object><name>{wnid}</name><bndbox><xmin>{x0}</xmin><xmax>{x1}</xmax><ymin>{y0}</ymin>"
        f"<ymax>{y1}</ymax></bndbox></object>"
        for wnid, (x0, y0, x1, y1) in objects
    )
    file.write_text(
        f"<annotation><size><width>{size[0]}</width><height>{size[1]}</height></size>{text}</annotation>"
    )
    listing = root / "ImageSets/DET" / f"{part}.txt"
    listing.parent.mkdir(parents=True, exist_ok=True)
    with listing.open("a") as file:
        file.write(f"{name} {len(listing.read_text().splitlines()) + 1}\n")


@pytest.fixture
def det(tmp_path):
    root = tmp_path / "ILSVRC"
    write(root, "train", "ILSVRC2013_train/n1/n1_0", [("n1", (20, 10, 39, 29)), ("n2", (0, 0, 9, 9))])
    write(root, "train", "ILSVRC2013_train/n1/n1_1", [("n1", (0, 0, 19, 19)), ("n1", (24, 0, 59, 19))])
    write(root, "train", "ILSVRC2013_train/n2/n2_0", [("n2", (30, 20, 59, 39))])
    write(root, "train", "ILSVRC2014_train_0000/x", [("n2", (5, 5, 14, 14)), ("n9", (30, 5, 39, 14))])
    write(root, "val", "ILSVRC2012_val_1", [("n1", (10, 10, 29, 29)), ("n2", (40, 10, 49, 19))])
    write(root, "val", "ILSVRC2012_val_2", [])
    (root / "classes.txt").write_text("n1 red panda, panda\nn2 giant panda, panda bear\n")
    return root


def load(root, **options):
    return load_data("ilsvrc2013_det", root=root, **{"image_size": 30, **options})


def test_every_object_of_the_chosen_classes_is_an_image(det):
    data = load(det)
    name = "train/ILSVRC2013_train"
    assert data.ids == (
        *(f"{name}/n1/n1_0/1", f"{name}/n1/n1_1/1", f"{name}/n1/n1_1/2"),
        *(f"{name}/n1/n1_0/2", f"{name}/n2/n2_0/1", "train/ILSVRC2014_train_0000/x/1"),
    )
    assert data.labels.tolist() == [0, 0, 0, 1, 1, 1] and data.classes == ("red panda", "giant panda")
    assert load(det.parent, split="test").ids == ("val/ILSVRC2012_val_1/1", "val/ILSVRC2012_val_1/2")
    assert load(det, objects="largest", split="test").ids == ("val/ILSVRC2012_val_1/1",)


def test_a_crop_of_one_and_a_half_leaves_the_central_two_thirds(det):
    data = load(det)
    expected = np.zeros((30, 30), dtype=bool)
    expected[5:25, 5:25] = True  # a 30 x 30 window about the 20 x 20 box
    np.testing.assert_array_equal(data.foregrounds[0].numpy(), expected)
    assert data.source_sizes[0] == (30, 30)
    corner = data.ids.index("train/ILSVRC2013_train/n2/n2_0/1")
    assert data.source_sizes[corner] == (37, 25)  # from (22.5, 15) on, the half upwards, to the edges


def test_neighbours_of_the_same_class_are_foreground(det):
    data = load(det, image_size=50)
    place = data.ids.index("train/ILSVRC2013_train/n1/n1_1/1")
    assert data.source_sizes[place] == (25, 25)
    expected = np.zeros((50, 50), dtype=bool)
    expected[:40, :40] = expected[:40, 48:] = True
    np.testing.assert_array_equal(data.foregrounds[place].numpy(), expected)


def test_the_central_square_is_the_released_one(det):
    for size in (224, 227):
        data = load(det, foreground="central", image_size=size, split="test")
        assert data.foreground_kind == "central"
        cells = cells_from_mask(data.foregrounds, 16, "released")
        expected = torch.zeros(16, 16, dtype=torch.bool)
        expected[2:14, 2:14] = True
        assert all(torch.equal(found, expected) for found in cells) and int(expected.sum()) == 144


def test_classes_by_wnid_word_and_list(det):
    assert load(det, classes=["giant panda"]).labels.tolist() == [0, 0]  # not the one in the folder of n1
    assert load(det, classes=["n2"], split="test").ids == ("val/ILSVRC2012_val_1/2",)
    (det / "mine.txt").write_text("# my mammals\nn9 17 yak\n\nn2\n")
    mine = load(det, class_list="mine.txt")
    assert mine.classes == ("n2", "yak") and load(det, class_list=str(det / "mine.txt")).ids == mine.ids
    (det / "classes.txt").unlink()
    assert load(det).classes == ("n1", "n2")
    with pytest.raises(ConfigError, match="n7"):
        load(det, classes=["n7"])
    with pytest.raises(DataError, match="class_list"):
        load(det, class_list="nowhere.txt")


def test_single_images_are_left_out_and_named(det):
    base = det / "Data/DET/train/ILSVRC2013_train/n1"
    (base / "n1_0.JPEG").unlink()
    (det / "Annotations/DET/train/ILSVRC2013_train/n2/n2_0.xml").unlink()
    write(det, "train", "ILSVRC2013_train/n2/n2_1", [("n2", (70, 5, 80, 9))])
    reasons = dict(load(det).left_out)
    name = "train/ILSVRC2013_train"
    assert set(reasons) == {f"{name}/n1/n1_0/1", f"{name}/n1/n1_0/2", f"{name}/n2/n2_0", f"{name}/n2/n2_1/1"}
    assert str(base / "n1_0.JPEG") in reasons[f"{name}/n1/n1_0/1"] and "No file" in reasons[f"{name}/n2/n2_0"]
    assert "lies outside its 60 x 40 pixels" in reasons[f"{name}/n2/n2_1/1"]


@pytest.mark.parametrize("gone", ["ImageSets/DET/val.txt", "Annotations/DET/val", "Data/DET/val"])
def test_what_is_missing_is_named(det, gone):
    (det / gone).rename(det / "elsewhere")
    with pytest.raises(DataError) as error:
        load(det, split="test")
    assert str(det / gone) in str(error.value)


def test_the_real_sample(real_data):
    root = real_data / "ILSVRC2013_DET_animals"
    test = load(root, split="test", classes=["giant panda", "zebra"], image_size=48)
    assert test.left_out == () and test.classes == ("giant panda", "zebra") and len(test) >= 30
    assert float(test.foregrounds.float().mean(dim=(1, 2)).min()) > 0.4
    whole = load(root, split="test", crop=None, image_size=48)
    assert whole.labels.bincount().tolist() == [15] * 10


def official_lists(det, **lists):
    """In place of train.txt one list for each class, as the official packaging has them."""
    (det / "ImageSets/DET/train.txt").unlink()
    for number, lines in lists.items():
        (det / "ImageSets/DET" / f"train_{number.removeprefix('k')}.txt").write_text("\n".join(lines) + "\n")


def test_the_official_lists_by_class_are_read_without_their_negative_images(det):
    n1, n2 = "ILSVRC2013_train/n1/n1_", "ILSVRC2013_train/n2/n2_0"
    everything = load(det).ids
    official_lists(
        det,
        k1=[f"{n1}0 1", f"{n1}1 0", f"{n2} -1"],  # all instances have boxes, some have, there is none
        k2=[f"{n1}0 1", f"{n2} 1", "ILSVRC2014_train_0000/x 1"],
        k10=["ILSVRC2013_train_extra0/negative -1"],
    )
    data = load(det)
    assert data.ids == everything and data.left_out == ()


def test_numbers_in_the_class_list_choose_the_official_lists(det):
    official_lists(det, k1=["ILSVRC2013_train/n1/n1_0 1"], k2=["ILSVRC2013_train/n2/n2_0 1"])
    (det / "classes.txt").write_text("n1 1 red panda\nn2 2 giant panda\n")
    both, one = load(det), load(det, classes=["giant panda"])
    assert both.labels.tolist() == [0, 1, 1] and one.ids == ("train/ILSVRC2013_train/n2/n2_0/1",)
    (det / "ImageSets/DET/train_2.txt").unlink()
    assert load(det, classes=["red panda"]).labels.tolist() == [0]
    with pytest.raises(DataError, match=r"train_2\.txt"):
        load(det)
    (det / "ImageSets/DET/train_1.txt").unlink()
    with pytest.raises(DataError, match=r"train\.txt"):
        load(det)


def test_images_in_the_folder_of_a_breed_are_read(det):
    """The official folders are a superset of the classes; the XML file names the class."""
    write(det, "train", "ILSVRC2013_train/n1breed/n1breed_0", [("n1", (5, 5, 24, 24))])
    assert "train/ILSVRC2013_train/n1breed/n1breed_0/1" in load(det).ids


@pytest.mark.parametrize(
    "line", ["{} dog, hound", "{}\tdog, hound", "{}, dog, hound", "{} 17 dog, hound", "\ufeff{} dog"]
)
def test_a_class_list_in_every_usual_form(det, line):
    (det / "classes.txt").write_text(f"{line.format('n1')}\nn2\n", encoding="utf-8")
    data = load(det)
    assert data.classes == ("dog", "n2") and data.labels.tolist() == [0, 0, 0, 1, 1, 1]


def test_a_class_list_that_cannot_be_used_is_one_sentence(det):
    (det / "classes.txt").write_text("n1 dog\nn1 hound\n")
    with pytest.raises(DataError, match=r"classes\.txt names n1 twice"):
        load(det)
    (det / "classes.txt").write_bytes(b"n1 b\xe4r\n")
    with pytest.raises(DataError, match=r"classes\.txt .*UTF-8"):
        load(det)
    with pytest.raises(ConfigError, match=r"class_list.*3"):
        load(det, class_list=3)
