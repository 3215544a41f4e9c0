"""What is saved comes back: names, order, dtypes, shapes, every bit."""

import hashlib
import json
import tempfile
import tracemalloc

import h5py
import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given, settings
from torch.testing._internal.two_tensor import TwoTensor

from kdprobe.errors import InputError, SnapshotCorruptError, SnapshotError
from kdprobe.storage import SnapshotStore, contents, write_json

DTYPES = [
    torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.complex64, torch.bool, torch.uint8,
    torch.int8, torch.int16, torch.int32, torch.int64, torch.uint16, torch.float8_e5m2, torch.float8_e4m3fn,
]  # fmt: skip


def raw(tensor):
    """Every bit of a tensor, whatever its dtype; NaN equals NaN."""
    flat = tensor.detach().contiguous().flatten()
    return flat.view(torch.uint8).numpy().tobytes() if flat.numel() else b""


def same(left, right):
    return left.dtype == right.dtype and left.shape == right.shape and raw(left) == raw(right)


@st.composite
def tensors(draw):
    dtype = draw(st.sampled_from(DTYPES))
    shape = draw(st.lists(st.integers(0, 3), max_size=4))
    count = torch.Size(shape).numel()
    if dtype is torch.bool:
        tensor = torch.tensor(draw(st.lists(st.booleans(), min_size=count, max_size=count)), dtype=dtype)
    else:
        size = count * dtype.itemsize
        data = bytearray(draw(st.binary(min_size=size, max_size=size)))  # any bits, NaN and denormals too
        tensor = torch.frombuffer(data, dtype=dtype) if size else torch.empty(0, dtype=dtype)
    tensor = tensor.reshape(shape)
    if draw(st.booleans()) and tensor.ndim >= 2:
        tensor = tensor.transpose(0, -1)  # not contiguous
    return tensor


NAMES = st.text(max_size=12) | st.sampled_from(
    ["", "a.b", "a/b", "/", "..", "größe.重み", "nul\0in", "\udc80"]
)


@settings(max_examples=80, deadline=None)
@given(
    state=st.dictionaries(NAMES, tensors(), max_size=6), ties=st.lists(st.tuples(NAMES, st.integers(0, 5)))
)
def test_any_state_dict_comes_back_bit_by_bit(state, ties):
    for name, which in ties:
        if state:
            state.setdefault(name, list(state.values())[which % len(state)])
    state = {
        name: tensor for name, tensor in state.items() if "module." not in name and "_orig_mod." not in name
    }
    with tempfile.TemporaryDirectory() as folder:
        store = SnapshotStore(folder)
        snapshot = store.save(state, epoch=1, step=2)
        loaded = store.load(snapshot)
        assert store.list() == [snapshot] and store.skipped == []
    assert list(loaded) == list(state)
    for name, tensor in state.items():
        assert same(loaded[name], tensor), name


def test_a_module_comes_back_with_its_buffers(tmp_path):
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.BatchNorm2d(2), torch.nn.ReLU())
    model(torch.randn(4, 1, 5, 5))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    store = SnapshotStore(tmp_path / "new" / "folder")
    loaded = store.load(store.save(model, epoch=0, step=0, stage=1))
    assert {"1.running_mean", "1.num_batches_tracked"} <= set(loaded)
    assert list(loaded) == list(before) and all(same(loaded[name], before[name]) for name in before)
    assert all(same(model.state_dict()[name], before[name]) for name in before)
    assert store.list()[0].stage == 1


def test_tied_weights_are_stored_once_and_tied_again(tmp_path):
    weight = torch.randn(50, 40)
    equal_but_free = weight.clone()
    store = SnapshotStore(tmp_path)
    snapshot = store.save(
        {"in": weight, "x": equal_but_free, "out": weight, "t": weight.t()}, epoch=1, step=1
    )
    loaded = store.load(snapshot)
    assert list(loaded) == ["in", "x", "out", "t"]
    assert loaded["in"].data_ptr() == loaded["out"].data_ptr()
    assert len({loaded[name].data_ptr() for name in ("in", "x", "t")}) == 3
    assert 3 * 8000 < snapshot.path.stat().st_size < 4 * 8000


def test_some_of_the_weights_can_be_read_without_the_others(tmp_path, monkeypatch):
    weight = torch.randn(50, 40)
    state = {"in": weight, "x": torch.randn(3), "out": weight, "last": torch.randn(2)}
    store = SnapshotStore(tmp_path)
    snapshot = store.save(state, epoch=1, step=1)
    unpacked, unpack = [], contents._tensor

    def noted(entry, dataset):
        unpacked.append(entry.names)
        return unpack(entry, dataset)

    monkeypatch.setattr(contents, "_tensor", noted)
    loaded = store.load(snapshot, only=("last", "out", "nowhere"))
    assert list(loaded) == ["out", "last"]
    assert all(same(value, state[name]) for name, value in loaded.items())
    assert sorted(unpacked) == [("in", "out"), ("last",)]
    snapshot.path.write_bytes(snapshot.path.read_bytes()[:-1] + b"?")
    with pytest.raises(SnapshotCorruptError):
        store.load(snapshot, only=("last",))


@pytest.mark.parametrize(
    ("names", "plain"),
    [
        (["module.a.w", "module.b"], ["a.w", "b"]),
        (["_orig_mod.a", "_orig_mod.b"], ["a", "b"]),
        (["module._orig_mod.module.a"], ["a"]),
        (["net._orig_mod.a", "_orig_mod._orig_mod.b"], ["net.a", "b"]),
        (["module.a", "head.b"], ["module.a", "head.b"]),  # a child that happens to be called module
        (["my_module.a", "x_orig_mod.b"], ["my_module.a", "x_orig_mod.b"]),
    ],
)
def test_prefixes_of_wrappers_are_stripped(tmp_path, names, plain):
    store = SnapshotStore(tmp_path)
    state = {name: torch.tensor(float(number)) for number, name in enumerate(names)}
    loaded = store.load(store.save(state, epoch=0, step=0))
    assert {name: value.item() for name, value in loaded.items()} == dict(zip(plain, range(9), strict=False))


def test_wrapped_modules_have_plain_names(tmp_path):
    model = torch.nn.Linear(2, 1)
    for step, wrapped in enumerate([torch.compile(model), torch.nn.DataParallel(model)]):
        loaded = SnapshotStore(tmp_path).load(SnapshotStore(tmp_path).save(wrapped, epoch=0, step=step))
        assert list(loaded) == ["weight", "bias"]


def test_the_same_state_gives_the_same_bytes(tmp_path):
    state = {"b": torch.randn(3, 2), "a": torch.arange(4)}
    first = SnapshotStore(tmp_path / "1").save(state, epoch=1, step=1)
    second = SnapshotStore(tmp_path / "2").save({k: v.clone() for k, v in state.items()}, epoch=1, step=1)
    assert first.path.read_bytes() == second.path.read_bytes()
    assert first.digest == second.digest == hashlib.sha256(first.path.read_bytes()[512:]).hexdigest()


def test_order_is_that_of_the_stored_numbers(tmp_path):
    store = SnapshotStore(tmp_path)
    numbers = [(100000, 5), (2, 10**9), (2, 7), (0, 0), (99999, 4)]  # as text, 100000 comes before 99999
    for epoch, step in numbers:
        store.save({"w": torch.tensor(epoch)}, epoch=epoch, step=step)
    assert [(snapshot.epoch, snapshot.step) for snapshot in store.list()] == sorted(numbers)
    assert store.list()[1].path.name == "epoch-00002_step-000000007.h5"


def test_saving_again_keeps_equal_weights_and_refuses_others(tmp_path):
    store = SnapshotStore(tmp_path)
    first = store.save({"w": torch.ones(3), "v": torch.zeros(1)}, epoch=1, step=5, stage=0)
    written = first.path.stat().st_mtime_ns, first.path.stat().st_ino
    assert store.save({"v": torch.zeros(1), "w": torch.ones(3)}, epoch=1, step=5, stage=1) == first
    for other in (
        {"w": torch.ones(3)},
        {"w": torch.ones(3), "v": torch.ones(1)},
        {"w": torch.ones(3), "u": torch.zeros(1)},
    ):
        with pytest.raises(SnapshotError, match="exists with other weights"):
            store.save(other, epoch=1, step=5)
    assert written == (first.path.stat().st_mtime_ns, first.path.stat().st_ino)
    assert store.list() == [first]


def test_a_plain_reader_finds_what_the_format_says(tmp_path):
    weight = torch.randn(2, 3).bfloat16()
    path = SnapshotStore(tmp_path).save({"fc.weight": weight}, epoch=3, step=9, stage=2).path
    data = path.read_bytes()
    lines = data[:512].rstrip(b"\0").decode().splitlines()
    head = "".join(line + "\n" for line in lines[:4]).encode()
    assert lines == [
        "kdprobe hdf5",
        "schema 1",
        f"length {len(data) - 512}",
        f"sha256 {hashlib.sha256(data[512:]).hexdigest()}",
        f"block {hashlib.sha256(head).hexdigest()}",
    ]
    with h5py.File(path) as file:
        assert json.loads(file.attrs["header"]) == {"epoch": 3, "kind": "snapshot", "stage": 2, "step": 9}
        stored = file["tensors/000000"]
        header = json.loads(stored.attrs["header"])
        assert header["names"] == ["fc.weight"] and header["dtype"] == "bfloat16" and stored.dtype == "<u2"
        assert header["sha256"] == hashlib.sha256(stored[()].tobytes()).hexdigest()
        assert stored[()].tobytes() == raw(weight)


def test_long_names_and_long_headers_fit(tmp_path):
    store = SnapshotStore(tmp_path)
    name = "n" * 200_000  # more than HDF5 takes into an object header
    assert list(store.load(store.save({name: torch.ones(1)}, epoch=0, step=0))) == [name]


@pytest.mark.parametrize(
    ("in_memory", "writing", "reading"), [(0, 0.1, 1.1), (2**24, 0.1, 1.1), (2**30, 1.1, 2.2)]
)
def test_memory_in_writing_and_reading_is_as_said(tmp_path, in_memory, writing, reading):
    store = SnapshotStore(tmp_path, in_memory=in_memory)
    state = {str(number): torch.zeros(2**20) for number in range(8)}
    size = 8 * 4 * 2**20
    tracemalloc.start()
    try:
        snapshot = store.save(state, epoch=0, step=0)
        assert tracemalloc.get_traced_memory()[1] < writing * size
        tracemalloc.reset_peak()
        store.load(snapshot)
        assert tracemalloc.get_traced_memory()[1] < reading * size
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (3.0, "float, not a tensor"),
        (torch.nn.LazyLinear(2).weight, "not initialised"),
        (torch.empty(2, device="meta"), "meta"),
        (torch.eye(2).to_sparse(), "sparse"),
        (torch.zeros([1] * 32), "32 axes"),
        (torch.zeros(2).to(torch.float8_e4m3fnuz), "float8_e4m3fnuz"),
    ],
)
def test_what_cannot_be_stored_is_named(tmp_path, value, says):
    with pytest.raises(SnapshotError, match=f"'layer.x'.*{says}"):
        SnapshotStore(tmp_path).save({"layer.x": value}, epoch=0, step=0)
    assert list(tmp_path.iterdir()) == []


def test_bad_arguments_are_refused(tmp_path):
    store = SnapshotStore(tmp_path)
    for numbers in ({"epoch": -1, "step": 0}, {"epoch": 0, "step": 1.5}, {"epoch": True, "step": 0}):
        with pytest.raises(InputError, match="whole number"):
            store.save({}, **numbers)
    with pytest.raises(InputError, match="module or a mapping"):
        store.save([torch.ones(1)], epoch=0, step=0)
    with pytest.raises(SnapshotError, match="same name"):
        store.save({"a._orig_mod.w": torch.ones(1), "a.w": torch.ones(1)}, epoch=0, step=0)
    assert store.list() == [] and SnapshotStore(tmp_path / "none").list() == []


def test_more_tensors_than_a_reader_takes_are_not_written(tmp_path, monkeypatch):
    monkeypatch.setattr("kdprobe.storage.image.MAX_TENSORS", 2)
    store = SnapshotStore(tmp_path)
    store.save({"a": torch.ones(1), "b": torch.ones(1)}, epoch=0, step=0)
    with pytest.raises(SnapshotError, match="Got 3 tensors; at most 2"):
        store.save({name: torch.ones(1) for name in "abc"}, epoch=1, step=0)


def test_tensors_that_keep_their_numbers_elsewhere_are_refused(tmp_path):
    wrapper = TwoTensor(torch.ones(3), torch.zeros(3))
    for value in (wrapper, torch.nn.Parameter(wrapper)):
        with pytest.raises(SnapshotError, match=r"Cannot store 'w'.*TwoTensor"):
            SnapshotStore(tmp_path).save({"w": value}, epoch=0, step=0)
    assert list(tmp_path.iterdir()) == []


def test_a_path_with_nul_is_refused(tmp_path):
    store = SnapshotStore(tmp_path / "a\0b")
    for use in (
        lambda: store.save({"w": torch.ones(1)}, epoch=0, step=0),
        store.list,
        lambda: store.load(tmp_path / "a\0b" / "epoch-00000_step-000000000.h5"),
        lambda: write_json(tmp_path / "a\0.json", {}),
    ):
        with pytest.raises(SnapshotError, match="NUL"):
            use()
