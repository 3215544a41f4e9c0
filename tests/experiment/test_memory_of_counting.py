"""Counting holds the estimator's deviations, the bulk of what is measured, of one network at a time."""

import pytest
import torch
from experiment.quick import changed, quietly, trained_only
from peaks import growth_alone

from kdprobe.analysis.measure import SHARD, entropy_folder, maps_name
from kdprobe.experiment.measuring import measurable
from kdprobe.experiment.members import members
from kdprobe.experiment.setup import load_material
from kdprobe.records import EntropyResult, Outcome
from kdprobe.storage import EntropyStore

IMAGES, SOURCES, GRID, EPOCHS = 96, 16, 32, 3
NOISE = EPOCHS * IMAGES * SOURCES * GRID * GRID * 4  #: bytes of one network

#: rise of the peak for each network more, as a share of its deviations
_WORK = """
from pathlib import Path
from peaks import peak
from kdprobe.experiment.folders import read_config
from kdprobe.experiment.measuring import measurable
from kdprobe.experiment.members import members
from kdprobe.experiment.setup import load_material
from kdprobe.experiment.summarise import summarise

folder = Path({folder!r})
config = read_config(folder)
material = load_material(config)
found = [measurable(config, material, member) for member in members(config, folder)]
summarise(config, material, found[:2])
before = peak()
summarise(config, material, found)
print((peak() - before) / (len(found) - 2) / {noise})
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A trained experiment whose maps are made up."""
    config = changed(
        data={"images_per_class": 60},
        students=["kd", "kd_mean", "logit_regression", "dkd"],
        training={"batch_size": 64},
        measure={"images": IMAGES, "foreground_share": (0.0, 1.0), "grid": GRID},
    )
    folder = tmp_path_factory.mktemp("run") / "out"
    with pytest.MonkeyPatch.context() as patch:
        trained_only(patch)
        quietly(config, folder)
    material, generator = load_material(config), torch.Generator().manual_seed(0)
    for member in members(config, folder):
        found = measurable(config, material, member)
        store = EntropyStore(entropy_folder(member.folder, found.plan))
        for snapshot in found.snapshots:
            for shard in range(IMAGES // SHARD):
                noise = 0.1 * torch.randn(SHARD, SOURCES, GRID, GRID, generator=generator)
                entropy = torch.randn(SHARD, GRID, GRID, generator=generator, dtype=torch.float64)
                stats = {"work_forward": 1, "work_backward": 1}
                made = EntropyResult(
                    entropy, noise.square().sum(1).sqrt(), (Outcome.OK,) * SHARD, stats, noise
                )
                store.save(maps_name(snapshot), shard, made, found.plan.probe.ids[found.plan.shards[shard]])
    return folder


@pytest.mark.slow
def test_another_network_does_not_take_room_for_its_deviations(run):
    assert growth_alone(_WORK.format(folder=str(run), noise=NOISE)) < 0.5
