"""What an interrupted training left: read back exactly, in two generations, never anything that was not written."""

import os

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from kdprobe.errors import InputError, SnapshotCorruptError, SnapshotError
from kdprobe.storage import SnapshotStore, resume
from kdprobe.storage.resume import ResumeStore

STATE = {
    "weights": {
        "a.b": torch.arange(6.0).reshape(2, 3),
        "flag": torch.tensor(True),
        "half": torch.ones(2).bfloat16(),
    },
    "optimiser": {
        "state": {0: {"step": torch.tensor(3.0)}, 1: {}},
        "groups": [{"lr": 0.1, "betas": (0.9, 0.999)}],
    },
    "odd": [None, True, -0.0, float("inf"), 1e-310, 2**70, "ä/\0", (), [], {}, {"tensor": 1}, {"dict": []}],
}


def equal(a, b) -> bool:
    if type(a) is not type(b):
        return False
    if isinstance(a, torch.Tensor):
        return a.dtype == b.dtype and a.shape == b.shape and bool((a == b).all())
    if isinstance(a, dict):
        return list(a) == list(b) and all(equal(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(equal, a, b))
    return a == b and str(a) == str(b)


def epochs(store) -> list[int]:
    return [state["epoch"] for state in store.states()]


def test_a_state_comes_back_as_it_was(tmp_path):
    store = ResumeStore(tmp_path)
    store.save(STATE, epoch=1, step=2)
    [state] = store.states()
    assert equal(state, STATE)
    assert not equal(state, {**STATE, "odd": []})


_plain = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
_tensors = st.lists(st.floats(width=32, allow_nan=False), max_size=4).map(torch.tensor)


@settings(max_examples=50, deadline=None)
@given(
    st.dictionaries(
        st.text(),
        st.recursive(
            _plain | _tensors,
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(st.text() | st.integers(), inner, max_size=3)
                | st.tuples(inner, inner)
            ),
            max_leaves=8,
        ),
        max_size=4,
    )
)
def test_any_state_comes_back_as_it_was(tmp_path_factory, state):
    store = ResumeStore(tmp_path_factory.mktemp("any"))
    store.save(state, epoch=0, step=0)
    assert equal(next(store.states()), state)


def test_two_generations_are_kept_and_the_newest_comes_first(tmp_path):
    store = ResumeStore(tmp_path)
    assert epochs(store) == []
    for epoch in range(1, 5):
        store.save({"epoch": epoch}, epoch=epoch, step=10 * epoch)
        assert epochs(store) == [epoch, epoch - 1][: 1 + (epoch > 1)]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["resume.ckpt", "resume.previous.ckpt"]
    os.rename(store.path, tmp_path / "other")
    os.rename(store.previous, store.path)
    os.rename(tmp_path / "other", store.previous)
    assert epochs(store) == [4, 3]  # by what they hold, not by their names
    assert store.epoch() == 4 and len(store.files()) == 2
    store.discard()
    assert store.epoch() is None and store.files() == []
    assert epochs(store) == [] and list(tmp_path.iterdir()) == []
    store.discard()


@pytest.mark.parametrize("place", [0, 100, 600, -1])
def test_a_damaged_generation_is_named_and_left_out(tmp_path, place):
    store = ResumeStore(tmp_path)
    for epoch in (1, 2):
        store.save({"epoch": epoch, "weights": torch.randn(9)}, epoch=epoch, step=epoch)
    data = bytearray(store.path.read_bytes())
    data[place] ^= 4
    store.path.write_bytes(data)
    with pytest.warns(UserWarning, match=r"resume\.ckpt is damaged: .* It is left out\."):
        assert epochs(store) == [1]
    with pytest.warns(UserWarning, match="left out"):
        assert store.epoch() == 1
    store.save({"epoch": 2}, epoch=2, step=2)  # it takes the damaged one's place; the sound one stays
    assert epochs(store) == [2, 1]


@pytest.mark.parametrize(
    ("state", "place"),
    [
        ({"a": {"b": object()}}, r"the state\['a'\]\['b'\] .* got object"),
        ({"a": [1, {2}]}, r"the state\['a'\]\[1\] .* got set"),
        ({"a": {1.5: 2}}, r"as keys in the state\['a'\], got 1\.5"),
        ({"a": {True: 2}}, r"got True"),
    ],
)
def test_what_cannot_be_kept_is_refused_with_its_place(tmp_path, state, place):
    with pytest.raises(InputError, match=place):
        ResumeStore(tmp_path).save(state, epoch=0, step=0)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("failing", ["open", "write", "fsync", "replace"])
def test_a_full_disk_leaves_what_was_newest(tmp_path, monkeypatch, failing):
    store = ResumeStore(tmp_path)
    for epoch in (1, 2):
        store.save({"epoch": epoch}, epoch=epoch, step=epoch)

    def full(*_args, **_options):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, failing, full)
        with pytest.raises(SnapshotError, match=r"resume\.ckpt: No space left"):
            store.save({"epoch": 3}, epoch=3, step=3)
    assert epochs(store)[0] == 2
    store.save({"epoch": 4}, epoch=4, step=4)
    assert epochs(store) == [4, 2]


def test_a_snapshot_is_no_resume_point(tmp_path):
    saved = SnapshotStore(tmp_path).save({"w": torch.ones(2)}, epoch=0, step=0)
    store = ResumeStore(tmp_path)
    os.rename(saved.path, store.path)
    with pytest.warns(UserWarning, match="not a file of kind 'resume'"):
        assert list(store.states()) == []


def test_a_state_that_claims_what_it_must_not_is_corrupt(tmp_path):
    for text in (b"[]", b"{", b'{"tensor": 7}', b'{"code": []}', b'{"dict": [], "list": []}', b"[" * 10_000):
        tensors = {"state": torch.frombuffer(bytearray(text), dtype=torch.uint8)}
        with pytest.raises(SnapshotCorruptError, match=r"resume\.ckpt is damaged: its state"):
            resume._state_in(tmp_path / "resume.ckpt", tensors)
