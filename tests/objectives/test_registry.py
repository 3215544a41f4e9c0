"""Objectives by name, also the user's own."""

import pytest
from torch import nn

from kdprobe.errors import ConfigError
from kdprobe.objectives import (
    INPUTS,
    OBJECTIVES,
    cross_entropy,
    dkpp,
    ensemble_kd,
    find_objective,
    is_connector,
    kd,
    objective_inputs,
)


def test_the_inputs_are_read_off_the_signature():
    assert objective_inputs(kd, {"temperature": 2}) == ("student_logits", "teacher_logits")
    assert objective_inputs(cross_entropy, {}) == ("student_logits", "labels")
    assert objective_inputs(dkpp, {}) == ("student_logits", "teacher_logits", "generator")
    assert objective_inputs(ensemble_kd, {}) == ("student_logits", "ensemble_logits")


def test_every_objective_has_its_own_name_and_works_without_options():
    for name, objective in OBJECTIVES.items():
        assert is_connector(objective) or objective.__name__ == name
        assert set(objective_inputs(objective, {})) <= set(INPUTS)
    assert len(set(OBJECTIVES.values())) == len(OBJECTIVES)


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
    with pytest.raises(ConfigError, match=r"no option 'temprature'; its options: temperature\."):
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


class Regressor(nn.Module):
    def __init__(self, example, width=8, *, bias):
        super().__init__()
        self.layer = nn.Linear(example["student_feature"].shape[1], width, bias=bias)

    def forward(self, student_feature, teacher_feature, labels=None):
        return (self.layer(student_feature) - teacher_feature).square().mean(dim=1)


def test_a_connector_takes_inputs_in_forward_and_options_in_init():
    assert is_connector(Regressor)
    given = objective_inputs(Regressor, {"bias": False, "width": 3})
    assert given == ("student_feature", "teacher_feature", "labels")


def test_a_connector_of_the_users_own_file(tmp_path):
    (tmp_path / "mine.py").write_text(
        "from torch import nn\n"
        "class Scaled(nn.Module):\n"
        "    def __init__(self, example, start=1.0):\n"
        "        super().__init__()\n"
        "    def forward(self, student_logits, teacher_logits):\n"
        "        return student_logits.sum(1)\n"
    )
    own = find_objective(f"{tmp_path}/mine.py:Scaled")
    assert is_connector(own)
    assert objective_inputs(own, {"start": 2.0}) == ("student_logits", "teacher_logits")


class NoModule:
    def __init__(self, example):
        pass

    def forward(self, student_logits):
        return student_logits


class NoExample(nn.Module):
    def __init__(self, width=3):
        super().__init__()

    def forward(self, student_logits):
        return student_logits


class InputInInit(nn.Module):
    def __init__(self, example, labels):
        super().__init__()

    def forward(self, student_logits):
        return student_logits


class OptionInForward(nn.Module):
    def __init__(self, example, scale=1.0):
        super().__init__()

    def forward(self, student_logits, scale):
        return student_logits


class Blind(nn.Module):
    def __init__(self, example):
        super().__init__()

    def forward(self, teacher_logits):
        return teacher_logits


@pytest.mark.parametrize(
    ("cls", "options", "says"),
    [
        (Regressor, {}, "needs a value for 'bias'"),
        (Regressor, {"bias": True, "depth": 2}, r"no option 'depth'; its options: width, bias\."),
        (Regressor, {"bias": True, "example": 2}, "no option 'example'"),
        (Regressor, {"bias": True, "labels": 2}, "no option 'labels'"),
        (NoModule, {}, "child of torch.nn.Module"),
        (NoExample, {}, "must take `example`"),
        (InputInInit, {}, "takes 'labels' in its __init__"),
        (OptionInForward, {"scale": 2.0}, "needs a value for 'scale'.*forward"),
        (Blind, {}, "nothing of the student"),
    ],
)
def test_a_class_that_cannot_be_used_is_refused_before_training(cls, options, says):
    with pytest.raises(ConfigError, match=says) as refusal:
        objective_inputs(cls, options)
    assert str(refusal.value).endswith(".") and "\n" not in str(refusal.value)
