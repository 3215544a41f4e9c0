"""What an objective cannot use is refused in one sentence."""

import inspect

import pytest
import torch
from objectives.cases import CASES, TARGETS, arguments, pair, value

from kdprobe.errors import InputError
from kdprobe.objectives import OBJECTIVES, labels_known, objective_inputs

OPTIONS = {
    name: inspect.signature(objective).parameters for name, objective in OBJECTIVES.items() if name in CASES
}
WITH_TEMPERATURE = [name for name in CASES if "temperature" in OPTIONS[name]]
WITH_TARGET = [name for name in CASES if set(TARGETS) & set(objective_inputs(OBJECTIVES[name], {}))]
WITH_LABELS = [name for name in CASES if "labels" in OPTIONS[name]]
OF_LOGITS = [name for name in CASES if name != "feature_mse"]


def refused(call, says: str) -> None:
    with pytest.raises(InputError, match=says) as refusal:
        call()
    assert str(refusal.value).endswith(".") and "\n" not in str(refusal.value)


@pytest.mark.parametrize("name", WITH_TARGET)
def test_shapes_that_differ_are_refused_and_named(name):
    student, target = pair()
    refused(lambda: value(name, student, target[:, :5]), r"\(4, 6\) and \(4, 5\)")
    refused(lambda: value(name, student, target[:3]), r"\(4, 6\) and \(3, 6\)")


@pytest.mark.parametrize("name", OF_LOGITS)
def test_logits_that_are_no_table_are_refused(name):
    given = arguments(name, *pair()) | {"student_logits": torch.zeros(4, 6, 2)}
    refused(
        lambda: OBJECTIVES[name](**given),
        r"student_logits must have the shape \(batch, classes\), got \(4, 6, 2\)",
    )


@pytest.mark.parametrize("name", WITH_LABELS)
@pytest.mark.parametrize(
    ("labels", "says"),
    [
        (torch.tensor([0, 1, 2, 6]), r"0 \.\.\. 5"),
        (torch.tensor([0, 1, 2, -100]), r"0 \.\.\. 5"),
        (torch.tensor([0, 1, 2]), "4 integers"),
        (torch.tensor([0.0, 1.0, 2.0, 3.0]), "4 integers"),
    ],
)
def test_labels_that_do_not_fit_are_refused(name, labels, says):
    given = arguments(name, *pair()) | {"labels": labels}
    refused(lambda: OBJECTIVES[name](**given), says)


@pytest.mark.parametrize("name", WITH_LABELS)
@pytest.mark.parametrize("kind", [torch.uint8, torch.int32])
def test_labels_of_any_whole_kind_are_taken(name, kind):
    given = arguments(name, *pair())
    other = given | {"labels": given["labels"].to(kind)}
    assert torch.equal(OBJECTIVES[name](**other), OBJECTIVES[name](**given))


@pytest.mark.parametrize("name", WITH_TEMPERATURE)
@pytest.mark.parametrize("temperature", [0, -1.0, float("nan"), float("inf"), "4", True, None])
def test_a_temperature_that_is_no_positive_number_is_refused(name, temperature):
    refused(
        lambda: OBJECTIVES[name](**arguments(name, *pair()), temperature=temperature),
        f"temperature must be above 0, got {temperature}; 4 is usual",
    )


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.twice])
def test_a_single_class_is_refused_where_the_others_count(name):
    refused(lambda: value(name, *pair(classes=1)), "at least 2 classes, got 1")


@pytest.mark.parametrize(
    ("name", "option", "wrong", "says"),
    [
        ("label_smoothing", "alpha", 1.1, r"alpha must be a number in 0 \.\.\. 1, got 1.1"),
        ("label_smoothing_tfkd", "alpha", -0.1, r"alpha must be a number in 0 \.\.\. 1, got -0.1"),
        ("label_smoothing", "alpha", "0.1", "got '0.1'"),
        ("dkd", "alpha", -1, r"alpha must be a number in 0 \.\.\. inf, got -1"),
        ("dkd", "beta", float("nan"), "beta must be a number"),
        ("dkd", "beta", float("inf"), "beta must be a number"),
        ("virtual_teacher", "correct_probability", 1, "above 1/6 .* below 1, got 1"),
        ("virtual_teacher", "correct_probability", 0.1, "above 1/6 .* below 1, got 0.1"),
        ("virtual_teacher", "form", "mine", "form must be one of released, paper, got 'mine'"),
    ],
)
def test_an_option_out_of_its_range_is_refused(name, option, wrong, says):
    refused(lambda: OBJECTIVES[name](**arguments(name, *pair()), **{option: wrong}), says)


@pytest.mark.parametrize("name", WITH_LABELS)
def test_labels_that_are_known_are_not_looked_at_and_their_shape_is(name, monkeypatch):
    student, target = pair()
    given = arguments(name, student, target)
    looked = []
    least = torch.Tensor.min
    monkeypatch.setattr(torch.Tensor, "min", lambda self, *a: looked.append(1) or least(self, *a))
    plain = OBJECTIVES[name](**given)
    assert looked
    looked.clear()
    with labels_known():
        assert torch.equal(OBJECTIVES[name](**given), plain) and not looked
        refused(lambda: OBJECTIVES[name](**given | {"labels": given["labels"][:2]}), "one per row")
    OBJECTIVES[name](**given)
    assert looked
