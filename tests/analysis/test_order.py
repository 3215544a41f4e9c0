"""A map depends on weights, image and seed: not on the other images, their order, or how they are shared out.

Noise is the same to the bit; what shares a pass decides the rounding of float32 sums, about 1e-7 nats.
"""

import dataclasses

import pytest

from kdprobe.analysis import (
    MeasureSettings,
    analysed_snapshots,
    load_measurement,
    measure_run,
    plan_measurement,
)
from kdprobe.data import Probe
from kdprobe.storage import SnapshotStore
from tests.analysis.test_measure import GRID, make_net, make_probe

COUNT = 5
ROUNDING = 1e-5  # nats; other noise would make it a thousand times as much


def chosen(probe: Probe, order: list[int]) -> Probe:
    parts = {
        name: getattr(probe, name)[order] for name in ("images", "labels", "foregrounds", "foreground_cells")
    }
    return dataclasses.replace(probe, ids=tuple(probe.ids[i] for i in order), **parts)


def maps(folder, probe, monkeypatch, shard=16, **settings):
    """Entropy, standard error and deviations by image id."""
    monkeypatch.setattr("kdprobe.analysis.measure.SHARD", shard)
    store = SnapshotStore(folder / "snapshots")
    store.save(make_net(3), epoch=0, step=0)
    net = make_net()
    plan = plan_measurement(
        net, probe, MeasureSettings(layer="fc1", grid=GRID, internal_batch_size=16, **settings)
    )
    snapshots = analysed_snapshots(store, 0, 0)
    measure_run(folder, net, snapshots, plan)
    found = load_measurement(folder, snapshots, plan, ("0.weight",))
    return {
        name: (found.entropy[0, row], found.std_error[0, row], found.noise[0, row])
        for row, name in enumerate(probe.ids)
    }


@pytest.mark.parametrize("solver", ["decomposed", "pathwise"])
@pytest.mark.parametrize(
    ("order", "shard"),
    [([2, 0, 4, 1, 3], 16), (list(range(COUNT)), 1), ([4, 1, 3], 2)],
    ids=["another order", "shards of 1", "others left out"],
)
def test_each_map_stays_the_same(tmp_path, monkeypatch, order, shard, solver):
    probe = make_probe(COUNT)
    whole = maps(tmp_path / "whole", probe, monkeypatch, solver=solver)
    other = maps(tmp_path / "other", chosen(probe, order), monkeypatch, shard, solver=solver)
    assert set(other) == {probe.ids[i] for i in order}
    for name, found in other.items():
        assert all(float((a - b).abs().max()) < ROUNDING for a, b in zip(found, whole[name], strict=True)), (
            name
        )


def test_another_seed_or_another_image_gives_another_map(tmp_path, monkeypatch):
    probe = make_probe(2)
    first, second = (maps(tmp_path / str(seed), probe, monkeypatch, seed=seed) for seed in (0, 1))
    assert float((first["image-0"][0] - second["image-0"][0]).abs().max()) > 100 * ROUNDING
    assert float((first["image-0"][0] - first["image-1"][0]).abs().max()) > 100 * ROUNDING
