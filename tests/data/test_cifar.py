"""CIFAR-10 and CIFAR-100: files in the native form, made here; no foreground."""

import hashlib
import pickle

import numpy as np
import pytest
import torchvision

from kdprobe.data import load_data, select_probe
from kdprobe.errors import DataError


@pytest.fixture
def cifar(tmp_path, monkeypatch):
    """Batches of 6 images; torchvision is told their check sums."""

    def write(folder, name, content):
        path = tmp_path / folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(pickle.dumps(content))
        return [name, hashlib.md5(path.read_bytes()).hexdigest()]

    def batch(key, classes, shift):
        labels = [(k + shift) % classes for k in range(6)]
        data = np.zeros((6, 3, 32, 32), dtype=np.uint8)
        data[:, 0], data[:, 1, :16] = (np.arange(6) + 10 * shift)[:, None, None], 200
        return {"data": data.reshape(6, -1), key: labels}

    for which, folder, key, classes in (
        (torchvision.datasets.CIFAR10, "cifar-10-batches-py", "labels", 10),
        (torchvision.datasets.CIFAR100, "cifar-100-python", "fine_labels", 100),
    ):
        monkeypatch.setattr(
            which, "train_list", [write(folder, f"b{k}", batch(key, classes, k)) for k in (0, 1)]
        )
        monkeypatch.setattr(which, "test_list", [write(folder, "t", batch(key, classes, 3))])
        meta = which.meta
        names = [f"c{k:02d}" for k in range(classes)]
        filename, digest = write(folder, meta["filename"], {meta["key"]: names})
        monkeypatch.setattr(which, "meta", {**meta, "filename": filename, "md5": digest})
    return tmp_path


@pytest.mark.parametrize(("name", "classes"), [("cifar10", 10), ("cifar100", 100)])
def test_images_labels_and_ids(cifar, name, classes):
    data = load_data(name, root=cifar)
    assert len(data) == 12 and len(data.classes) == classes and data.image_shape == (3, 32, 32)
    place = data.ids.index("train/00008")  # the third of the second file
    assert data.labels[place] == 3 and data.classes[3] == "c03"
    shown = data.to_display(data[place].image) * 255
    assert shown[0, 0, 0] == pytest.approx(12, abs=1e-3) and shown[0, 5, 1] == pytest.approx(200, abs=1e-3)
    assert shown[20, 5, 1] == pytest.approx(0, abs=1e-3)
    test = load_data(name, root=cifar, split="test", classes=["c04", "c03"], image_size=16)
    assert test.ids == ("test/00001", "test/00000") and test.image_shape == (3, 16, 16)


def test_concepts_need_the_central_square(cifar):
    data = load_data("cifar10", root=cifar)
    assert data.foregrounds is None and data.foreground_kind is None and "no masks" in data.notes[0]
    with pytest.raises(DataError, match=r"cifar10 has no masks or boxes.*foreground: central"):
        select_probe(data, 2, seed=0)
    central = load_data("cifar10", root=cifar, foreground="central")
    assert len(select_probe(central, 2, seed=0).ids) == 2 and int(central.foregrounds[0].sum()) == 24**2


def test_what_is_missing_or_damaged_is_one_sentence(cifar, tmp_path):
    with pytest.raises(DataError, match=r"CIFAR10 is not in .*nowhere.*download: true"):
        load_data("cifar10", root=tmp_path / "nowhere")
    (cifar / "cifar-100-python/t").write_bytes(b"damaged")
    with pytest.raises(DataError, match=r"CIFAR100 is not in .*or is damaged"):
        load_data("cifar100", root=cifar)
