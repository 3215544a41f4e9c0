"""Images of which all cells are foreground, or none, do not count; if that is all of them, it is said."""

import dataclasses

import pytest
import torch
from experiment.quick import SMALL, changed

from kdprobe.errors import InputError
from kdprobe.experiment import train_experiment
from kdprobe.experiment.gathered import gather
from kdprobe.experiment.measuring import measurable, measure_all
from kdprobe.experiment.members import members
from kdprobe.experiment.setup import load_material

FILTER = {"sample_filter": "released", "filter_from_epoch": 1}


@pytest.fixture(scope="module")
def experiment(tmp_path_factory, runs_untried):
    """The material and the measured networks of a small experiment."""
    folder = tmp_path_factory.mktemp("gathered") / "out"
    train_experiment(SMALL, folder, say=lambda _: None, show_progress=False)
    material = load_material(SMALL)
    found = [measurable(SMALL, material, member) for member in members(SMALL, folder)]
    measure_all(found, show_progress=False)
    return material, found


def with_cells(material, cells):
    return dataclasses.replace(material, probe=dataclasses.replace(material.probe, foreground_cells=cells))


def test_an_image_without_background_does_not_count_and_the_filter_never_sees_it(experiment, monkeypatch):
    material, found = experiment
    cells = material.probe.foreground_cells.clone()
    cells[0] = True
    assert gather(SMALL, with_cells(material, cells), found).usable.tolist() == [False, True, True]

    def all_kept(entropy, foreground, *_, **__):
        assert not foreground.flatten(1).all(1).any()
        return torch.ones(len(foreground), dtype=torch.bool)

    monkeypatch.setattr("kdprobe.analysis.images.effective_samples", all_kept)
    filtered = gather(changed(measure=FILTER), with_cells(material, cells), found)
    assert filtered.usable.tolist() == [False, True, True]
    assert "2 of 3 probe images count" in filtered.notes[0]


@pytest.mark.parametrize("rule", [{}, FILTER])
def test_if_no_image_has_both_foreground_and_background_it_is_said_in_one_sentence(experiment, rule):
    material, found = experiment
    none = with_cells(material, torch.zeros_like(material.probe.foreground_cells))
    with pytest.raises(
        InputError, match="None of the 3 probe images that could be measured has both"
    ) as raised:
        gather(changed(measure={"cell_rule": "released", **rule}), none, found)
    assert "8 x 8 cells by the rule released; choose another measure.cell_rule" in str(raised.value)
