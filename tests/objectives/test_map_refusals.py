"""Layers and options that the objectives on maps and similarities cannot use are refused in one sentence."""

import pytest
import torch

from kdprobe.errors import InputError
from kdprobe.objectives import at, at_gradient, at_paper, fsp, nst, sp

MAPS = torch.zeros(4, 3, 5, 5)


@pytest.mark.parametrize("objective", [at, at_paper, nst, fsp])
@pytest.mark.parametrize(
    ("student", "teacher", "says"),
    [
        ((MAPS, MAPS), (MAPS,), "as many layers, at least one, got 2 and 1"),
        ((), (), "got 0 and 0"),
        ((MAPS, MAPS[:, :, 0, 0]), (MAPS, MAPS), r"student_features\[1\] must be maps .* got \(4, 3\)"),
        ((MAPS, MAPS), (MAPS[0], MAPS), r"teacher_features\[0\] must be maps .* got \(3, 5, 5\)"),
        ((MAPS, MAPS), (MAPS, MAPS[:2]), r"of one batch, got \(4, 3, 5, 5\) and \(2, 3, 5, 5\)"),
    ],
)
def test_layers_that_do_not_fit_are_refused_in_one_sentence(objective, student, teacher, says):
    with pytest.raises(InputError, match=says) as refusal:
        objective(student, teacher)
    assert str(refusal.value).endswith(".") and "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (
            lambda: fsp((MAPS, MAPS), (MAPS, MAPS[:, :2])),
            r"\(4, 3, 5, 5\) and \(4, 2, 5, 5\) at features\[1\]",
        ),
        (lambda: fsp((MAPS,), (MAPS,)), "at least 2 of them, got 1"),
        (lambda: at((MAPS,), (MAPS,), p=0.5), r"p must be a number in 1 \.\.\. inf, got 0.5"),
        (lambda: at_paper((MAPS,), (MAPS,), p="2"), "p must be a number"),
        (lambda: at((MAPS[..., :1, :1],), (MAPS,)), "every layer have a single cell"),
        (lambda: nst((MAPS,), (MAPS[..., :1, :1],)), "every layer have a single cell"),
        (lambda: sp(MAPS, MAPS[:3]), r"of one batch, got \(4, 3, 5, 5\) and \(3, 3, 5, 5\)"),
        (lambda: sp(MAPS[:, 0, 0, 0], MAPS), r"got \(4,\) and"),
        (lambda: at_gradient(MAPS, MAPS[:, :2]), r"one shape .* \(4, 3, 5, 5\) and \(4, 2, 5, 5\)"),
    ],
)
def test_what_one_of_them_cannot_use_is_refused_in_one_sentence(call, says):
    with pytest.raises(InputError, match=says) as refusal:
        call()
    assert str(refusal.value).endswith(".") and "\n" not in str(refusal.value)


def test_a_single_cell_among_larger_maps_adds_nothing():
    student, teacher = (MAPS + torch.arange(25.0).reshape(5, 5), MAPS[..., :1, :1] + 3), (MAPS + 1, MAPS)
    for objective in (at, at_paper, nst):
        two = objective(student, (teacher[0], teacher[1] + 2))
        assert torch.allclose(two, objective(student[:1], teacher[:1])) and bool((two > 0).all())
