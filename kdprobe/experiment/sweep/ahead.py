"""What is ahead of a sweep: its plan, with the time tried out on the spot and the disk space."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from kdprobe.experiment.ahead import ahead
from kdprobe.experiment.folders import settled
from kdprobe.experiment.forecast import Forecast, duration, free_bytes, size
from kdprobe.experiment.members import members
from kdprobe.experiment.setup import load_material
from kdprobe.experiment.specification import check_members
from kdprobe.experiment.sweep.config import SweepConfig
from kdprobe.experiment.sweep.growth import grown
from kdprobe.experiment.sweep.plan import Planned, plan_sweep


@dataclass(frozen=True)
class Ahead:
    """A data set with a network, over all seeds."""

    data: str
    model: str
    layers: tuple[str, ...]
    units: int  #: seeds x layers
    done: int  #: of the units
    training_seconds: float
    measuring_seconds: float
    disk_bytes: int


def sweep_ahead(sweep: SweepConfig, folder: str | Path) -> Iterator[Ahead]:
    """Data set by data set and network by network, what is still to be done; nothing is written.

    An experiment that was not begun costs what the first such one of its data set and network costs: that one is tried
    out here and now. Raises what training and measuring would raise of data, networks, layers and methods.
    """
    sweep = grown(sweep, Path(folder))
    everything = plan_sweep(sweep, folder)
    for data in sweep.data:
        for model in sweep.models:
            own = [planned for planned in everything if (planned.data, planned.model) == (data, model)]
            costs = [cost for cost in _costs(own) if cost is not None]
            units = [layer for planned in own for layer in planned.layers]
            yield Ahead(
                data=data,
                model=model,
                layers=own[0].layers,
                units=len(units),
                done=len(units) - sum(len(planned.todo) for planned in own),
                training_seconds=sum(cost.training_seconds for cost in costs),
                measuring_seconds=sum(cost.measuring_seconds for cost in costs),
                disk_bytes=sum(cost.disk_bytes for cost in costs),
            )


def _costs(own: list[Planned]) -> Iterator[Forecast | None]:
    """Of every experiment; None if nothing of it is left."""
    fresh = None
    for planned in own:
        todo = planned.todo
        if not todo:
            yield None
        elif planned.folder.exists():
            yield _cost(planned, todo)
        else:
            fresh = fresh or _cost(planned, todo)
            yield fresh


def _cost(planned: Planned, layers: list[str]) -> Forecast:
    config = settled(planned.config, planned.folder)
    material, found = load_material(config), members(config, planned.folder)
    check_members(config, material, found)
    return ahead(config, material, found, planned.folder, layers)


def plan_table(plan: list[Ahead], folder: Path) -> str:
    """The plan in words and numbers, one line for each data set and network, and the sum."""
    head = ("data set", "network", "layers", "done", "training", "measuring", "disk")
    rows = [head, *(_row(each) for each in plan)]
    widths = [max(len(row[k]) for row in rows) for k in range(len(head))]
    lines = ["  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)) for row in rows]
    training, measuring, disk = (
        sum(getattr(each, name) for each in plan)
        for name in ("training_seconds", "measuring_seconds", "disk_bytes")
    )
    done, units = sum(each.done for each in plan), sum(each.units for each in plan)
    total = Forecast(training, measuring, disk, free_bytes(folder)).sentence()
    return "\n".join(
        [*(line.rstrip() for line in lines), f"{done} of {units} units (seed and layer) done. {total}"]
    )


def _row(each: Ahead) -> tuple[str, ...]:
    left = each.done < each.units
    costs = (duration(each.training_seconds), duration(each.measuring_seconds), size(each.disk_bytes))
    return (
        each.data,
        each.model,
        ", ".join(each.layers),
        f"{each.done}/{each.units}",
        *(costs if left else ("", "", "")),
    )
