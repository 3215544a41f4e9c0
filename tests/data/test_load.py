"""The one door to all data sets."""

import inspect
import re
import time
from pathlib import Path

import pytest

from kdprobe.data import DATA_SETS, load_data
from kdprobe.data.choosing import choose_classes, grouped, hash_order, hash_split
from kdprobe.errors import ConfigError, DataError

OWN = """
import numpy as np
from kdprobe.data import LabelledImages

def stripes(*, split, root, image_size, classes, images_per_class, foreground, seed, contrast=0.5):
    images = np.full((4, 1, 16, 16), contrast)
    return LabelledImages(name="stripes", split=split, classes=["a", "b"], images=images, labels=[0, 1, 0, 1],
                          ids=[f"{split}{i}" for i in range(4)], options={"contrast": contrast})

def nothing(**keywords):
    return None

def too_few(split):
    return None
"""


@pytest.fixture
def own(tmp_path):
    (tmp_path / "own.py").write_text(OWN)
    return str(tmp_path / "own.py")


def test_ones_own_function(own):
    data = load_data(f"{own}:stripes", split="test", contrast=0.25)
    assert data.split == "test" and data.foregrounds is None and data.mean == (0.5,)
    assert float(data.images.max()) == pytest.approx(-1.0)
    assert load_data(f"{own}:stripes", foreground="central").foreground_kind == "central"


def test_ones_own_function_must_return_images_and_take_the_keywords(own):
    with pytest.raises(DataError, match="LabelledImages"):
        load_data(f"{own}:nothing")
    with pytest.raises(ConfigError, match="'root'"):
        load_data(f"{own}:too_few")
    with pytest.raises(ConfigError, match=r"contrst.*Did you mean 'contrast'"):
        load_data(f"{own}:stripes", contrst=1)


@pytest.mark.parametrize(
    ("name", "keywords", "word"),
    [
        ("clutered_digits", {}, "Did you mean 'cluttered_digits'"),
        ("cluttered_digits", {"split": "val"}, "split"),
        ("cluttered_digits", {"foreground": "centre"}, "Did you mean 'central'"),
        ("cluttered_digits", {"image_size": 0}, "image_size"),
        ("cluttered_digits", {"images_per_class": True}, "images_per_class"),
        ("cluttered_digits", {"fragment": 3}, "Did you mean 'fragments'"),
        ("cluttered_digits", {"classes": 11}, "there are 10"),
        ("cluttered_digits", {"classes": []}, "at least one"),
        ("cluttered_digits", {"classes": "3"}, "list"),
    ],
)
def test_wrong_settings_are_named(name, keywords, word):
    with pytest.raises(ConfigError) as error:
        load_data(name, **keywords)
    assert word in str(error.value)


@pytest.mark.parametrize("name", [name for name in DATA_SETS if name != "cluttered_digits"])
def test_a_missing_root_is_named(name, tmp_path):
    with pytest.raises(ConfigError, match="root"):
        load_data(name)
    with pytest.raises(DataError) as error:
        load_data(name, root=tmp_path / "nowhere")
    assert str(tmp_path / "nowhere") in str(error.value)


def test_every_set_takes_the_common_keywords():
    for name in DATA_SETS:
        with pytest.raises(ConfigError, match="no option 'no_such_option'"):
            load_data(name, root="/nowhere", no_such_option=1)


def test_choices_do_not_depend_on_the_order_of_a_listing():
    ids = [f"class/{i}.png" for i in range(50)]
    assert hash_order(ids, 1) == hash_order(ids[::-1], 1) != hash_order(ids, 2)
    assert hash_split(ids, "test") == hash_split(ids[::-1], "test")


@pytest.mark.parametrize(("count", "tests"), [(1, 0), (2, 1), (5, 1), (6, 1), (7, 2), (50, 10)])
def test_the_hash_split_keeps_a_fifth_for_test(count, tests):
    ids = [str(i) for i in range(count)]
    train, test = hash_split(ids, "train"), hash_split(ids, "test")
    assert len(test) == tests and sorted(train + test) == sorted(ids)


def test_classes_by_count_name_and_other_name():
    names = {"n1": ("goldfish",), "n2": ("koala",)}
    assert choose_classes(["n2", "n1"], None, names) == ["n1", "n2"]
    assert choose_classes(["n2", "n1"], 1, names) == ["n1"]
    assert choose_classes(["n2", "n1"], ["koala", "n1"], names) == ["n2", "n1"]
    with pytest.raises(ConfigError, match="only once"):
        choose_classes(["n1", "n2"], ["n1", "goldfish"], names)


@pytest.mark.parametrize("name", ["leeds_butterfly", "cub_200_2011", "cifar10", "image_folder"])
def test_a_root_that_is_no_path_is_named(name):
    with pytest.raises(ConfigError, match=r"root.*3"):
        load_data(name, root=3)


def test_grouping_by_class_takes_one_pass():
    """200 classes of 500 images: a pass for each class would take seconds."""
    ids = [f"c{k % 200:03d}/{k}" for k in range(100_000)]
    start = time.process_time()
    groups = grouped([f"c{k:03d}" for k in range(1, 200)], ((i, i.split("/")[0]) for i in ids))
    assert time.process_time() - start < 1
    assert list(groups)[:2] == ["c001", "c002"] and all(len(found) == 500 for found in groups.values())
    assert groups["c001"][:2] == ["c001/1", "c001/201"] and "c000" not in groups


@pytest.mark.parametrize("name", [name for name in DATA_SETS if name != "cluttered_digits"])
def test_the_readme_names_every_set_with_its_options(name):
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    (row,) = [
        line for line in readme.splitlines() if line.startswith("| `") and f"`{name}`" in line.split("|")[1]
    ]
    own = [option for option in inspect.signature(DATA_SETS[name]).parameters if option != "asked"]
    assert re.findall("`(.+?)`", row.split("|")[4]) == own
