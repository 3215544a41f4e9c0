"""The objectives on the relations of a batch's images against plain Python and against code that others wrote."""

import math
from itertools import permutations

import pytest
import torch
from objectives.relation_cases import rows
from oracles import objectives_relations as oracle
from torchdistill.losses import mid_level as losses

from kdprobe.errors import InputError
from kdprobe.objectives import (
    darkrank_hard,
    darkrank_soft,
    information_flow,
    pkt,
    rkd_angle,
    rkd_distance,
)
from kdprobe.objectives.darkrank import _log_likelihood

DARKRANK = {"hard": darkrank_hard, "soft": darkrank_soft}
PAIRS = pytest.mark.parametrize(("batch", "width"), [(3, 5), (6, 2), (9, 7)])


def pair(batch: int = 6, width: int = 5, scale: float = 1.0) -> tuple[torch.Tensor, torch.Tensor]:
    return rows(batch, torch.float64, batch, scale=scale), rows(50 + batch, torch.float64, batch, width)


def same(got: torch.Tensor, expected: list[float], rtol: float = 1e-9) -> bool:
    return torch.allclose(got, torch.tensor(expected, dtype=got.dtype), rtol=rtol, atol=1e-12)


@PAIRS
@pytest.mark.parametrize("objective", [rkd_distance, rkd_angle, pkt])
def test_rkd_and_pkt_are_the_oracle(objective, batch, width):
    student, teacher = pair(batch, width)
    expected = getattr(oracle, objective.__name__)(student.tolist(), teacher.tolist())
    assert same(objective(student, teacher), expected)


def test_relative_distances_far_beyond_one_are_on_the_straight_part_of_hubers_loss():
    student, teacher = pair()
    student[0] *= 100
    expected = oracle.rkd_distance(student.tolist(), teacher.tolist())
    assert max(expected) > 1
    assert same(rkd_distance(student, teacher), expected)


def test_rkd_by_hand():
    """Sides 1, 1, √2 and 3, 4, 5: relative to their mean 0.879, 0.879, 1.243 and ¾, 1, 5/4; cosines 0, 1/√2, 1/√2 and
    0, 3/5, 4/5."""
    student = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    teacher = torch.tensor([[0.0, 0.0], [3.0, 0.0], [0.0, 4.0]])
    mean = (2 + math.sqrt(2)) / 3
    apart = [(1 / mean - 3 / 4) ** 2 / 2, (1 / mean - 1) ** 2 / 2, (math.sqrt(2) / mean - 5 / 4) ** 2 / 2]
    expected = [(apart[0] + apart[1]) / 3, (apart[0] + apart[2]) / 3, (apart[1] + apart[2]) / 3]
    assert same(rkd_distance(student, teacher), expected, rtol=1e-5)
    half = math.sqrt(0.5)
    expected = [0, 2 * (half - 0.6) ** 2 / 2 / 9, 2 * (half - 0.8) ** 2 / 2 / 9]
    assert same(rkd_angle(student, teacher), expected, rtol=1e-5)


def test_pkt_by_hand():
    """Two images: the student's at a right angle, neighbours 2/3 and 1/3; the teacher's alike, 1/2 and 1/2."""
    student, teacher = torch.eye(2, dtype=torch.float64), torch.ones(2, 3, dtype=torch.float64)
    expected = (math.log(0.5 / (2 / 3)) + math.log(0.5 / (1 / 3))) / 2 / 2
    assert same(pkt(student, teacher), [expected] * 2, rtol=1e-6)


@PAIRS
@pytest.mark.parametrize("scale", [1.0, 10.0])
def test_the_information_flow_is_the_oracle_layer_by_layer(batch, width, scale):
    student, teacher = pair(batch, width, scale)
    layers = (student[:, :2], student), (teacher, teacher.exp())
    plain = [[each.tolist() for each in features] for features in layers]
    assert same(information_flow(*layers), oracle.information_flow(*plain))
    assert same(information_flow(*layers, layers="last"), oracle.information_flow(plain[0][1:], plain[1][1:]))
    assert same(
        information_flow(*layers, layers="but_last"), oracle.information_flow(plain[0][:1], plain[1][:1])
    )


def test_layers_that_cannot_be_compared_are_refused():
    one = (rows(0),)
    for given, says in (
        ((one, one * 2), "as many layers, at least one, got 1 and 2"),
        (((), ()), "got 0 and 0"),
        ((one * 2, (rows(0), rows(1, batch=3))), r"student_features\[1\] and teacher_features\[1\] must be"),
        ((one, one, "first"), "layers must be one of all, last, but_last, got 'first'"),
        ((one, one, "but_last"), "leaves none of a single layer"),
    ):
        with pytest.raises(InputError, match=says):
            information_flow(*given)


@PAIRS
@pytest.mark.parametrize(("alpha", "beta"), [(3.0, 3.0), (12.25, 4), (0.5, 1)])
@pytest.mark.parametrize("length", [2, 4])
@pytest.mark.parametrize("form", DARKRANK)
def test_darkrank_is_the_oracle(form, batch, width, alpha, beta, length):
    student, teacher = pair(batch, width)
    unit = [oracle.of_length_one(each.tolist()) for each in (student, teacher)]
    got = DARKRANK[form](student, teacher, alpha, beta, length)
    assert same(got, oracle.darkrank(*unit, alpha, beta, length, form == "soft"))


@pytest.mark.parametrize("form", DARKRANK)
def test_darkrank_without_normalisation_takes_the_features_as_they_are(form):
    student, teacher = (each / 4 for each in pair())
    expected = oracle.darkrank(student.tolist(), teacher.tolist(), 3, 3, 4, form == "soft")
    assert same(DARKRANK[form](student, teacher, normalise=False), expected)


def test_darkrank_by_hand():
    """On a line, from 0: the teacher's 1 and 2 are ordered by a student that has them at 2 and 1: scores -8 and -1."""
    student = torch.tensor([[0.0], [2.0], [1.0]], dtype=torch.float64)
    teacher = torch.tensor([[0.0], [1.0], [2.0]], dtype=torch.float64)
    got = darkrank_hard(student, teacher, alpha=1.0, normalise=False)
    assert float(got[0]) == pytest.approx(math.log(1 + math.exp(7)))


@pytest.mark.parametrize("count", [1, 2, 4, 6])
def test_the_probabilities_of_all_orders_sum_to_one(count):
    scores = 3 * rows(0, torch.float64, 5, count)
    orders = torch.tensor(list(permutations(range(count))))
    total = _log_likelihood(scores[:, orders]).exp().sum(dim=1)
    assert torch.allclose(total, torch.ones(5, dtype=torch.float64), rtol=1e-12)
    for row, found in zip(scores.tolist(), _log_likelihood(scores[:, orders]).exp().tolist(), strict=True):
        assert found == pytest.approx([oracle.order_probability(row, o) for o in orders.tolist()], rel=1e-9)


def test_for_a_teacher_without_doubt_soft_darkrank_is_hard_darkrank():
    student, teacher = pair()
    assert torch.allclose(
        darkrank_soft(student / 2, 100 * teacher, normalise=False),
        darkrank_hard(student / 2, 100 * teacher, normalise=False),
        rtol=1e-9,
    )


def test_darkrank_looks_only_at_the_teachers_nearest_images():
    student, teacher = pair(9)
    for objective in DARKRANK.values():
        student.requires_grad_()
        near = oracle.nearest(oracle.of_length_one(teacher.tolist()), 0, 3)
        (found,) = torch.autograd.grad(objective(student, teacher, length=3)[0], student)
        assert [i for i in range(9) if bool((found[i] != 0).any())] == sorted([0, *near])


def test_images_of_equal_distance_are_ordered_as_in_the_batch():
    teacher = torch.tensor([[0.0], [1.0], [-1.0], [1.0], [-1.0]], dtype=torch.float64)
    student = torch.tensor([[0.0], [1.0], [2.0], [3.0], [4.0]], dtype=torch.float64) / 4
    expected = oracle.darkrank(student.tolist(), teacher.tolist(), 3, 3, 4, soft=False)
    assert same(darkrank_hard(student, teacher, normalise=False)[:1], expected[:1])


@pytest.mark.parametrize("form", DARKRANK)
@pytest.mark.parametrize(
    ("option", "says"),
    [
        ({"alpha": 0}, "alpha must be a number above 0, got 0"),
        ({"beta": float("nan")}, "beta must be a number above 0, got nan"),
        ({"beta": "3"}, "beta must be a number above 0, got '3'"),
        ({"length": 1}, "length must be a whole number from 2 on, got 1"),
        ({"length": 2.5}, "length must be a whole number from 2 on, got 2.5"),
        ({"length": "4"}, "length must be a whole number from 2 on, got '4'"),
        ({"length": None}, "length must be a whole number from 2 on, got None"),
    ],
)
def test_options_of_darkrank_out_of_their_range_are_refused(form, option, says):
    with pytest.raises(InputError, match=says):
        DARKRANK[form](*pair(), **option)


def test_soft_darkrank_refuses_lists_whose_orders_are_too_many():
    with pytest.raises(InputError, match=r"at most 6 for darkrank_soft.*got 7"):
        darkrank_soft(*pair(9), length=7)
    assert darkrank_hard(*pair(9), length=7).shape == (9,)


# torchdistill 1.1.5, which only the tests need


def theirs(name: str, student: torch.Tensor, teacher: torch.Tensor, **options) -> torch.Tensor:
    given = ({"layer": {"output": each}} for each in (student, teacher))
    if name == "RKDLoss":
        return losses.RKDLoss("layer", "layer", **options, reduction="mean")(*given)
    return losses.PKTLoss("layer", "output", "layer", "output")(*given)


def test_two_images_of_the_same_features_count_for_rkd_as_they_do_in_torchdistill():
    """Their distance of 1e-6 is one of those that the mean is taken over, and their direction is none."""
    student, teacher = pair(6, 7)
    student[1] = student[0]
    for objective, factors in ((rkd_distance, (1, 0)), (rkd_angle, (0, 1))):
        other = theirs("RKDLoss", student, teacher, dist_factor=factors[0], angle_factor=factors[1])
        assert float(objective(student, teacher).mean()) == pytest.approx(float(other), rel=1e-6)
    same_images = student[:1].expand(6, -1)
    other = theirs("RKDLoss", same_images, teacher, dist_factor=1, angle_factor=0)
    assert float(rkd_distance(same_images, teacher).mean()) == pytest.approx(float(other), rel=1e-6)


def test_where_torchdistills_gradients_are_nan_or_endless_ours_are_small():
    student, teacher = pair(6, 7)
    dead = student.clone()
    dead[0] = 0
    dead.requires_grad_()
    assert bool(torch.autograd.grad(theirs("PKTLoss", dead * 1, teacher), dead)[0].isnan().any())
    assert float(torch.autograd.grad(pkt(dead, teacher).mean(), dead)[0].abs().max()) < 1
    student[1] = student[0]
    student.requires_grad_()
    other = theirs("RKDLoss", student, teacher, dist_factor=0, angle_factor=1)
    assert float(torch.autograd.grad(other, student)[0].abs().max()) > 1e6
    assert float(torch.autograd.grad(rkd_angle(student, teacher).mean(), student)[0].abs().max()) < 1
