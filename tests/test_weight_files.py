"""Weight files of other tools: weights come out, code never runs, what they are instead is said."""

import argparse
import collections
import sys
import zipfile

import pytest
import torch
from torch import nn

from kdprobe.errors import InputError, SnapshotCorruptError, SnapshotError
from kdprobe.weight_files import find_state, read_weight_file

STATE = {"weight": torch.arange(6.0).reshape(2, 3), "bias": torch.tensor([1.0, 2.0])}


def saved(path, content):
    torch.save(content, path)
    return path


def same(a, b):
    return list(a) == list(b) and all(torch.equal(value, b[name]) for name, value in a.items())


@pytest.mark.parametrize("key", [None, "state_dict", "model_state_dict", "model", "net"])
@pytest.mark.parametrize("suffix", [".pt", ".pth", ".ckpt"])
def test_a_state_dict_is_found_under_the_usual_keys(tmp_path, key, suffix):
    content = STATE if key is None else {"epoch": 3, "optimizer": {"lr": 0.1}, key: STATE}
    path = saved(tmp_path / f"weights{suffix}", content)
    assert same(find_state(read_weight_file(path).content, path), STATE)


def test_an_old_file_of_torch_is_read(tmp_path):
    torch.save(STATE, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    assert same(find_state(read_weight_file(tmp_path / "old.pth").content, "old.pth"), STATE)


def test_a_key_names_a_state_dict_or_a_module_in_it(tmp_path):
    other = {name: value + 1 for name, value in STATE.items()}
    content = {"teacher": other, "student": STATE}
    assert same(find_state(content, "a.pt", "student"), STATE)
    inside = {"state_dict": {f"{who}.{k}": v for who, state in content.items() for k, v in state.items()}}
    assert same(find_state(inside, "a.pt", "student"), STATE)
    assert same(find_state(inside, "a.pt", "teacher"), other)
    with pytest.raises(SnapshotError, match=r"no state dict under the key 'pupil'.*teacher.weight"):
        find_state(inside, "a.pt", "pupil")


def test_several_state_dicts_are_not_chosen_from(tmp_path):
    content = {"state_dict": STATE, "model": STATE}
    with pytest.raises(SnapshotError, match="state_dict, model"):
        find_state(content, "a.pt")
    assert same(find_state(content, "a.pt", "model"), STATE)


@pytest.mark.parametrize(
    "content", [[1, 2], {}, {"epoch": 3}, {"weight": STATE["weight"], "lr": 0.1}, STATE["bias"]]
)
def test_what_holds_no_state_dict_is_said(content):
    with pytest.raises(SnapshotError, match="holds no state dict"):
        find_state(content, "a.pt")


class Bomb:
    exploded = False

    def __reduce__(self):
        return explode, ()


def explode():
    Bomb.exploded = True


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ({"state_dict": STATE, "hyper_parameters": argparse.Namespace(lr=0.1)}, "argparse.Namespace"),
        (nn.Linear(2, 2), "torch.nn.modules.linear.Linear"),
        ({"state_dict": STATE, "bomb": Bomb()}, "explode"),
    ],
)
def test_code_is_never_run_and_the_sentence_names_it(tmp_path, content, named):
    path = saved(tmp_path / "weights.pt", content)
    with pytest.raises(SnapshotCorruptError) as error:
        read_weight_file(path)
    assert named in str(error.value) and "never run" in str(error.value)
    assert str(error.value).count("\n") == 0 and not Bomb.exploded


def zip_of_nothing(path):
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("readme.txt", "no weights")


def cut(path):
    saved(path, STATE)
    path.write_bytes(path.read_bytes()[:-300])


MISLABELLED = {
    "it is empty": lambda path: path.write_bytes(b""),
    "HTML": lambda path: path.write_bytes(b"\n<!DOCTYPE html><html>404</html>"),
    "LFS": lambda path: path.write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n"),
    "HDF5": lambda path: path.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100)),
    "zip file": zip_of_nothing,
    "zip file, but": cut,
    "plain weights": lambda path: path.write_bytes(b"no weights at all"),
}


@pytest.mark.parametrize("words", MISLABELLED)
def test_a_mislabelled_file_is_named_for_what_it_is(tmp_path, words):
    path = tmp_path / "weights.pt"
    MISLABELLED[words](path)
    with pytest.raises(SnapshotCorruptError, match=words) as error:
        read_weight_file(path)
    assert str(path) in str(error.value) and str(error.value).count("\n") == 0


@pytest.mark.filterwarnings("ignore:.*torch.jit.script:FutureWarning")
def test_a_torchscript_archive_is_refused(tmp_path):
    torch.jit.script(nn.Linear(2, 2)).save(tmp_path / "script.pt")
    with pytest.raises(SnapshotCorruptError, match="plain weights"):
        read_weight_file(tmp_path / "script.pt")


def test_safetensors_with_metadata(tmp_path):
    import safetensors.torch as safetensors

    path = tmp_path / "weights.safetensors"
    safetensors.save_file(STATE, path, metadata={"epoch": "3"})
    file = read_weight_file(path)
    assert same(dict(sorted(file.content.items())), dict(sorted(STATE.items()))) and file.metadata == {
        "epoch": "3"
    }
    data = path.read_bytes()
    for damaged in (
        b"",
        data[:7],
        data[:20],
        data[:-1],
        (2**40).to_bytes(8, "little") + data[8:],
        b"<html>" * 9,
    ):
        path.write_bytes(damaged)
        with pytest.raises(SnapshotCorruptError, match=r"weights\.safetensors"):
            read_weight_file(path)


def test_without_safetensors_the_sentence_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "safetensors", None)
    monkeypatch.setitem(sys.modules, "safetensors.torch", None)
    (tmp_path / "weights.safetensors").write_bytes(b"x")
    with pytest.raises(SnapshotError, match="pip install safetensors"):
        read_weight_file(tmp_path / "weights.safetensors")


def test_missing_files_and_other_endings(tmp_path):
    with pytest.raises(SnapshotError, match="No weight file"):
        read_weight_file(tmp_path / "nowhere.pt")
    (tmp_path / "weights.bin").write_bytes(b"x")
    with pytest.raises(SnapshotError, match=r"ending '\.bin'"):
        read_weight_file(tmp_path / "weights.bin")


def test_an_ordered_dict_is_a_state_dict(tmp_path):
    path = saved(tmp_path / "weights.pt", collections.OrderedDict(STATE))
    assert same(find_state(read_weight_file(path).content, path), STATE)


def test_a_home_that_does_not_exist_is_one_sentence():
    with pytest.raises(InputError, match=r"~no-such-user/a\.pt"):
        read_weight_file("~no-such-user/a.pt")
