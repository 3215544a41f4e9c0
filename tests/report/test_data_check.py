"""What ``kdprobe data check`` says, and its contact sheet."""

import numpy as np
import pytest
from PIL import Image

from kdprobe.data import LabelledImages
from kdprobe.data.check import DataCheck, SplitCheck, check_data
from kdprobe.data.probe import fit_for_probe
from kdprobe.errors import ConfigError, InputError
from kdprobe.report.data_check import WIDTH, data_check_text
from kdprobe.report.data_sheet import write_sheet


def toy(shares, classes=("cat", "dog"), **changes):
    """Images of 20 x 20 pixels whose first columns are foreground."""
    count = len(shares)
    columns = np.arange(20)[None, None] < 20 * np.array(shares)[:, None, None]
    keywords = {
        "name": "toy",
        "images": np.zeros((count, 3, 20, 20), dtype=np.uint8),
        "labels": [0] * count,
        "ids": [f"i{k}" for k in range(count)],
        "classes": classes,
        "foregrounds": columns.repeat(20, 1),
        "foreground_kind": "mask",
    }
    return LabelledImages(**{**keywords, **changes})


def checked(data, problem="No folder /nowhere (toys)."):
    fit = None
    if data.foregrounds is not None:
        fit = fit_for_probe(data, foreground_share=(0.05, 0.6), grid=4, rule="majority")
    splits = (SplitCheck("train", data, "", fit), SplitCheck("test", None, problem))
    return DataCheck("toy", "/data", splits, (0.05, 0.6))


def text(data):
    return " ".join(data_check_text(checked(data)).split())


def test_counts_shares_and_what_is_missing():
    found = text(toy([0.0, 0.2, 0.3, 0.4, 0.5, 0.95, 1.0, 1.0]))
    assert "train 8 images of 2 classes" in found and "0 to 8 images each" in found
    assert "WITHOUT IMAGES: dog" in found and "test MISSING. No folder /nowhere (toys)." in found
    assert "pixel masks; share of the image: median 45 %" in found and "highest 100 %" in found
    assert (
        "1 image: under 5 %" in found
        and "1 image: above 90 %" in found
        and "2 images: all of the image" in found
    )
    assert "4 of 8 images can be probe images" in found and "outside 0.05 to 0.6: 4" in found
    assert "left out none" in found


def test_sizes_crops_noise_and_notes():
    data = toy(
        [0.25, 0.25],
        source_sizes=[(8, 12), (400, 300)],
        notes=["Masks were not found."],
        options={"crop": 1.5, "label_noise": 0.5, "wrong_labels": 1},
    )
    found = text(data)
    assert "crops (1.5 x box) 8 to 400 wide and 12 to 300 high (median 204 x 156)" in found
    assert "1 (50 %) enlarged more than twofold" in found and "note Masks were not found." in found
    assert "50 % of the labels are wrong on purpose (1 images)" in found
    assert "25 % of every image" in found
    assert "made at this size" in text(toy([0.25]))


def test_without_foreground():
    found = text(toy([0.5, 0.5], foregrounds=None, foreground_kind=None))
    assert "foreground none: such data can train a network" in found and "probe" not in found


def test_left_out_images_are_counted_and_the_first_named():
    reasons = [(f"x{k}.png", f"No mask /data/x{k}.png; add it.") for k in range(9)] + [
        ("y\n", "Cannot read it.")
    ]
    found = text(toy([0.5], left_out=reasons))
    assert "10 images: 9 x “No mask …”, 1 x “Cannot read …”" in found
    assert (
        "x0.png: No mask /data/x0.png; add it." in found and "and 4 more" in found and "x7.png" not in found
    )


def test_one_reason_for_both_splits_is_written_once():
    splits = tuple(SplitCheck(s, None, "No folder /nowhere.") for s in ("train", "test"))
    found = data_check_text(DataCheck("toy", None, splits, (0.05, 0.6)))
    assert found.count("/nowhere") == 1 and "for the same reason" in found and found.startswith("toy\n")


def test_lines_are_at_most_100_wide_and_printable():
    many = toy([0.3] * 300, classes=tuple(f"a kind of animal {k}\x1b[31m" for k in range(200)))
    found = data_check_text(checked(many))
    assert max(map(len, found.splitlines())) <= WIDTH and "\x1b" not in found and "and 188 more" in found


def test_the_sheet_is_a_picture(tmp_path):
    check = check_data("cluttered_digits", images_per_class=3)
    path = write_sheet(check, "train", 4, tmp_path / "new" / "sheet.png")
    with Image.open(path) as image:
        assert image.format == "PNG" and image.width > 1000
    first = path.read_bytes()
    assert write_sheet(check, "train", 4, path).read_bytes() == first
    assert write_sheet(check, "test", 4, path).read_bytes() != first
    with pytest.raises(InputError, match="sheet_images"):
        write_sheet(check, "train", 0, path)
    with pytest.raises(ConfigError, match=r"'test'.*nowhere"):
        write_sheet(checked(toy([0.5])), "test", 3, path)


def test_where_a_split_is_missing_the_layout_is_shown():
    splits = tuple(SplitCheck(s, None, "No folder /nowhere.") for s in ("train", "test"))
    about = "Toys: photographs of toys.\n\nLayout below `root`: ``toys/*.png``."
    found = data_check_text(DataCheck("toy", "/data", splits, (0.05, 0.6), about))
    assert "  Layout below `root`: ``toys/*.png``." in found.splitlines()
    whole = DataCheck("toy", "/data", checked(toy([0.5])).splits[:1], (0.05, 0.6), about)
    assert "Layout" not in data_check_text(whole)


def test_counts_by_class_say_that_they_are_of_wrong_labels():
    noisy = toy([0.5, 0.5], options={"label_noise": 0.5, "wrong_labels": 1})
    assert "counted above as they are labelled" in text(noisy)
