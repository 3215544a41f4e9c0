"""What was measured of one network, put together from its files."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from kdprobe.analysis.measure import MeasurePlan, entropy_folder, maps_name
from kdprobe.analysis.step_path import step_path
from kdprobe.errors import ConfigError, SnapshotError
from kdprobe.estimator import parameters_below
from kdprobe.metrics import weight_path
from kdprobe.records import EntropyResult, NotebookTable, Outcome, Record
from kdprobe.storage import EntropyStore, Snapshot, SnapshotStore

WEIGHTS = ("dependent", "layer", "all")


@dataclass(frozen=True, eq=False)
class Measurement(Record):
    """Entropy maps of N images at epochs 0 ... M of the analysed stage."""

    entropy: Tensor  #: (M+1, N, g, g) nats
    std_error: Tensor  #: (M+1, N, g, g) nats
    usable: Tensor  #: (N,) bool: usable at every epoch
    flagged: int  #: estimates (image and epoch) that stayed short of the target entropy
    outcomes: dict[str, int]  #: how often each outcome occurred
    epochs: tuple[int, ...]  #: as counted over all stages
    path: Tensor  #: (M+1,) cumulative weight distance
    work: dict[str, Any]  #: passes through the network
    #: (M+1, N, R, g, g) nats: deviations as in `EntropyResult`; None if they were not asked for, or any epoch (of an
    #: older kdprobe) has none
    noise: Tensor | None = None

    def only(self, images: Tensor) -> "Measurement":
        """The same for the chosen images, a (N,) bool mask; without a copy if that is all of them."""
        if bool(images.all()):
            return self
        return Measurement(
            entropy=self.entropy[:, images],
            std_error=self.std_error[:, images],
            usable=self.usable[images],
            flagged=self.flagged,
            outcomes=self.outcomes,
            epochs=self.epochs,
            path=self.path,
            work=self.work,
            noise=None if self.noise is None else self.noise[:, images],
        )

    def tables(self) -> list[NotebookTable]:
        """In a notebook: means over the usable images, epoch by epoch."""
        maps, errors = self.entropy[:, self.usable].flatten(1), self.std_error[:, self.usable].flatten(1)
        rows = [
            (
                str(epoch),
                f"{path:.3f}",
                f"{cells.mean():.3f}",
                f"{cells.std(correction=0):.3f}",
                f"{error.mean():.3f}",
            )
            for epoch, path, cells, error in zip(self.epochs, self.path.tolist(), maps, errors, strict=True)
        ]
        count, grid = self.entropy.shape[1], self.entropy.shape[-1]
        head = ("epoch", "weight path", "mean entropy", "its spread over cells", "mean standard error")
        notes = [
            f"{int(self.usable.sum())} of {count} images usable at every epoch",
            "how the estimates ended: " + ", ".join(f"{kind} {n}" for kind, n in self.outcomes.items()),
        ]
        return [NotebookTable(f"Entropy of {count} images, {grid} × {grid} cells, nats", head, rows, notes)]


def weight_names(model: nn.Module, layer: str, example: Tensor, scope: str) -> tuple[str, ...]:
    """Names of the weights w_k that enter the learning distance.

    "dependent": the parameters on which the layer's value depends. "layer": the last weight matrix among these, without
    bias (the released code). "all": every parameter.
    """
    if scope == "all":
        return tuple(name for name, _ in model.named_parameters())
    below = parameters_below(model, layer, example)
    if scope == "dependent":
        return below
    if scope == "layer":
        shapes = {name: parameter.ndim for name, parameter in model.named_parameters()}
        return tuple([name for name in below if shapes[name] > 1][-1:])
    raise ConfigError(f"weights must be one of {', '.join(WEIGHTS)}, got {scope!r}.")


def load_measurement(
    network_folder: Path,
    snapshots: list[Snapshot],
    plan: MeasurePlan,
    names: tuple[str, ...],
    *,
    stage: list[Snapshot] | None = None,
    path: str = "epochs",
    noise: bool = True,
) -> Measurement:
    """Reads the maps of `snapshots` and the path of the weights `names` from the stage's starting weights to each.

    `stage`: all snapshots of the stage, starting weights first, if `snapshots` are only some of them. `path`: epochs
    (from snapshot to snapshot) or steps (see `step_path`). Without `noise` there is none in it: it takes many times the
    memory of the rest, and `load_noise` reads it later.
    Raises SnapshotError if a snapshot has not been measured whole, or nothing was written down step by step.
    """
    weights = SnapshotStore(Path(network_folder) / "snapshots")
    results = [replace(result, noise=None) for result in _maps(network_folder, snapshots, plan)]
    whole, epochs = stage or snapshots, [snapshot.epoch for snapshot in snapshots]

    def states() -> Iterator[dict[str, Tensor]]:
        for snapshot in whole:
            yield weights.load(snapshot, only=names)

    shards = [shard for result in results for shard in result.stats.get("shards", [result.stats])]
    outcomes = [outcome for result in results for outcome in result.outcome]
    usable = torch.tensor([[outcome.usable for outcome in result.outcome] for result in results]).all(0)
    return Measurement(
        entropy=torch.stack([result.entropy for result in results]),
        std_error=torch.stack([result.std_error for result in results]),
        usable=usable,
        flagged=sum(outcome is Outcome.TARGET_NOT_REACHED for outcome in outcomes),
        outcomes={kind.value: outcomes.count(kind) for kind in Outcome if kind in outcomes},
        epochs=tuple(epochs),
        path=step_path(network_folder, names, whole[0].epoch, epochs)
        if path == "steps"
        else weight_path(states(), names)[[whole.index(snapshot) for snapshot in snapshots]],
        work={key: sum(shard[key] for shard in shards) for key in ("work_forward", "work_backward")},
        noise=load_noise(network_folder, snapshots, plan) if noise else None,
    )


def load_noise(
    network_folder: Path, snapshots: list[Snapshot], plan: MeasurePlan, images: Tensor | None = None
) -> Tensor | None:
    """The `noise` of a `Measurement`, of all images or of those in the (N,) bool mask `images`.

    Where an epoch has fewer deviations than another, the rest are 0. Raises as `load_measurement`.
    """
    found: list[Tensor] = []
    for result in _maps(network_folder, snapshots, plan):
        if result.noise is None:
            return None
        found.append(result.noise if images is None else result.noise[images])
    shape = (len(found[0]), max(each.shape[1] for each in found), *found[0].shape[2:])
    whole = found[0].new_empty((len(found), *shape))
    for place in reversed(range(len(found))):  # each goes as it is taken over: there are never two of all
        epoch = found.pop()
        whole[place, :, : epoch.shape[1]] = epoch
        whole[place, :, epoch.shape[1] :] = 0
    return whole


def _maps(network_folder: Path, snapshots: list[Snapshot], plan: MeasurePlan) -> Iterator[EntropyResult]:
    """What was measured at each of `snapshots`. Raises SnapshotError if it is not all of the plan's images."""
    store = EntropyStore(entropy_folder(network_folder, plan))
    for snapshot in snapshots:
        loaded = store.load(maps_name(snapshot))
        if loaded is None or loaded[1] != plan.probe.ids:
            raise SnapshotError(
                f"{snapshot.path} has not been measured whole under {plan.digest}; run the measurement first."
            )
        yield loaded[0]
