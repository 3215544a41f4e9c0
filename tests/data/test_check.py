"""Looking at a data set: both splits, what is missing, which images can be probe images."""

import numpy as np
import pytest
from PIL import Image

from kdprobe.data import LabelledImages, select_probe
from kdprobe.data.check import check_data, sheet_images
from kdprobe.errors import ConfigError


@pytest.fixture
def folder(tmp_path):
    """Two classes of 10; masks of 3, 25 and 75 per cent; one is missing."""
    for label, name in enumerate(("cat", "dog")):
        for k in range(10):
            for part in ("images", "masks"):
                (tmp_path / part / name).mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (64, 64), (k, label, 0)).save(tmp_path / "images" / name / f"{k}.png")
            mask = np.zeros((64, 64), dtype=np.uint8)
            mask[:, : (2, 16, 48)[k % 3]] = 255
            Image.fromarray(mask).save(tmp_path / "masks" / name / f"{k}.png")
    (tmp_path / "masks/cat/4.png").unlink()
    return tmp_path


def test_both_splits_and_the_images_that_can_be_probed(folder):
    check = check_data("image_folder", folder, foreground_share=(0.05, 0.6), image_size=32)
    assert check.usable and [s.split for s in check.splits] == ["train", "test"]
    assert sum(len(s.data) for s in check.splits) == 19
    assert sum(len(s.data.left_out) for s in check.splits) == 1
    train = check.splits[0]
    np.testing.assert_allclose(np.unique(train.fit.shares), [1 / 32, 0.25, 0.75])
    probe = select_probe(train.data, 100, foreground_share=(0.05, 0.6))
    usable = {i for i, good in zip(train.data.ids, train.fit.usable, strict=True) if good}
    assert usable == set(probe.ids) and train.fit.left_out == probe.left_out


def test_a_split_that_is_missing_is_a_finding_and_a_wrong_setting_an_error(folder):
    (folder / "train").mkdir()
    for part in ("images", "masks"):
        (folder / part).rename(folder / "train" / part)
    check = check_data("image_folder", folder)
    train, test = check.splits
    assert (
        not check.usable and train.problem == "" and test.data is None and str(folder / "val") in test.problem
    )
    with pytest.raises(ConfigError, match="Did you mean"):
        check_data("image_fodler", folder)
    with pytest.raises(ConfigError, match="no option"):
        check_data("image_folder", folder, corp=1.5)


def test_a_set_without_usable_images_or_foreground_is_no_error(folder):
    check = check_data("image_folder", folder, foreground_share=(0.9, 1.0))
    assert check.usable and not check.splits[0].fit.usable.any()
    (folder / "masks").rename(folder / "elsewhere")
    assert check_data("image_folder", folder).splits[0].fit is None


def test_a_sheet_shows_the_classes_in_turn():
    labels = [0] * 6 + [1] * 2 + [2] * 4
    data = LabelledImages(
        name="toy",
        images=np.zeros((12, 1, 4, 4), dtype=np.uint8),
        labels=labels,
        ids=[f"i{k:02d}" for k in range(12)],
        classes=["a", "b", "c"],
    )
    places = sheet_images(data, 9)
    assert np.bincount(data.labels[places]).tolist() == [4, 2, 3] and places == sorted(places)
    assert sorted(sheet_images(data, 50)) == list(range(12))


def test_images_per_class_cuts_the_training_split_alone_as_in_an_experiment():
    check = check_data("cluttered_digits", images_per_class=3)
    assert [len(split.data) for split in check.splits] == [30, 1000]


def test_splits_whose_classes_differ_cannot_be_used_together(tmp_path):
    (tmp_path / "own.py").write_text(
        "import numpy as np\nfrom kdprobe.data import LabelledImages\n"
        "def pets(*, split, **keywords):\n"
        "    names = ['cat', 'dog'] if split == 'train' else ['dog', 'cat']\n"
        "    return LabelledImages(name='pets', split=split, classes=names, images=np.zeros((2, 3, 16, 16)),\n"
        "                          labels=[0, 1], ids=['a', 'b'])\n"
    )
    check = check_data(f"{tmp_path / 'own.py'}:pets")
    assert not check.usable and check.splits[0].problem == ""
    assert "cat, dog" in check.splits[1].problem and "dog, cat" in check.splits[1].problem


def test_what_a_set_should_look_like_is_part_of_the_check(tmp_path):
    assert "images.txt" in check_data("cub_200_2011", tmp_path).about
