"""What the tables of knowledge are made of: a unit counted once, small enough to keep many."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import chain

import torch
from torch import Tensor

from kdprobe.analysis.knowledge.changes import Changes, count_still, image_changes
from kdprobe.analysis.measurement import Measurement
from kdprobe.analysis.summary import curve_intervals
from kdprobe.analysis.unit import MeasuredNetwork, Unit
from kdprobe.analysis.values import (
    CountSettings,
    NetworkValues,
    concepts_of,
    first_counted,
    image_metrics,
    own_epochs,
    redraws,
    stacked,
    time_rules,
    without_time,
)
from kdprobe.metrics import (
    MARGINS,
    StillMaps,
    concept_cells,
    count_concepts,
    count_values,
    margin_curve,
    relevance_ratio,
)
from kdprobe.records import Interval, Record


@dataclass(frozen=True, eq=False)
class CountedNetwork(Record):
    """The concepts of one network of a unit."""

    network: MeasuredNetwork  #: without the noise of its maps
    epochs: tuple[int, ...]  #: those that were kept, counted from the stage's start
    first: int  #: place of the first epoch that enters rho
    concepts: Tensor  #: (M+1, N, g, g) bool, at all kept epochs
    values: NetworkValues  #: per image, with redraws of the estimator's noise
    curves: dict[str, tuple[Interval, ...]]  #: n_foreground, n_background, relevance_ratio at all kept epochs
    margins: dict[str, Tensor]  #: metric -> (B, N) at each of MARGINS
    ratio_noise: Tensor  #: (R, B, N) relevance_ratio at each of MARGINS in R redraws
    changes: Changes  #: gained, lost, discarded and shared with the teacher, with redraws
    still: dict[
        str, StillMaps
    ]  #: what noise alone shows, by the kind of cells; empty without noise of the maps

    @property
    def alone(self) -> bool:
        """Whether there is one epoch alone: nothing can then be said of time."""
        return len(self.epochs) == 1

    @property
    def counted(self) -> Tensor:
        """(M, N, g, g) bool: the concepts at the epochs that enter rho."""
        return self.concepts[self.first :]


@dataclass(frozen=True, eq=False)
class CountedUnit(Record):
    """A unit and what was counted of each of its networks."""

    unit: Unit  #: without the noise of its maps
    networks: dict[str, CountedNetwork]  #: by name

    @property
    def cells(self) -> dict[str, Tensor]:
        """(N, g, g) bool: which cells are looked at, by the word that tables have for them."""
        return _kinds(self.unit)


def count_unit(unit: Unit) -> CountedUnit:
    """Counts the concepts of a unit by its settings (margin, scope, empty, initial, path_lag, redraws).

    A network with one epoch alone has no D and rho: NaN. With noise of the maps the same redraws serve all that is
    counted at the margin of the settings and lambda at MARGINS; with standard errors alone, whose random numbers go by
    the number of epochs, values and lambda have redraws of their own. Raises what the functions of `kdprobe.metrics`
    raise.
    """
    found, teacher = {}, None
    for name in sorted(unit.networks, key=lambda name: name != "teacher"):
        found[name], last = _count(name, unit, teacher)
        teacher = last if name == "teacher" else teacher
    networks = {name: found[name] for name in unit.networks}
    quiet = {name: counted.network for name, counted in networks.items()}
    return CountedUnit(replace(unit, networks=quiet), networks)


def _kinds(unit: Unit) -> dict[str, Tensor]:
    return {"foreground": unit.foreground, "background": ~unit.foreground}


def _count(name: str, unit: Unit, teacher: list[Tensor] | None) -> tuple[CountedNetwork, list[Tensor]]:
    """The network, and its concepts (N, g, g) at the last epoch: those found, then those of every redraw.

    teacher: the same of the teacher, where that is another network.
    """
    network, foreground, settings = unit.networks[name], unit.foreground, unit.settings
    measured = network.measured
    first = first_counted(measured, settings)
    last, counts, changes, values, ratios = [], [], [], [], []
    of_teacher = last if name == "teacher" else teacher
    for maps in chain([measured.entropy], redraws(name, measured, settings)):
        concepts = concepts_of(maps, foreground, settings)
        last.append(concepts[-1].clone())  # nothing else is held of a redraw
        other = None if of_teacher is None else of_teacher[len(last) - 1]
        counts.append(count_values(concepts, foreground, settings.empty))
        changes.append(image_changes(concepts, first, foreground, other))
        values.append(image_metrics(concepts[first:], measured, foreground, settings))
        ratios.append(_ratios(maps[-1], foreground, settings))
    if measured.noise is None:
        values[1:] = [
            image_metrics(concepts_of(maps, foreground, settings), measured, foreground, settings)
            for maps in redraws(name, measured, settings, first)
        ]
        ratios[1:] = [
            _ratios(maps[-1], foreground, settings) for maps in redraws(name, measured, settings, -1)
        ]
    found = CountedNetwork(
        network=replace(network, measured=replace(measured, noise=None)),
        epochs=own_epochs(measured),
        first=first,
        concepts=concepts_of(measured.entropy, foreground, settings),
        values=NetworkValues(values[0], stacked(values[1:]), own_epochs(measured)),
        curves=curve_intervals(counts[0], stacked(counts[1:]), settings),
        margins=_margins(measured, foreground, settings),
        ratio_noise=torch.stack(ratios[1:]),
        changes=Changes(changes[0], stacked(changes[1:])),
        still=count_still(name, unit, _kinds(unit)),
    )
    return found, last


def _margins(measured: Measurement, foreground: Tensor, settings: CountSettings) -> dict[str, Tensor]:
    """Every metric at each of MARGINS, as `network_values` takes it at the margin of the settings."""
    later = measured.entropy[first_counted(measured, settings) :]
    rules = {"scope": settings.scope, **time_rules(measured, settings)}
    return without_time(margin_curve(later, foreground, **rules), measured)


def _ratios(entropy: Tensor, foreground: Tensor, settings: CountSettings) -> Tensor:
    """(B, N): lambda of maps (N, g, g) at each of MARGINS."""
    cells = (concept_cells(entropy, foreground, margin, settings.scope) for margin in MARGINS)
    found = [relevance_ratio(*count_concepts(each, foreground), settings.empty) for each in cells]
    return torch.stack([each.per_image for each in found])


def by_key(units: Iterable[CountedUnit]) -> dict[tuple[str, str, str], list[CountedUnit]]:
    """The seeds of every data set, architecture and layer, in the order given."""
    found: dict[tuple[str, str, str], list[CountedUnit]] = {}
    for counted in units:
        found.setdefault(counted.unit.key, []).append(counted)
    return found


def network_names(units: Iterable[CountedUnit]) -> dict[str, str]:
    """Name -> role of all networks that any of the units has, in the order of first sight."""
    return {name: network.network.role for each in units for name, network in each.networks.items()}
