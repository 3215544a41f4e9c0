"""A teacher none of whose maps can be used does not take the comparison of the others with it."""

import pytest
import torch
from experiment.quick import SMALL, quietly, untried

from kdprobe.analysis import Measurement
from kdprobe.errors import InputError
from kdprobe.experiment import gathered
from kdprobe.experiment.measuring import measured as really_measured
from kdprobe.plots import curves_figure, maps_figure


def dead(networks: set[str]):
    """`measured`, but nothing of `networks` can be used."""

    def measured(config, found, **options) -> Measurement:
        real = really_measured(config, found, **options)
        if found.member.name in networks:
            real.usable.copy_(torch.zeros_like(real.usable))
        return real

    return measured


def test_it_is_named_and_the_others_are_compared(tmp_path, monkeypatch):
    untried(monkeypatch)
    for drawn in (curves_figure, maps_figure):  # of what such an experiment leaves, too
        monkeypatch.setattr(f"kdprobe.report.pictures.{drawn.__name__}", drawn)
    monkeypatch.setattr(gathered, "measured", dead({"teacher"}))
    summary, _ = quietly(SMALL, tmp_path)
    assert [network.name for network in summary.unmeasured] == ["teacher"]
    assert "no probe image could be measured" in summary.unmeasured[0].note
    assert "teacher" not in [network.name for network in summary.networks]
    assert {c.student for c in summary.comparisons} == {
        n.name for n in summary.networks if n.role == "student"
    }


def test_a_dead_baseline_still_stops_it(tmp_path, monkeypatch):
    untried(monkeypatch)
    monkeypatch.setattr(gathered, "measured", dead({"baseline"}))
    with pytest.raises(InputError, match="No probe image could be measured"):
        quietly(SMALL, tmp_path)
