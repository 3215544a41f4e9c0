"""Files that schema 1 wrote once: every later version must read them."""

from pathlib import Path

import h5py
import pytest
import torch

from kdprobe.records import EntropyResult, Outcome
from kdprobe.storage import EntropyStore, SnapshotStore, pack_run, unpack_run

FOLDER = Path(__file__).parents[1] / "golden" / "snapshots_schema_1"
ENTROPY = FOLDER.with_name("entropy_schema_1")
MAPS = "epoch-00003_step-000001173-0123456789ab"
NOISY = "epoch-00004_step-000001564-0123456789ab"
PART = FOLDER.with_name("snapshots_schema_1_part")
#: an experiment of one network with `PART` and a run.json, from when no connectors were packed
PACKED = FOLDER.with_name("packed_schema_1") / "run.h5"

#: Reading is tested with every version; that writing gives the same bytes holds for one version of the library only
#: (FORMAT.md, 8), and which one is installed is not for a test to decide.
same_hdf5 = pytest.mark.skipif(
    h5py.version.hdf5_version != "2.0.0",
    reason="the golden files are of HDF5 2.0.0; another version may lay them out differently",
)


def golden_state():
    shared = torch.tensor([[0.5, -1.25], [3.0, float("inf")]])
    return {
        "conv.weight": torch.arange(6, dtype=torch.float32).reshape(1, 2, 3) / 4,
        "head.größe/a": shared,
        "bn.num_batches_tracked": torch.tensor(1173),
        "half": torch.tensor([1.5, -2.0], dtype=torch.float16),
        "brain": torch.tensor([1.5, -2.0, 3.140625], dtype=torch.bfloat16),
        "mask": torch.tensor([True, False, True]),
        "none": torch.zeros(0, 3, dtype=torch.float64),
        "tied": shared,
        "complex": torch.tensor([1 + 2j], dtype=torch.complex64),
    }


def test_the_golden_file_is_read():
    store = SnapshotStore(FOLDER)
    (snapshot,) = store.list()
    assert (snapshot.epoch, snapshot.step, snapshot.stage) == (3, 1173, 1) and store.skipped == []
    loaded, expected = store.load(snapshot), golden_state()
    assert list(loaded) == list(expected)
    for name, value in expected.items():
        assert loaded[name].dtype == value.dtype and torch.equal(loaded[name], value), name
    assert loaded["tied"].data_ptr() == loaded["head.größe/a"].data_ptr()


def golden_part():
    """From when a snapshot could say that it is inside an epoch, averaged, or without some tensors."""
    return {
        "fc.weight": torch.tensor([[0.5], [-2.0]]),
        "fc.bias": torch.zeros(2),
        "bn.steps": torch.tensor(500),
    }


def save_golden_part(folder):
    store = SnapshotStore(folder, include=["fc.*", "none"], exclude="*.bias")
    return store.save(golden_part(), epoch=2, step=500, stage=1, partial=True, weights="averaged")


def test_the_golden_part_is_read():
    store = SnapshotStore(PART)
    (snapshot,) = store.list()
    assert (snapshot.epoch, snapshot.step, snapshot.stage) == (2, 500, 1)
    assert (snapshot.partial, snapshot.weights) == (True, "averaged")
    assert (snapshot.include, snapshot.exclude) == (("fc.*", "none"), ("*.bias",))
    loaded = store.load(snapshot)
    assert list(loaded) == ["fc.weight"] and torch.equal(loaded["fc.weight"], golden_part()["fc.weight"])
    (older,) = SnapshotStore(FOLDER).list()
    assert (older.partial, older.weights, older.include, older.exclude) == (False, "raw", (), ())


def golden_maps():
    """From the time before shards held `noise`."""
    maps = torch.arange(16, dtype=torch.float64).reshape(2, 2, 2, 2) / 8 - 3
    maps[0, 1] = torch.nan
    outcome = (Outcome.OK, Outcome.DEGENERATE_FEATURE)
    stats = {"solver": {"name": "decomposed"}, "seed": 0, "check": [0.5, float("nan")]}
    return EntropyResult(maps[0], maps[1].abs(), outcome, stats), ("a.png", "größe/b.png")


def test_the_golden_entropy_maps_without_noise_are_read():
    result, ids = EntropyStore(ENTROPY).load(MAPS)
    expected, expected_ids = golden_maps()
    assert torch.equal(result.entropy[0], expected.entropy[0]) and result.entropy[1].isnan().all()
    assert torch.equal(result.std_error, expected.std_error) and result.noise is None
    assert result.outcome == expected.outcome and ids == expected_ids
    assert str(sorted(result.stats.items())) == str(sorted(expected.stats.items()))


def golden_noisy_maps():
    maps, ids = golden_maps()
    noise = torch.arange(24, dtype=torch.float32).reshape(2, 3, 2, 2) / 16
    return EntropyResult(maps.entropy, maps.std_error, maps.outcome, maps.stats, noise), ids


def test_the_golden_entropy_maps_with_noise_are_read():
    result, ids = EntropyStore(ENTROPY).load(NOISY)
    expected, expected_ids = golden_noisy_maps()
    assert torch.equal(result.noise, expected.noise) and result.noise.dtype == torch.float32
    assert torch.equal(result.std_error, expected.std_error) and ids == expected_ids


@same_hdf5
def test_the_golden_entropy_bytes_are_written_where_there_is_no_noise(tmp_path):
    written = EntropyStore(tmp_path).save(MAPS, 0, *golden_maps())
    assert written.read_bytes() == (ENTROPY / MAPS / written.name).read_bytes()


@same_hdf5
@pytest.mark.parametrize("in_memory", [2**24, 0], ids=["in_memory", "streamed"])
def test_the_golden_bytes_are_written(tmp_path, in_memory):
    written = (
        SnapshotStore(tmp_path, in_memory=in_memory).save(golden_state(), epoch=3, step=1173, stage=1).path
    )
    assert written.read_bytes() == (FOLDER / written.name).read_bytes()


@same_hdf5
def test_the_golden_part_and_the_noisy_maps_are_written(tmp_path):
    written = save_golden_part(tmp_path).path
    assert written.read_bytes() == (PART / written.name).read_bytes()
    written = EntropyStore(tmp_path).save(NOISY, 0, *golden_noisy_maps())
    assert written.read_bytes() == (ENTROPY / NOISY / written.name).read_bytes()


def test_the_golden_packed_run_is_unpacked(tmp_path):
    unpack_run(PACKED, tmp_path / "run")
    network = tmp_path / "run" / "networks" / "mine"
    (part,) = PART.iterdir()
    assert (network / "snapshots" / part.name).read_bytes() == part.read_bytes()
    assert (network / "run.json").read_text(encoding="utf-8") == '{"role": "größe", "schema": 1}\n'
    assert sum(each.is_file() for each in (tmp_path / "run").rglob("*")) == 2


@same_hdf5
def test_the_golden_packed_run_is_written(tmp_path):
    unpack_run(PACKED, tmp_path / "run")
    pack_run(tmp_path / "run", tmp_path / "run.h5")
    assert (tmp_path / "run.h5").read_bytes() == PACKED.read_bytes()


def test_golden_files_are_small():
    files = [path for path in FOLDER.parent.rglob("*") if path.is_file()]
    assert len(files) >= 4 and max(path.stat().st_size for path in files) < 10_000
