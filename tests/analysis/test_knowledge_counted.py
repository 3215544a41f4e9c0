"""A unit is counted in one pass over its redraws; what is counted there is what each count finds alone."""

from dataclasses import replace

import pytest
import torch
from synthetic_units import SETTINGS, synthetic_unit

from kdprobe.analysis import curves, values
from kdprobe.analysis.knowledge import count_unit
from kdprobe.analysis.knowledge.changes import QUANTITIES, image_changes
from kdprobe.metrics import METRICS, concept_cells, margin_curve, redraw

CASES = {
    "noise": {},
    "one image": {"images": 1},
    "standard errors": {"sources": None},
    "a teacher with one epoch": {"teacher_epochs": 0},
    "one epoch": {"teacher_epochs": 0, "epochs": 0},
}


def equal(one, other):
    return one.shape == other.shape and bool(((one == other) | (one.isnan() & other.isnan())).all())


def copies(unit, name, first=0):
    """Noisy maps of the epochs from `first` on, as they would be drawn for these alone."""
    measured = unit.networks[name].measured
    return redraw(
        measured.entropy[first:],
        measured.std_error[first:],
        noise=None if measured.noise is None else measured.noise[first:],
        redraws=unit.settings.redraws,
        seed=values.redraw_seed(name, measured, unit.settings),
    )


@pytest.mark.parametrize(
    "rules", [{}, {"initial": True}, {"initial": "rho", "empty": "zero"}, {"scope": "image"}]
)
@pytest.mark.parametrize("case", CASES)
def test_every_count_is_the_one_that_is_made_alone(case, rules):
    settings = replace(SETTINGS, **rules)
    unit = synthetic_unit(noise=0.2, settings=settings, **CASES[case])
    counted = count_unit(unit)
    for name, network in counted.networks.items():
        measured = unit.networks[name].measured
        alone = unit.values(name)
        assert network.epochs == alone.epochs
        for metric in METRICS:
            assert equal(network.values.values[metric], alone.values[metric]), (name, metric)
            assert equal(network.values.noise[metric], alone.noise[metric]), (name, metric)
        of_epochs = curves(name, measured, unit.foreground, settings)
        assert repr(network.curves) == repr(of_epochs)  # NaN is what it is
        last = [
            margin_curve(
                maps, unit.foreground, torch.zeros(2).double(), scope=settings.scope, empty=settings.empty
            )["relevance_ratio"]
            for maps in copies(unit, name, -1)
        ]
        assert equal(network.ratio_noise, torch.stack(last))


@pytest.mark.parametrize("case", CASES)
def test_changes_hold_a_redraw_against_the_same_redraw_of_the_teacher(case):
    unit = synthetic_unit(noise=0.2, **CASES[case])

    def concepts(maps):
        return concept_cells(maps, unit.foreground, SETTINGS.margin, SETTINGS.scope)

    for name, network in count_unit(unit).networks.items():
        pairs = zip(copies(unit, name), copies(unit, "teacher"), strict=True)
        rows = [
            image_changes(concepts(own), network.first, unit.foreground, concepts(teacher[-1]))
            for own, teacher in pairs
        ]
        for quantity in QUANTITIES:
            assert equal(network.changes.noise[quantity], torch.stack([row[quantity] for row in rows])), name


@pytest.mark.parametrize("order", ["teacher first", "teacher last"])
def test_every_network_is_redrawn_once_for_all_counts(monkeypatch, order):
    drawn, real = [], values.redraw
    monkeypatch.setattr(
        values, "redraw", lambda *maps, **rules: drawn.append(maps[0]) or real(*maps, **rules)
    )
    unit = synthetic_unit(students=("kd", "at"))
    if order == "teacher last":
        unit = replace(unit, networks=dict(reversed(unit.networks.items())))
    counted = count_unit(unit)
    assert list(counted.networks) == list(unit.networks)
    entropies = [network.measured.entropy for network in unit.networks.values()]
    assert len(drawn) == 4 and all(any(equal(maps, own) for maps in drawn) for own in entropies)
