"""Objectives by name, also the user's own."""

import pytest

from kdprobe.errors import ConfigError
from kdprobe.objectives import OBJECTIVES, cross_entropy, find_objective, kd, objective_inputs


def test_the_inputs_are_read_off_the_signature():
    assert objective_inputs(kd, {"temperature": 2}) == ("student_logits", "teacher_logits")
    assert objective_inputs(cross_entropy, {}) == ("student_logits", "labels")


def test_known_names_are_found():
    assert find_objective("kd") is OBJECTIVES["kd"] is kd


def test_a_wrong_name_is_answered_with_the_nearest():
    with pytest.raises(ConfigError, match="did you mean 'feature_mse'"):
        find_objective("feature_mes")


def test_a_function_of_the_users_own_file(tmp_path):
    (tmp_path / "mine.py").write_text("def l1(student_logits, teacher_logits, power=1):\n    return power\n")
    own = find_objective(f"{tmp_path}/mine.py:l1")
    assert objective_inputs(own, {"power": 2}) == ("student_logits", "teacher_logits")


def test_an_unknown_option_is_refused():
    with pytest.raises(ConfigError, match="no option 'temprature'; its options: temperature"):
        objective_inputs(kd, {"temprature": 2})


def test_an_input_given_as_an_option_is_refused():
    with pytest.raises(ConfigError, match="no option 'labels'"):
        objective_inputs(cross_entropy, {"labels": 1})


def no_default(student_logits, strength):
    return student_logits * strength


def blind(teacher_logits):
    return teacher_logits


def positional(student_logits, /):
    return student_logits


@pytest.mark.parametrize(
    ("objective", "says"),
    [(no_default, "'strength'"), (blind, "nothing of the student"), (positional, "by name")],
)
def test_a_function_that_cannot_be_called_is_refused_before_training(objective, says):
    with pytest.raises(ConfigError, match=says):
        objective_inputs(objective, {})
