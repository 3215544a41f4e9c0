"""The objectives on maps and similarities against plain loops, by hand, and at their bounds."""

import math

import pytest
import torch
from objectives.feature_cases import layers
from oracles import objectives_maps as oracle

from kdprobe.objectives import at, at_gradient, at_paper, cross_entropy, fsp, nst, sp

#: (channels, height, width): other channels and sizes in the teacher; second-moment matrices are smaller for the last
STUDENT = ((2, 6, 5), (3, 4, 3), (7, 2, 2))
TEACHER = ((3, 4, 7), (5, 4, 3), (6, 3, 2))


def doubles(seed: int, shapes=STUDENT, batch: int = 3) -> tuple[torch.Tensor, ...]:
    return layers(seed, torch.float64, batch, shapes)


def lists(features: tuple[torch.Tensor, ...]) -> list:
    return [each.tolist() for each in features]


def same(got: torch.Tensor, expected: list[float]) -> bool:
    return torch.allclose(got, torch.tensor(expected, dtype=got.dtype), rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("p", [1, 2, 3, 4.5])
@pytest.mark.parametrize("objective", [at, at_paper])
def test_attention_is_the_oracle_also_for_other_channels_and_sizes(objective, p):
    student, teacher = doubles(0), doubles(1, TEACHER)
    expected = getattr(oracle, objective.__name__)(lists(student), lists(teacher), p)
    assert same(objective(student, teacher, p=p), expected)


@pytest.mark.parametrize("objective", [at, at_paper])
def test_the_default_of_p_is_2(objective):
    student, teacher = doubles(0), doubles(1)
    assert torch.equal(objective(student, teacher), objective(student, teacher, p=2))
    assert not torch.allclose(objective(student, teacher), objective(student, teacher, p=1))


@pytest.mark.parametrize("kind", ["mixed", "channels", "cells"])
def test_nst_is_the_oracle_by_either_kind_of_matrix(kind):
    shapes = {
        "mixed": (STUDENT, TEACHER),
        "channels": (((2, 6, 6), (1, 3, 4)), ((3, 6, 6), (2, 5, 4))),
        "cells": (((9, 2, 2), (30, 1, 3)), ((8, 2, 2), (20, 2, 3))),
    }[kind]
    student, teacher = doubles(0, shapes[0]), doubles(1, shapes[1])
    assert same(nst(student, teacher), oracle.nst(lists(student), lists(teacher)))


@pytest.mark.parametrize(("cells", "channels"), [(2, 3), (3, 2), (4, 4), (6, 5)])
def test_nst_makes_the_smaller_matrices(cells, channels, monkeypatch):
    made = []
    product = torch.Tensor.__matmul__
    monkeypatch.setattr(
        torch.Tensor, "__matmul__", lambda a, b: made.append(product(a, b).shape[1:]) or product(a, b)
    )
    shapes = ((channels, 1, cells),)
    nst(doubles(0, shapes), doubles(1, shapes))
    assert set(made) == {(cells, cells) if 2 * cells**2 < 3 * channels**2 else (channels, channels)}


def test_fsp_is_the_oracle_with_layers_of_other_sizes():
    sizes = ((4, 6, 5), (3, 6, 5), (5, 2, 3))
    teacher_sizes = ((4, 3, 3), (3, 5, 2), (5, 4, 4))
    student, teacher = doubles(0, sizes), doubles(1, teacher_sizes)
    assert same(fsp(student, teacher), oracle.fsp(lists(student), lists(teacher)))
    assert same(fsp(student[1:], teacher[1:]), oracle.fsp(lists(student[1:]), lists(teacher[1:])))


@pytest.mark.parametrize("batch", [2, 5])
def test_sp_is_the_oracle_for_features_of_other_widths(batch):
    (student,), (teacher,) = doubles(0, ((3, 2, 2),), batch), doubles(1, ((4, 1, 6),), batch)
    expected = oracle.sp(student.flatten(1).tolist(), teacher.flatten(1).tolist())
    assert same(sp(student, teacher), expected)
    assert same(sp(student.flatten(1), teacher), expected)


def test_attention_by_hand():
    """Channels (1, 2) and (2, 1) at two cells: f² adds up to (5, 5); the teacher looks at the first cell alone."""
    student = torch.tensor([[[[1.0, 2.0]], [[2.0, 1.0]]]])
    teacher = torch.tensor([[[[3.0, 0.0]]]])
    distance = 2 - math.sqrt(2)  # of (1, 1) / √2 from (1, 0), squared
    assert float(at((student,), (teacher,))) == pytest.approx(distance / 2, rel=1e-6)
    assert float(at_paper((student,), (teacher,))) == pytest.approx(math.sqrt(distance), rel=1e-6)
    both = ((student, student), (teacher, teacher))
    assert float(at(*both)) == pytest.approx(distance, rel=1e-6)


def test_nst_by_hand():
    """Student's one channel looks at the first of two cells, the teacher's two at one each: 1 + 1/2 - 2 · 1/2."""
    student, teacher = torch.tensor([[[[5.0, 0.0]]]]), torch.tensor([[[[0.1, 0.0]], [[0.0, -7.0]]]])
    assert float(nst((student,), (teacher,))) == pytest.approx(0.5)


def test_what_is_farthest_apart_reaches_the_bounds():
    left = torch.zeros(1, 3, 2, 2)
    left[:, :, 0, 0] = 4.0
    right = left.flip(3)
    assert float(at((left,), (right,))) == pytest.approx(2 / 4)
    assert float(at_paper((left,), (right,))) == pytest.approx(math.sqrt(2))
    assert float(nst((left,), (right,))) == pytest.approx(2)


def test_fsp_by_hand():
    """Flow matrices [[2, 6]] and [[1, 1]]: (1² + 5²) / 2 entries."""
    student = (torch.tensor([2.0]).reshape(1, 1, 1, 1), torch.tensor([1.0, 3.0]).reshape(1, 2, 1, 1))
    teacher = (torch.ones(1, 1, 1, 1), torch.ones(1, 2, 1, 1))
    assert float(fsp(student, teacher)) == 13
    wide = torch.tensor([[[[0.0, 1.0], [5.0, 2.0]]]])  # averaged down to 2
    assert float(fsp((wide, student[1]), teacher)) == 13


def test_sp_by_hand():
    """Gram matrices [[1, 1], [1, 2]] and the identity, rows of norm 1: 2 - √2 and 2 - 4/√5, halved."""
    student, teacher = torch.tensor([[1.0, 0.0], [1.0, 1.0]]), torch.eye(2)
    expected = [(2 - math.sqrt(2)) / 2, (2 - 4 / math.sqrt(5)) / 2]
    assert sp(student, teacher).tolist() == pytest.approx(expected, rel=1e-6)


def test_at_gradient_is_the_closed_form_of_linear_networks():
    generator = torch.Generator().manual_seed(0)
    ours, theirs = (torch.randn(3, 4, generator=generator, dtype=torch.float64) for _ in range(2))
    image = torch.randn(2, 4, generator=generator, dtype=torch.float64)
    expected = []
    for row, label in zip(image.tolist(), (2, 0), strict=True):
        gradients = [oracle.input_gradient(w.tolist(), row, label) for w in (ours, theirs)]
        expected.append(oracle.squared_distance(*gradients))
    image = image.reshape(2, 1, 2, 2).requires_grad_()
    found = []
    for weights in (ours, theirs):
        loss = cross_entropy(image.flatten(1) @ weights.T, torch.tensor([2, 0])).sum()
        found.append(torch.autograd.grad(loss, image)[0])
    assert same(at_gradient(*found), expected)


def test_at_gradient_teaches_the_weights_through_the_second_derivative():
    generator = torch.Generator().manual_seed(1)
    image = torch.randn(3, 2, 2, 2, generator=generator, dtype=torch.float64).requires_grad_()
    first = torch.randn(8, 5, generator=generator, dtype=torch.float64).requires_grad_()
    last = torch.randn(5, 3, generator=generator, dtype=torch.float64).requires_grad_()
    target = torch.randn(3, 2, 2, 2, generator=generator, dtype=torch.float64)

    def loss(*weights):
        logits = (image.flatten(1) @ weights[0]).tanh() @ weights[1]
        own = cross_entropy(logits, torch.tensor([0, 2, 1])).sum()
        (gradient,) = torch.autograd.grad(own, image, create_graph=True)
        return at_gradient(gradient, target)

    assert torch.autograd.gradcheck(loss, (first, last))
    moved = torch.autograd.grad(loss(first, last).sum(), (first, last))
    assert all(float(each.abs().max()) > 0.01 for each in moved)
