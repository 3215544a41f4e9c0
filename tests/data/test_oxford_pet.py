"""Oxford-IIIT Pet in its native layout: made small here, and written from real butterflies."""

import urllib.error

import numpy as np
import pytest
import torchvision
from PIL import Image

from kdprobe.data import load_data
from kdprobe.data.masks import shrink
from kdprobe.errors import ConfigError, DataError


def write(root, name, image, trimap):
    for path, what, options in (
        (root / "images" / f"{name}.jpg", image, {"quality": 95}),
        (root / "annotations/trimaps" / f"{name}.png", Image.fromarray(trimap.astype(np.uint8)), {}),
    ):
        path.parent.mkdir(parents=True, exist_ok=True)
        what.save(path, **options)


def write_lists(root, trainval, test):
    for file, names in (("trainval.txt", trainval), ("test.txt", test)):
        (root / "annotations" / file).write_text("".join(f"{name} 1 1 1\n" for name in names))


def trimap_of(inside):
    """1 pet, 2 background, 3 a border of one pixel inside the pet."""
    core = (
        inside
        & np.roll(inside, 1, 0)
        & np.roll(inside, -1, 0)
        & np.roll(inside, 1, 1)
        & np.roll(inside, -1, 1)
    )
    return np.where(core, 1, np.where(inside, 3, 2))


@pytest.fixture
def pets(tmp_path):
    root = tmp_path / "oxford-iiit-pet"
    inside = np.zeros((20, 30), dtype=bool)
    inside[5:15, 10:20] = True
    names = [f"{breed}_{k}" for breed in ("Abyssinian", "american_bulldog") for k in range(1, 5)]
    for name in names:
        write(root, name, Image.new("RGB", (30, 20)), trimap_of(inside))
    write_lists(root, [n for n in names if n[-1] < "4"], [n for n in names if n[-1] == "4"])
    return root


def load(root, **options):
    return load_data("oxford_pet", root=root, **{"image_size": 10, **options})


def test_breeds_split_and_trimaps(pets):
    data = load(pets)
    assert data.classes == ("Abyssinian", "american bulldog") and data.labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert data.ids[3] == "american_bulldog_1" and data.foreground_kind == "mask"
    assert load(pets.parent, split="test").ids == ("Abyssinian_4", "american_bulldog_4")
    core = np.zeros((20, 30), dtype=bool)
    core[6:14, 11:19] = True  # neither the background (2) nor the border (3)
    np.testing.assert_array_equal(data.foregrounds[0].numpy(), shrink(core, 10))
    assert load(pets, classes=["american bulldog"]).labels.tolist() == [0, 0, 0]


def test_single_images_are_left_out_and_named(pets):
    (pets / "annotations/trimaps/Abyssinian_1.png").unlink()
    (pets / "images/Abyssinian_2.jpg").write_bytes(b"broken")
    reasons = dict(load(pets).left_out)
    assert set(reasons) == {"Abyssinian_1", "Abyssinian_2"} and "No mask" in reasons["Abyssinian_1"]
    assert len(load(pets, foreground="central").left_out) == 1


@pytest.mark.parametrize("gone", ["annotations/trimaps", "annotations/trainval.txt", "images"])
def test_what_is_missing_is_named(pets, gone):
    (pets / gone).rename(pets / "elsewhere")
    with pytest.raises(DataError) as error:
        load(pets)
    assert str(pets / gone) in str(error.value)
    with pytest.raises(ConfigError, match="root"):
        load(None)


def test_a_download_that_fails_is_one_sentence(tmp_path, monkeypatch):
    def offline(*arguments, **keywords):
        assert keywords["download"] is True and arguments == (str(tmp_path),)
        raise urllib.error.URLError("no network")

    monkeypatch.setattr(torchvision.datasets, "OxfordIIITPet", offline)
    with pytest.raises(DataError, match=r"Cannot fetch OxfordIIITPet into .*no network.*by hand"):
        load(tmp_path, download=True)


def test_butterflies_written_as_pets_come_back(real_data, tmp_path):
    source, names = real_data / "leedsbutterfly", []
    inside = {}
    for k, path in enumerate(sorted((source / "images").glob("*.png"))[::80]):
        name = f"breed_{'ab'[k % 2]}_{k}"
        values = np.asarray(Image.open(source / "segmentations" / f"{path.stem}_seg0.png"))
        inside[name] = np.isin(values, (1, 3))
        write(tmp_path, name, Image.open(path).convert("RGB"), trimap_of(inside[name]))
        names.append(name)
    write_lists(tmp_path, names, names[:2])
    data = load(tmp_path, image_size=64)
    assert len(data) == len(names) >= 8 and data.classes == ("breed a", "breed b")
    for place, name in enumerate(data.ids):
        whole, found = shrink(inside[name], 64), data.foregrounds[place].numpy()
        assert not (found & ~whole).any() and found.sum() > 0.7 * whole.sum()


def test_a_label_means_the_same_breed_in_both_splits(pets):
    write_lists(pets, ["american_bulldog_1", "american_bulldog_2"], ["Abyssinian_4", "american_bulldog_4"])
    train, test = load(pets), load(pets, split="test")
    assert train.classes == test.classes == ("Abyssinian", "american bulldog")
    assert train.labels.tolist() == [1, 1] and test.labels.tolist() == [0, 1]


def test_lines_of_a_list_that_are_no_pets(pets):
    listing = pets / "annotations/trainval.txt"
    listing.write_text("#Image CLASS-ID SPECIES BREED ID\n" + listing.read_text())
    assert load(pets).left_out == () and len(load(pets)) == 6
    listing.write_text("nobreed 1 1 1\n")
    with pytest.raises(DataError, match=r"trainval\.txt.*nobreed"):
        load(pets)
    for text in ("", "#Image\n"):
        listing.write_text(text)
        with pytest.raises(DataError, match=r"trainval\.txt names no image"):
            load(pets, classes=2)


def test_a_download_is_read_where_torchvision_puts_it(pets, monkeypatch):
    fetched = pets.rename(pets.parent / "elsewhere")

    def fetch(root, **_):
        fetched.rename(pets.parent / "new/oxford-iiit-pet")

    monkeypatch.setattr(torchvision.datasets, "OxfordIIITPet", fetch)
    (pets.parent / "new").mkdir()
    assert len(load(pets.parent / "new", download=True)) == 6
