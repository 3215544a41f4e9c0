"""Measuring a run: the entropy maps of the probe images at every snapshot, kept shard by shard."""

import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from torch import nn

from kdprobe.data import Probe
from kdprobe.errors import SnapshotError
from kdprobe.estimator import Decomposed, EntropyEstimator, find_protocol, find_solver
from kdprobe.estimator.feature import batch_size, resolve_batch_size
from kdprobe.estimator.solvers import Solver
from kdprobe.records import Record
from kdprobe.storage import EntropyStore, Snapshot, SnapshotStore, load_state

SHARD = 16  #: images in one file: the unit that an interrupted measurement does not do again


@dataclass(frozen=True)
class MeasureSettings(Record):
    """What decides an entropy map, apart from the weights and the image."""

    layer: str = "fc1"
    protocol: str = "cheng2020"
    solver: str = "decomposed"
    grid: int = 16
    seed: int = 0
    #: rows of one pass; "auto" or None: found from the network and the image size, once per run
    internal_batch_size: int | str | None = None
    #: nats, mean standard error at which `decomposed` stops (None: one round); other solvers have none
    tolerance: float | None = 0.02

    def solver_record(self) -> Solver:
        """The solver with its budget. Raises ConfigError for an unknown name or a tolerance that cannot be used."""
        solver = find_solver(self.solver)
        return replace(solver, tolerance=self.tolerance) if isinstance(solver, Decomposed) else solver


@dataclass(frozen=True, eq=False)
class MeasurePlan:
    """A network's measurement: what is measured, and under which digest it is kept."""

    settings: MeasureSettings
    probe: Probe
    internal_batch_size: int
    digest: str

    @property
    def shards(self) -> list[slice]:
        count = len(self.probe.images)
        return [slice(start, min(start + SHARD, count)) for start in range(0, count, SHARD)]


def plan_measurement(model: nn.Module, probe: Probe, settings: MeasureSettings) -> MeasurePlan:
    """Resolves the batch size once and names the analysis by the sha256 of all that decides its numbers."""
    estimator = _estimator(model, settings, settings.internal_batch_size)
    size = batch_size(settings.internal_batch_size) or resolve_batch_size(
        model, settings.layer, probe.images[:1]
    )
    content = {
        "layer": estimator.path,
        "protocol": find_protocol(settings.protocol).as_dict(),
        "solver": settings.solver_record().as_dict(),
        "grid": settings.grid,
        "seed": settings.seed,
        "internal_batch_size": size,
        "shard": SHARD,
        "ids": list(probe.ids),
        "images": hashlib.sha256(probe.images.contiguous().flatten().view(torch.uint8).numpy()).hexdigest(),
    }
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]
    return MeasurePlan(settings, probe, size, digest)


def analysed_snapshots(
    store: SnapshotStore, first_epoch: int, last_epoch: int, *, without: frozenset[int] = frozenset()
) -> list[Snapshot]:
    """The snapshots of a stage, its starting weights first: epochs `first_epoch` ... `last_epoch`.

    None may be missing but those of the epochs `without`, which were never kept; the starting weights must be there.
    What was taken inside an epoch is left aside. Raises SnapshotError if a snapshot is missing or damaged.
    """
    found = {s.epoch: s for s in store.list() if first_epoch <= s.epoch <= last_epoch and not s.partial}
    missing = [e for e in range(first_epoch, last_epoch + 1) if e not in found and e not in without]
    damaged = "; ".join(f"{path.name}: {reason}" for path, reason in store.skipped)
    if missing:
        raise SnapshotError(
            f"No valid snapshot of epoch {', '.join(map(str, missing))} in {store.folder}"
            f"{f' ({damaged})' if damaged else ''}; train this network again in a new folder."
        )
    if first_epoch not in found:
        raise SnapshotError(
            f"The weights at the start of the analysed stage (epoch {first_epoch}) are not in {store.folder}, and "
            "without them there is no weight distance; free the disk and train this network again."
        )
    return [found[epoch] for epoch in sorted(found)]


def entropy_folder(network_folder: Path, plan: MeasurePlan) -> Path:
    return Path(network_folder) / "entropy" / plan.digest


def maps_name(snapshot: Snapshot) -> str:
    """Under which name its maps are kept: with the digest of the weights, so that other weights never find them."""
    return f"{snapshot.name}-{snapshot.digest[:12]}"


def missing_shards(network_folder: Path, snapshots: list[Snapshot], plan: MeasurePlan) -> int:
    """How many shards are still to be measured."""
    store = EntropyStore(entropy_folder(network_folder, plan))
    return sum(not store.has(maps_name(s), i) for s in snapshots for i in range(len(plan.shards)))


def measure_run(
    network_folder: Path,
    model: nn.Module,
    snapshots: list[Snapshot],
    plan: MeasurePlan,
    *,
    done: Callable[[int], None] = lambda images: None,
) -> EntropyStore:
    """Measures every snapshot that is not measured yet; `done` is told the number of images after each shard.

    The weights of `model` are overwritten. What is finished is never done again; every shard is on disk, whole, before
    the next begins.
    """
    weights = SnapshotStore(Path(network_folder) / "snapshots")
    store = EntropyStore(entropy_folder(network_folder, plan))
    for snapshot in snapshots:
        todo = [i for i in range(len(plan.shards)) if not store.has(maps_name(snapshot), i)]
        if not todo:
            continue
        load_state(model, weights.load(snapshot), source=str(snapshot.path))
        estimator = _estimator(model, plan.settings, plan.internal_batch_size)
        for index in todo:
            shard = plan.shards[index]
            result = estimator.estimate(plan.probe.images[shard])
            store.save(maps_name(snapshot), index, result, plan.probe.ids[shard])
            done(len(result.outcome))
    return store


def _estimator(model: nn.Module, settings: MeasureSettings, size: int | str | None) -> EntropyEstimator:
    return EntropyEstimator(
        model,
        settings.layer,
        protocol=settings.protocol,
        solver=settings.solver_record(),
        grid=settings.grid,
        internal_batch_size=size,
        seed=settings.seed,
    )


def seconds_per_image(model: nn.Module, plan: MeasurePlan) -> float:
    """Wall time of one image and snapshot, measured here and now on as many images as one pass takes (at most 4)."""
    estimator = _estimator(model, plan.settings, plan.internal_batch_size)
    images = plan.probe.images[:4]
    estimator.estimate(images[:1])
    began = time.perf_counter()
    estimator.estimate(images)
    return (time.perf_counter() - began) / len(images)


def settings_record(plan: MeasurePlan) -> dict:
    """What is written with the results."""
    settings = asdict(plan.settings)
    if not isinstance(plan.settings.solver_record(), Decomposed):
        del settings["tolerance"]
    return {
        **settings,
        "internal_batch_size": plan.internal_batch_size,
        "protocol_record": find_protocol(plan.settings.protocol).as_dict(),
        "solver_record": plan.settings.solver_record().as_dict(),
        "digest": plan.digest,
        "probe_images": len(plan.probe.ids),
        "torch_threads": torch.get_num_threads(),
    }
