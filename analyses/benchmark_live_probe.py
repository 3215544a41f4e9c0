"""What the live probe costs of an epoch of `make demo`, and how near its numbers come to those of the report.

    python -m analyses.benchmark_live_probe demo --out analyses/results/benchmark_live_probe

`demo` is the folder that `make demo` leaves. All in one process, one thread, in process time, which other programs on
the machine stretch less than the clock's; `load` is the machine's before the start: above the number of its
processors, epochs and observations alike were slowed by sharing caches and cores.

Cost: the baseline of the demo is trained `--repeats` times. At the end of every epoch, inside the training, each
candidate observes the network once, counting, pictures and page included; `share` is the median of that over the
median of the epochs without it. The observation of epoch 0 belongs to no epoch and is left out; it loads libraries.

Agreement, at every epoch of the demo's student-kd and baseline, with noise of its own: against `full`, the measurement
of the report (decomposed until the standard error is 0.02 nats), on the same images: correlation over epochs and
networks of mean N_fg and mean N_bg (r_fg, r_bg), mean absolute difference of these means (off_fg, off_bg, cells an
image), IoU of the concept cells. And against `full` on all 32 images of the report, which few images cannot reach:
r_fg_report, r_bg_report. `full again` is `full` with other noise: what no candidate need exceed.
"""

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from itertools import pairwise
from math import nan
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from analyses.benchmark_storage import show, surroundings, train_baseline
from analyses.pool_seeds import write_table
from kdprobe.estimator import Decomposed, EntropyEstimator, Jacobian
from kdprobe.estimator.solvers import Solver
from kdprobe.experiment.config import ExperimentConfig
from kdprobe.experiment.setup import Material, build_empty, load_material
from kdprobe.live import LIVE_IMAGES, LIVE_SOLVER, LiveProbe
from kdprobe.metrics import concept_cells, count_concepts
from kdprobe.storage import SnapshotStore, load_state

NETWORKS = ("student-kd", "baseline")


class Candidate(NamedTuple):
    """A budget of the live probe."""

    solver: Solver
    images: int


def short(pairs: int, refreshes: int, scale_samples: int) -> Decomposed:
    """One round with few samples."""
    return Decomposed(
        tolerance=None, pairs=pairs, refreshes=refreshes, scale_samples=scale_samples, check_samples=2
    )


CANDIDATES = {
    "default": Candidate(LIVE_SOLVER, LIVE_IMAGES),
    "one round": Candidate(Decomposed(tolerance=None), 8),
    "3 x 3": Candidate(short(3, 3, 16), 8),
    "4 x 3; 6 images": Candidate(short(4, 3, 24), 6),
    "2 x 2; 16 images": Candidate(short(2, 2, 16), 16),
    "jacobian 64": Candidate(Jacobian(64), 8),
    "jacobian 32; 12 images": Candidate(Jacobian(32), 12),
}


def probe_of(candidate: Candidate, material: Material, folder: Path) -> LiveProbe:
    probe, count = material.probe, candidate.images
    return LiveProbe(
        probe.images[:count],
        probe.foregrounds[:count],
        ExperimentConfig().measure.layer,
        folder,
        display=material.train.to_display,
        solver=candidate.solver,
        seed=1,
        on_error="raise",
    )


class Observed(SnapshotStore):
    """Keeps the weights, and lets every one of `probes` look at them, each for itself."""

    def __init__(self, folder: Path, probes: dict[str, LiveProbe]) -> None:
        super().__init__(folder)
        self._probes = probes
        self.taken: dict[str, list[float]] = {
            name: [] for name in probes
        }  #: process seconds of each observation
        self.marks: list[
            tuple[float, float]
        ] = []  #: process time before and after the observations of an epoch

    def save(self, model: nn.Module, *, epoch: int, **options: Any) -> Any:
        saved = super().save(model, epoch=epoch, **options)
        before = time.process_time()
        for name, probe in self._probes.items():
            began = time.process_time()
            probe.observe(model, epoch=epoch)
            if epoch > 0:
                self.taken[name].append(time.process_time() - began)
        self.marks.append((before, time.process_time()))
        return saved


def cost(material: Material, folder: Path, repeats: int) -> dict[str, dict[str, float]]:
    """By candidate: what an observation takes, and its share of an epoch."""
    taken: dict[str, list[float]] = {name: [] for name in CANDIDATES}
    epochs: list[float] = []
    for repeat in range(repeats):
        home = folder / str(repeat)
        probes = {name: probe_of(each, material, home / name) for name, each in CANDIDATES.items()}
        store = Observed(home / "snapshots", probes)
        train_baseline(material, home, store)
        epochs += [end - begin for (_, begin), (end, _) in pairwise(store.marks)]
        for name, times in store.taken.items():
            taken[name] += times
    epoch = statistics.median(epochs)
    return {
        name: {
            "epoch_seconds": epoch,
            "seconds": statistics.median(times),
            "share": statistics.median(times) / epoch,
            "share_highest": max(times) / epoch,
        }
        for name, times in taken.items()
    }


class Maps(NamedTuple):
    """Of all snapshots, (S, N, g, g) each."""

    entropy: Tensor
    passes: float  #: of one image at one snapshot

    def counted(self, foreground: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Concepts (S, n, g, g) of the first n images, and mean N_fg, N_bg (S,)."""
        concepts = concept_cells(self.entropy[:, : len(foreground)], foreground)
        inside, outside = count_concepts(concepts, foreground)
        return concepts, inside.double().mean(1), outside.double().mean(1)


def models(demo: Path, material: Material) -> Iterator[nn.Module]:
    """The network at every epoch of the demo's networks."""
    model = build_empty(ExperimentConfig(), material, "baseline")
    for name in NETWORKS:
        store = SnapshotStore(demo / "networks" / name / "snapshots")
        for snapshot in store.list():
            load_state(model, store.load(snapshot), source=str(snapshot.path))
            yield model


def measured(demo: Path, material: Material, candidate: Candidate, seed: int) -> Maps:
    images, layer = material.probe.images[: candidate.images], ExperimentConfig().measure.layer
    results = [
        EntropyEstimator(model, layer, solver=candidate.solver, seed=seed).estimate(images)
        for model in models(demo, material)
    ]
    work = sum(result.stats["work_forward"] + result.stats["work_backward"] for result in results)
    return Maps(torch.stack([result.entropy for result in results]), work / len(results) / len(images))


def agreement(demo: Path, material: Material) -> dict[str, dict[str, float]]:
    """By candidate: how near it comes to the measurement of the report."""
    everything = Candidate(Decomposed(), len(material.probe.images))
    full = measured(demo, material, everything, seed=0)
    report = full.counted(material.probe.foreground_cells)
    found = {}
    for name, candidate in {**CANDIDATES, "full again": everything}.items():
        maps = measured(demo, material, candidate, seed=1)
        foreground = material.probe.foreground_cells[: candidate.images]
        own, same = maps.counted(foreground), full.counted(foreground)
        both, either = (own[0] & same[0]).sum(), (own[0] | same[0]).sum()
        row = {"images": candidate.images, "passes": maps.passes, "iou": float(both / either)}
        for place, which in ((1, "fg"), (2, "bg")):
            row |= {
                f"r_{which}": float(np.corrcoef(own[place], same[place])[0, 1]),
                f"off_{which}": float((own[place] - same[place]).abs().mean()),
                f"r_{which}_report": float(np.corrcoef(own[place], report[place])[0, 1]),
            }
        found[name] = row
    return found


def rows(demo: Path, repeats: int) -> list[dict]:
    around = surroundings()
    material = load_material(ExperimentConfig())
    with tempfile.TemporaryDirectory() as folder:
        costs = cost(material, Path(folder), repeats)
    unknown = dict.fromkeys(next(iter(costs.values())), nan)
    return [
        {"budget": name, **near, **costs.get(name, unknown), "repeats": repeats, **around}
        for name, near in agreement(demo, material).items()
    ]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("demo", type=Path, help="the folder that make demo leaves")
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--out", type=Path, help="stem of the table")
    options = parser.parse_args()
    torch.set_num_threads(1)
    print(f"{os.getpid()}: {surroundings()}")
    found = rows(options.demo, options.repeats)
    show(found)
    if options.out:
        write_table(Path(f"{options.out}.csv"), found)


if __name__ == "__main__":
    main()
