"""What the tables of knowledge are made of: a unit counted once, small enough to keep many."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from math import nan

import torch
from torch import Tensor

from kdprobe.analysis.knowledge.changes import Changes, count_changes, count_still
from kdprobe.analysis.measurement import Measurement
from kdprobe.analysis.summary import (
    EPOCH_METRICS,
    CountSettings,
    NetworkValues,
    curves,
    first_counted,
    redraw_seed,
)
from kdprobe.analysis.unit import MeasuredNetwork, Unit
from kdprobe.metrics import StillMaps, concept_cells, margin_curve, redraw
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

    A network with one epoch alone has no D and rho: NaN. Raises what the functions of `kdprobe.metrics` raise.
    """
    changes = count_changes(unit)
    networks = {name: _count(name, unit, changes[name]) for name in unit.networks}
    quiet = {name: counted.network for name, counted in networks.items()}
    return CountedUnit(replace(unit, networks=quiet), networks)


def _kinds(unit: Unit) -> dict[str, Tensor]:
    return {"foreground": unit.foreground, "background": ~unit.foreground}


def _count(name: str, unit: Unit, changes: Changes) -> CountedNetwork:
    network, settings = unit.networks[name], unit.settings
    measured = network.measured
    values = unit.values(name)
    return CountedNetwork(
        network=replace(network, measured=replace(measured, noise=None)),
        epochs=values.epochs,
        first=first_counted(measured, settings),
        concepts=concept_cells(measured.entropy, unit.foreground, settings.margin, settings.scope),
        values=values,
        curves=curves(name, measured, unit.foreground, settings),
        margins=_margins(measured, unit.foreground, settings),
        ratio_noise=_ratio_noise(name, measured, unit.foreground, settings),
        changes=changes,
        still=count_still(name, unit, _kinds(unit)),
    )


def _margins(measured: Measurement, foreground: Tensor, settings: CountSettings) -> dict[str, Tensor]:
    """Every metric at each of MARGINS, as `network_values` takes it at the margin of the settings."""
    alone = len(measured.epochs) == 1
    found = margin_curve(
        measured.entropy[first_counted(measured, settings) :],
        foreground,
        _STILL if alone else measured.path,
        **_rules(settings.last_alone if alone else settings),
    )
    missing = {metric: torch.full_like(found[metric], nan) for metric in EPOCH_METRICS} if alone else {}
    return found | missing


def _ratio_noise(name: str, measured: Measurement, foreground: Tensor, settings: CountSettings) -> Tensor:
    """lambda of the last epoch at each of MARGINS in redraws of its maps.

    With noise of the maps they are those of `network_values`; with standard errors alone, whose random numbers go by
    the number of epochs, they are others.
    """
    copies = redraw(
        measured.entropy[-1],
        measured.std_error[-1],
        noise=None if measured.noise is None else measured.noise[-1],
        redraws=settings.redraws,
        seed=redraw_seed(name, measured, settings),
    )
    rules = _rules(settings.last_alone)
    found = [margin_curve(copy[None], foreground, _STILL, **rules)["relevance_ratio"] for copy in copies]
    return torch.stack(found)


_STILL = torch.zeros(2, dtype=torch.float64)  #: the path of a network of which there is one epoch


def _rules(settings: CountSettings) -> dict:
    return {key: rule for key, rule in settings.rules.items() if key != "margin"}


def by_key(units: Iterable[CountedUnit]) -> dict[tuple[str, str, str], list[CountedUnit]]:
    """The seeds of every data set, architecture and layer, in the order given."""
    found: dict[tuple[str, str, str], list[CountedUnit]] = {}
    for counted in units:
        found.setdefault(counted.unit.key, []).append(counted)
    return found


def network_names(units: Iterable[CountedUnit]) -> dict[str, str]:
    """Name -> role of all networks that any of the units has, in the order of first sight."""
    return {name: network.network.role for each in units for name, network in each.networks.items()}
