"""The number of epochs that config.yaml promises, against what the experiment itself counts."""

import dataclasses

import pytest
from experiment.quick import SMALL, changed
from live.logs import experiment

from kdprobe.experiment.epochs import stage_ends
from kdprobe.experiment.members import members
from kdprobe.experiment.run import write_config
from kdprobe.live.plan import planned_epochs
from kdprobe.recipes import list_recipes


def test_every_recipe_is_counted_as_the_experiment_counts_it(tmp_path):
    students = [name for name in list_recipes() if name != "baseline"]
    config = changed(SMALL, students=students, training={"epochs": 5, "classifier_epochs": 3})
    write_config(config, tmp_path)
    found = members(config, tmp_path)
    assert planned_epochs(tmp_path) == {member.name: stage_ends(config, member)[-1] for member in found}
    assert [*planned_epochs(tmp_path)] == [member.name for member in found]


def test_a_recipe_of_ones_own_and_a_teacher_that_is_loaded(tmp_path):
    own = tmp_path / "own.yaml"
    own.write_text(
        "title: T\nstages:\n- {name: a, epochs: 4, objective: [cross_entropy]}\n- {name: b, epochs: classifier_epochs}"
    )
    odd = tmp_path / "odd.yaml"
    odd.write_text("- 1")
    config = changed(SMALL, students=[str(own), "nowhere.yaml", str(odd)], training={"classifier_epochs": 3})
    config = dataclasses.replace(config, teacher=dataclasses.replace(config.teacher, weights="w.pt"))
    write_config(config, tmp_path)
    assert planned_epochs(tmp_path) == {
        "teacher": 0,
        "baseline": 2,
        "student-own": 7,
        "student-nowhere": None,
        "student-odd": None,
    }


def test_a_config_that_changes_is_read_again(tmp_path):
    experiment(tmp_path)
    assert planned_epochs(tmp_path)["teacher"] == 4
    (tmp_path / "config.yaml").write_text(
        "training: {epochs: 6, classifier_epochs: 3}\nteacher: {epochs: 44, weights: null}\nstudents: []\n"
    )
    assert planned_epochs(tmp_path) == {"teacher": 44, "baseline": 6}


@pytest.mark.parametrize(
    "text", [None, "", "[", "training: 3", "a: &a [*a]", "\x00", "training: {epochs: 1}"]
)
def test_no_config_promises_nothing(tmp_path, text):
    if text is not None:
        (tmp_path / "config.yaml").write_text(text)
    assert planned_epochs(tmp_path) == {}
