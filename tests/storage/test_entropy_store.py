"""Entropy maps on disk: shards in, one result out."""

import math

import numpy as np
import pytest
import torch

from kdprobe.errors import InputError, SnapshotCorruptError, SnapshotError
from kdprobe.records import EntropyResult, Outcome
from kdprobe.storage import EntropyStore

NAME = "epoch-00003_step-000001173"


def result(count=2, seed=0, grid=4, deviations=None, **stats):
    generator = torch.Generator().manual_seed(seed)
    maps = torch.randn(2, count, grid, grid, generator=generator, dtype=torch.float64)
    maps[0, -1] = torch.nan
    outcome = (Outcome.TARGET_NOT_REACHED,) * (count - 1) + (Outcome.DEGENERATE_FEATURE,)
    noise = None if deviations is None else torch.randn(count, deviations, grid, grid, generator=generator)
    if noise is not None:
        noise[-1] = torch.nan
    return EntropyResult(maps[0], maps[1], outcome, stats, noise)


def assert_same(left, right):
    assert left.entropy.dtype == right.entropy.dtype == torch.float64
    for name in ("entropy", "std_error"):
        assert getattr(left, name).numpy().tobytes() == getattr(right, name).contiguous().numpy().tobytes()
    assert left.outcome == right.outcome
    assert (left.noise is None) == (right.noise is None)
    if left.noise is not None:
        assert left.noise.dtype == right.noise.dtype == torch.float32
        assert left.noise.numpy().tobytes() == right.noise.numpy().tobytes()


def test_one_shard_comes_back(tmp_path):
    stats = {
        "solver": "decomposed",
        "passes": 256,
        "check": [0.1, 1e-300],
        "deep": {"x": None, "y": True},
        "ü": "",
    }
    saved = result(**stats)
    store = EntropyStore(tmp_path / "entropy" / "abc")
    assert store.load(NAME) is None and not store.has(NAME, 0)
    path = store.save(NAME, 0, saved, ("images/1.png", "ü"))
    loaded, ids = store.load(NAME)
    assert_same(loaded, saved)
    assert loaded.stats == stats and ids == ("images/1.png", "ü")
    assert store.has(NAME, 0) and not store.has(NAME, 1)
    assert path == tmp_path / "entropy" / "abc" / NAME / "00000.h5"


def test_noise_comes_back_and_shards_without_it_have_none(tmp_path):
    store = EntropyStore(tmp_path)
    with_noise, without = result(deviations=5), result()
    store.save(NAME, 0, with_noise, ("a", "b"))
    store.save("old", 0, without, ("a", "b"))
    assert_same(store.load(NAME)[0], with_noise)
    assert store.load("old")[0].noise is None
    with pytest.raises(SnapshotError, match="exists with other"):
        store.save("old", 0, with_noise, ("a", "b"))


def test_shards_with_fewer_deviations_get_zeros_and_one_without_takes_all(tmp_path):
    store = EntropyStore(tmp_path)
    parts = [result(2, 0, deviations=3), result(1, 1, deviations=1), result(3, 2, deviations=4)]
    for shard, part in enumerate(parts):
        store.save(NAME, shard, part, tuple(f"{shard}-{i}" for i in range(len(part.outcome))))
    noise = store.load(NAME)[0].noise
    assert noise.shape == (6, 4, 4, 4) and noise.dtype == torch.float32
    for rows, part in ((slice(0, 2), parts[0]), (slice(2, 3), parts[1]), (slice(3, 6), parts[2])):
        known = part.noise.shape[1]
        assert noise[rows, :known].numpy().tobytes() == part.noise.numpy().tobytes()
        assert not noise[rows, known:].any()
    store.save(NAME, 3, result(2, 3), ("x", "y"))
    assert store.load(NAME)[0].noise is None


@pytest.mark.parametrize("shape", [(2, 4, 4), (1, 3, 4, 4), (2, 3, 4, 5), (2, 0, 4, 4), (2, 1, 3, 4, 4)])
def test_noise_of_another_shape_is_named(tmp_path, shape):
    maps = result()
    wrong = EntropyResult(maps.entropy, maps.std_error, maps.outcome, {}, torch.zeros(shape))
    with pytest.raises(
        InputError, match=r"noise as \(N, R, g, g\) .*beside entropy \(2, 4, 4\), got"
    ) as caught:
        EntropyStore(tmp_path).save(NAME, 0, wrong, ("a", "b"))
    assert "\n" not in str(caught.value) and list(tmp_path.iterdir()) == []


def test_stats_keep_odd_numbers_and_turn_arrays_into_lists(tmp_path):
    store = EntropyStore(tmp_path)
    stats = {
        "a": float("nan"),
        "b": -math.inf,
        "c": np.float32(0.1),
        "d": torch.arange(3),
        "e": (1, 2),
        "f": np.int64(2**60),
    }
    store.save(NAME, 0, result(1, **stats), ("x",))
    loaded = store.load(NAME)[0].stats
    assert math.isnan(loaded.pop("a"))
    assert loaded == {"b": -math.inf, "c": float(np.float32(0.1)), "d": [0, 1, 2], "e": [1, 2], "f": 2**60}


def test_shards_are_joined_in_order(tmp_path):
    store = EntropyStore(tmp_path)
    parts = [result(count, seed, solver="sgd", passes=count) for seed, count in enumerate([2, 1, 3])]
    ids = [tuple(f"{shard}-{i}" for i in range(len(part.outcome))) for shard, part in enumerate(parts)]
    for shard in (2, 0, 1):
        store.save(NAME, shard, parts[shard], ids[shard])
    loaded, loaded_ids = store.load(NAME)
    joined = EntropyResult(
        torch.cat([part.entropy for part in parts]),
        torch.cat([part.std_error for part in parts]),
        sum((part.outcome for part in parts), ()),
    )
    assert_same(loaded, joined)
    assert loaded_ids == ids[0] + ids[1] + ids[2]
    assert loaded.stats == {"solver": "sgd", "shards": [part.stats for part in parts]}


def test_a_missing_shard_is_not_passed_over(tmp_path):
    store = EntropyStore(tmp_path)
    for shard in (0, 2):
        store.save(NAME, shard, result(1), ("x",))
    with pytest.raises(SnapshotError, match=r"00001\.h5 is missing"):
        store.load(NAME)


def test_a_damaged_shard_is_absent_for_has_and_an_error_for_load(tmp_path):
    store = EntropyStore(tmp_path)
    path = store.save(NAME, 0, result(), ("a", "b"))
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 4
    path.write_bytes(data)
    assert not store.has(NAME, 0)
    with pytest.raises(SnapshotCorruptError, match=r"00000\.h5"):
        store.load(NAME)
    store.save(NAME, 0, result(seed=1), ("a", "b"))
    assert_same(store.load(NAME)[0], result(seed=1))


def test_a_shard_in_the_wrong_place_is_refused(tmp_path):
    store = EntropyStore(tmp_path)
    path = store.save(NAME, 0, result(), ("a", "b"))
    path.rename(path.with_name("00001.h5"))
    assert not store.has(NAME, 1)
    store.save(NAME, 0, result(), ("a", "b"))
    with pytest.raises(SnapshotCorruptError, match="unlike its path"):
        store.load(NAME)


def test_saving_again_keeps_equal_maps_and_refuses_others(tmp_path):
    store = EntropyStore(tmp_path)
    path = store.save(NAME, 0, result(seconds=1.0), ("a", "b"))
    before = path.read_bytes()
    store.save(NAME, 0, result(seconds=2.0), ("a", "b"))  # only the time it took differs
    for other, ids in ((result(seed=1), ("a", "b")), (result(), ("a", "c"))):
        with pytest.raises(SnapshotError, match="exists with other"):
            store.save(NAME, 0, other, ids)
    assert path.read_bytes() == before


def test_many_images_and_long_stats_fit(tmp_path):
    store = EntropyStore(tmp_path)
    ids = tuple(f"a/rather/long/path/to/the/image/number/{i}.png" for i in range(3000))
    store.save(NAME, 0, result(3000, grid=1, per_image=list(range(3000))), ids)
    loaded, loaded_ids = store.load(NAME)
    assert loaded_ids == ids and loaded.stats["per_image"] == list(range(3000))


def test_bad_input_is_named(tmp_path):
    store = EntropyStore(tmp_path)
    with pytest.raises(InputError, match="2 maps, 2 outcomes, 1 ids"):
        store.save(NAME, 0, result(), ("a",))
    with pytest.raises(InputError, match=r"stats\.deep\.f.*function"):
        store.save(NAME, 0, result(deep={"f": lambda: 0}), ("a", "b"))
    with pytest.raises(InputError, match="ids as texts"):
        store.save(NAME, 0, result(), (1, 2))
    for name in ("", "..", "a/b", "a\0"):
        with pytest.raises(InputError, match="snapshot's name"):
            store.has(name, 0)
    with pytest.raises(InputError, match="shard as a whole number"):
        store.has(NAME, -1)
    assert list(tmp_path.iterdir()) == []
