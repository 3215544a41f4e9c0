"""A run in one file: plainly readable, unpacked byte for byte, damage and malice refused."""

import hashlib
import io
import json
import os
import random
import time

import h5py
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from storage.runs import damage, files, make_connectors, make_experiment, make_network, state

from kdprobe.errors import KdprobeError, SnapshotCorruptError, SnapshotError
from kdprobe.storage import SnapshotStore, pack_run, unpack_run
from kdprobe.storage.envelope import BLOCK, user_block
from kdprobe.storage.packed_layout import link_name
from kdprobe.storage.resume import ResumeStore


@pytest.mark.parametrize("in_memory", [True, False])
@pytest.mark.parametrize("form", ["experiment", "network", "snapshots"])
def test_what_is_unpacked_is_the_run_byte_for_byte(tmp_path, monkeypatch, form, in_memory):
    if not in_memory:  # as for snapshots of many GB
        monkeypatch.setattr("kdprobe.storage.pack.IN_MEMORY", 0)
        monkeypatch.setattr("kdprobe.storage.unpack.IN_MEMORY", 0)
    run = make_experiment(tmp_path / "run") if form == "experiment" else make_network(tmp_path / "run")
    if form != "experiment":
        ResumeStore(run).save({"optimiser": torch.ones(3)}, epoch=2, step=20)
    asked = run / "snapshots" if form == "snapshots" else run
    packed = pack_run(asked, tmp_path / "run.h5")
    made = unpack_run(tmp_path / "run.h5", tmp_path / "again")
    wanted = files(run)
    if form == "snapshots":
        wanted = {name: data for name, data in wanted.items() if name.startswith("snapshots")}
    assert files(tmp_path / "again") == wanted
    assert packed.files == made.files == len(wanted) > 2
    assert packed.size == (tmp_path / "run.h5").stat().st_size
    assert made.size == sum(map(len, wanted.values()))


def test_other_tools_read_it_plainly(tmp_path):
    run = make_experiment(tmp_path / "run")
    pack_run(run, tmp_path / "run.h5")
    with h5py.File(tmp_path / "run.h5") as file:
        assert file["config.yaml"].asstr()[()] == "seed: 0\n"
        assert json.loads(file["networks/teacher/run.json"][()]) == {"schema": 1, "role": "teacher"}
        assert "größe" in json.loads(file["networks/teacher/metrics.jsonl"].asstr()[()].splitlines()[0])
        snapshot = file["networks/baseline/snapshots/epoch-00002_step-000000020"]
        assert (snapshot.attrs["epoch"], snapshot.attrs["step"], snapshot.attrs["stage"]) == (2, 20, 0)
        tensors, wanted = snapshot["tensors"], state(2)
        assert len(tensors) == len(wanted)
        assert np.array_equal(tensors["conv.weight"], wanted["conv.weight"])
        assert np.array_equal(tensors["conv%2Fweight"], wanted["conv/weight"])
        assert np.array_equal(tensors["größe%252F%00"], wanted["größe%2F\0"].view(torch.uint16))
        assert tensors["größe%252F%00"].attrs["dtype"] == b"bfloat16"
        assert tensors["%2E"][()] == 2
        assert tensors["tied.weight"] == tensors["conv.weight"]  # one data set
        weight = tensors["conv.weight"]
        assert weight.attrs["sha256"].decode() == hashlib.sha256(weight[...].tobytes()).hexdigest()
        [shard] = file["networks/baseline/entropy/0123456789abcdef/epoch-00002_step-000000020"].values()
        assert shard["tensors/entropy"].shape == (3, 4, 4)
        assert json.loads(shard.attrs["header"])["ids"] == ["a", "b", "c"]


@pytest.mark.parametrize("form", ["experiment", "network"])
def test_connectors_of_students_and_their_assistants_come_back(tmp_path, form):
    run = tmp_path / "run"
    for name in ("student-all", "student-all.assistant"):
        folder = make_network(run / "networks" / name if form == "experiment" else run, role="assistant")
        make_connectors(folder, {0: (0, 1), 1: (1, 2), 10: (2,)})
    packed = pack_run(run, tmp_path / "run.h5")
    unpack_run(tmp_path / "run.h5", tmp_path / "again")
    wanted = files(run)
    assert files(tmp_path / "again") == wanted and packed.files == len(wanted)
    assert sum("/stage-1/" in f"/{name}" for name in wanted) == (4 if form == "experiment" else 2)
    home = "networks/student-all.assistant" if form == "experiment" else "networks/run"
    with h5py.File(tmp_path / "run.h5") as file:
        snapshot = file[f"{home}/connectors/stage-1/epoch-00002_step-000000020"]
        assert (snapshot.attrs["epoch"], snapshot.attrs["stage"]) == (2, 1)
        assert np.array_equal(snapshot["tensors/Hint_0.to_teacher.weight"], np.full((3, 2), 2.0))


def test_what_else_lies_beside_connectors_is_not_taken_for_them(tmp_path):
    run = make_network(tmp_path / "run", epochs=(0,))
    make_connectors(run, {0: (0,)})
    wanted = files(run)
    for name in ("stage-01", "stage-x", ".stage-2", "mine"):
        SnapshotStore(run / "connectors" / name).save(state(0), epoch=0, step=0)
    pack_run(run, tmp_path / "run.h5")
    unpack_run(tmp_path / "run.h5", tmp_path / "again")
    assert files(tmp_path / "again") == wanted


def test_the_same_run_gives_the_same_bytes_at_any_time(tmp_path):
    run = make_network(tmp_path / "run")
    pack_run(run, tmp_path / "first.h5")
    time.sleep(1.1)  # HDF5 counts times in seconds
    pack_run(run, tmp_path / "second.h5")
    assert (tmp_path / "first.h5").read_bytes() == (tmp_path / "second.h5").read_bytes()


@pytest.mark.parametrize(
    "place", ["snapshots/epoch-00001*.h5", "connectors/stage-0/*.h5", "entropy/*/*/00000.h5", "metrics.jsonl"]
)
def test_a_damaged_run_is_not_packed(tmp_path, place):
    run = make_network(tmp_path / "run")
    make_connectors(run, {0: (1,)})
    path = sorted(run.glob(place))[0]
    damage(path)
    if path.suffix != ".h5":
        path.write_bytes(b"\xff" + path.read_bytes())
    with pytest.raises(SnapshotCorruptError, match=path.name):
        pack_run(run, tmp_path / "run.h5")
    assert sorted(os.listdir(tmp_path)) == ["run"]


def test_nothing_is_overwritten(tmp_path):
    run = make_network(tmp_path / "run")
    pack_run(run, tmp_path / "run.h5")
    with pytest.raises(SnapshotError, match="exists already"):
        pack_run(run, tmp_path / "run.h5")
    before = files(tmp_path)
    for taken in (run, tmp_path / "run.h5"):
        with pytest.raises(SnapshotError, match="no empty folder"):
            unpack_run(tmp_path / "run.h5", taken)
    assert files(tmp_path) == before
    with pytest.raises(SnapshotError, match="holds no snapshot"):
        (tmp_path / "empty" / "snapshots").mkdir(parents=True)
        pack_run(tmp_path / "empty", tmp_path / "empty.h5")


def test_a_system_that_refuses_leaves_nothing_behind(tmp_path, monkeypatch):
    run = make_network(tmp_path / "run", epochs=(0,))
    pack_run(run, tmp_path / "run.h5")
    real, calls = os.write, []

    def failing(*arguments):
        calls.append(arguments)
        if len(calls) == at:
            raise OSError(28, "No space left on device")
        return real(*arguments)

    monkeypatch.setattr(os, "write", failing)
    for work in (
        lambda: pack_run(run, tmp_path / "other.h5"),
        lambda: unpack_run(tmp_path / "run.h5", tmp_path / "other"),
    ):
        at = 0
        calls.clear()
        work()
        (tmp_path / "other").exists() or (tmp_path / "other.h5").unlink()
        count, before = len(calls), files(tmp_path)
        assert count > 3
        if (tmp_path / "other").exists():
            (tmp_path / "other").rename(tmp_path / "whole")
            before = files(tmp_path)
        for number in range(1, count + 1):
            calls.clear()
            at = number
            with pytest.raises(SnapshotError, match="No space left"):
                work()
            assert files(tmp_path) == before


def test_damage_is_named_and_nothing_is_written(tmp_path):
    run = make_network(tmp_path / "run", epochs=(0, 1))
    whole, path = tmp_path / "run.h5", tmp_path / "damaged.h5"
    pack_run(run, whole)
    data, chance = whole.read_bytes(), random.Random(0)
    for _ in range(150):
        changed = bytearray(data)
        changed[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        path.write_bytes(changed)
        with pytest.raises(SnapshotError):
            unpack_run(path, tmp_path / "again")
    for _ in range(50):
        path.write_bytes(data[: chance.randrange(len(data))])
        with pytest.raises(SnapshotCorruptError):
            unpack_run(path, tmp_path / "again")
    assert sorted(os.listdir(tmp_path)) == ["damaged.h5", "run", "run.h5"]


def test_a_snapshot_is_no_packed_run(tmp_path):
    snapshot = SnapshotStore(tmp_path / "snapshots").save(state(0), epoch=0, step=0)
    with pytest.raises(SnapshotCorruptError, match="no packed run"):
        unpack_run(snapshot.path, tmp_path / "again")
    pack_run(tmp_path / "snapshots", tmp_path / "run.h5")
    with pytest.raises(SnapshotCorruptError):
        SnapshotStore(tmp_path).load(tmp_path / "run.h5")


# Files with sound digests that claim what they must not: each changes a sound one.

SNAPSHOT = "networks/run/snapshots/epoch-00000_step-000000000"
TENSOR = f"{SNAPSHOT}/tensors/conv.weight"


def name(value):
    def change(file):
        file[SNAPSHOT].attrs.create("file", np.bytes_(value or "\0"))

    change.__name__ = f"named {value[:20]!r}"
    return change


def number(item, attribute, value):
    def change(file):
        file[item].attrs[attribute] = value

    change.__name__ = f"{attribute} {value!r}"
    return change


def replaced(item, **options):
    def change(file):
        described = dict(file[item].attrs)
        shape, dtype = file[item].shape, file[item].dtype
        del file[item]
        dataset = file.create_dataset(item, **({"shape": shape, "dtype": dtype} | options))
        for key, value in described.items():
            dataset.attrs[key] = value

    change.__name__ = f"{item.split('/')[-1]} with {', '.join(options)}"
    return change


def linked(link):
    def change(file):
        del file[TENSOR]
        file[TENSOR] = link

    change.__name__ = type(link).__name__
    return change


def linked_network(file):
    file["networks/other"] = h5py.ExternalLink("other.h5", "/networks")


def cycle(file):
    file["networks/again"] = file["/"]


def fan(file):
    """2^40 ways through 40 groups."""
    last = file["networks"]
    for level in range(40):
        last = last.create_group(f"{level}")
        last["a"] = last["b"] = last.create_group("c")
        last = last["c"]


def virtual(file):
    layout = h5py.VirtualLayout(shape=(4, 3), dtype="<f4")
    layout[:] = h5py.VirtualSource("other.h5", "x", shape=(4, 3))
    described = dict(file[TENSOR].attrs)
    del file[TENSOR]
    dataset = file.create_virtual_dataset(TENSOR, layout)
    for key, value in described.items():
        dataset.attrs[key] = value


def no_digest(file):
    del file[SNAPSHOT].attrs["sha256"]


def no_rest(file):
    del file[f"{SNAPSHOT}/rest"]


def no_tensors(file):
    del file[f"{SNAPSHOT}/tensors"]


def tensors_is_data(file):
    no_tensors(file)
    file[f"{SNAPSHOT}/tensors"] = np.arange(3)


def stray_data(file):
    file["networks/stray"] = np.arange(3)


def stored_type(file):
    file["networks/type"] = np.dtype("<f4")


def other_numbers(file):
    file[TENSOR][0, 0] += 1


def other_text(file):
    file["networks/run/run.json"][()] = b"[]"


def other_kind(file):
    file.attrs.modify("kind", np.bytes_(b"snapshot"))


def twice(file):
    file["networks/twice"] = file[SNAPSHOT]


OUTSIDE = [
    "../evil.h5",
    "/evil.h5",
    "a/../../evil.h5",
    ".bashrc",
    "",
    ".",
    "a//b",
    "a/" * 9 + "b",
    "x" * 300,
]
HOSTILE = [
    *((name(value), "which no run has") for value in OUTSIDE),
    (twice, "or has twice"),
    (number(SNAPSHOT, "file", 3), "file is not what it should be"),
    (number(SNAPSHOT, "file", "of any length"), "file is not what it should be"),
    (number(TENSOR, "offset", -1), "offset is negative"),
    (number(TENSOR, "offset", 2**62), "do not fit into their file"),
    (number(TENSOR, "offset", 1), "do not fit into their file|sha256"),
    (number(TENSOR, "offset", 2.5), "offset is not what it should be"),
    (number(TENSOR, "offset", [1, 2]), "offset is not what it should be"),
    (number(SNAPSHOT, "sha256", "0" * 64), "sha256 is not what it should be"),
    (no_digest, "sha256 is missing"),
    (number("networks/run/run.json", "bytes", -1), "bytes is negative"),
    (number("networks/run/run.json", "bytes", 3), "sha256 of run.json"),
    (replaced(TENSOR, shape=(2**40,)), "more than the file of"),
    (replaced(TENSOR, external=[("/etc/passwd", 0, 48)]), "external storage"),
    (replaced(TENSOR, compression="gzip", chunks=(2, 2)), "filters"),
    (replaced(TENSOR, dtype=h5py.string_dtype()), "plain numbers"),
    (virtual, "virtual"),
    (replaced(f"{SNAPSHOT}/rest", shape=(2**40,)), "more than the file of"),
    (replaced(f"{SNAPSHOT}/rest", external=[("/etc/passwd", 0, 10**6)]), "external storage"),
    (replaced("networks/run/run.json", shape=(1,), external=[("/etc/passwd", 0, 10**6)]), "external storage"),
    (replaced("networks/run/run.json", dtype=h5py.string_dtype(), data="{}"), "not (of fixed|in the file)"),
    (replaced("networks/run/run.json", shape=(3,), data=[b"a"] * 3), "not of fixed length"),
    (linked(h5py.ExternalLink("other.h5", "/x")), "soft or external link"),
    (linked(h5py.SoftLink(f"/{SNAPSHOT}/rest")), "soft or external link"),
    (linked_network, "soft or external link"),
    (cycle, "nested too deep"),
    (fan, "nested too deep"),
    (no_rest, "no hard link b'rest'"),
    (no_tensors, "tensors"),
    (tensors_is_data, "tensors is not a group"),
    (stray_data, "stands for no file"),
    (stored_type, "neither group nor data set"),
    (other_numbers, f"sha256 of snapshots/{SNAPSHOT.split('/')[-1]}.h5"),
    (other_text, "sha256 of run.json"),
    (other_kind, "no packed run"),
]


def changed(path, change):
    """The packed file at `path` with what `change` makes of it, under a sound user block."""
    image = io.BytesIO(path.read_bytes())
    with h5py.File(image, "r+", libver=("v110", "v110")) as file:
        change(file)
    content = image.getvalue()[BLOCK:]
    path.write_bytes(user_block(len(content), hashlib.sha256(content).hexdigest()) + content)


@pytest.mark.parametrize(("change", "words"), HOSTILE, ids=[change.__name__ for change, _ in HOSTILE])
def test_a_file_that_claims_what_it_must_not_is_refused(tmp_path, change, words):
    (tmp_path / "in").mkdir()
    path = tmp_path / "in" / "run.h5"
    pack_run(make_network(tmp_path / "in" / "run", epochs=(0,)), path)
    changed(path, lambda file: None)
    unpack_run(path, tmp_path / "in" / "sound")
    changed(path, change)
    before = files(tmp_path)
    with pytest.raises(SnapshotCorruptError, match=words) as error:
        unpack_run(path, tmp_path / "in" / "again")
    assert str(error.value).count("\n") == 0 and len(str(error.value)) < 600
    assert files(tmp_path) == before


def test_a_newer_schema_is_named(tmp_path):
    path = tmp_path / "run.h5"
    pack_run(make_network(tmp_path / "run", epochs=(0,)), path)
    content = path.read_bytes()[BLOCK:]
    path.write_bytes(user_block(len(content), hashlib.sha256(content).hexdigest(), schema=99) + content)
    with pytest.raises(KdprobeError, match="newer"):
        unpack_run(path, tmp_path / "again")


@given(st.lists(st.text(), unique=True, max_size=8))
def test_names_of_tensors_become_different_links(names):
    links = [link_name(each) for each in names]
    assert len(set(links)) == len(links)
    file = h5py.File(io.BytesIO(), "w")
    for each in links:
        file.create_group(each)
    assert sorted(file) == sorted(links)
