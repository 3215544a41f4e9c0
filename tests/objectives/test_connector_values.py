"""The objectives with connectors against numpy, loop by loop."""

import numpy as np
import pytest
import torch
from objectives.connector_cases import STUDENT, TEACHER, connector, given, layers, norms_of, ready
from oracles import objectives_connectors as oracle

from kdprobe.objectives import hcl, relu_margin

DOUBLE = torch.float64


def array(values: torch.Tensor) -> np.ndarray:
    return values.detach().numpy()


def as_map(values: np.ndarray) -> np.ndarray:
    return values[:, None, None] if values.ndim == 1 else values


def conv_norm(module):
    """A ConvNorm as a function of one image's maps."""
    convolution, norm = module
    weights = [array(v) for v in (norm.running_mean, norm.running_var, norm.weight, norm.bias)]
    weight = array(convolution.weight)
    return lambda maps: oracle.normalised(
        oracle.convolved(maps, weight, padding=weight.shape[-1] // 2), *weights
    )


def matched(student: np.ndarray, teacher: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    student, teacher = as_map(student), as_map(teacher)
    size = np.minimum(student.shape[1:], teacher.shape[1:])
    return oracle.averaged(student, *size), oracle.averaged(teacher, *size)


def by_image(*features):
    """One tuple of arrays per image for each of `features`."""
    return zip(*(zip(*map(array, each), strict=True) for each in features), strict=True)


@pytest.mark.parametrize(
    ("ours", "theirs", "kind"),
    [
        ((3, 8, 8), (2, 4, 4), "twice"),
        ((3, 4, 4), (2, 8, 8), "half"),
        ((3, 5, 5), (4, 5, 5), "equal"),
        ((2, 7, 6), (3, 5, 2), "larger"),
        ((2, 3, 3), (3, 7, 5), "smaller"),
        ((2, 6, 3), (3, 4, 5), "mixed"),
    ],
)
@pytest.mark.parametrize("normalised", [False, True])
def test_the_regressor_of_a_hint_is_the_oracle_for_every_relation_of_the_sizes(
    ours, theirs, kind, normalised
):
    student, teacher = layers([ours], 0, DOUBLE), layers([theirs], 1, DOUBLE)
    hint = connector("hint", given("hint", student, teacher), dtype=DOUBLE, normalised=normalised)
    weight, bias = (array(parameter) for parameter in hint.regressor[0].parameters())
    expected = []
    for (s,), (t,) in by_image(student, teacher):
        if kind in ("smaller", "mixed"):
            s, t = matched(s, t)
        if kind == "half":
            found = oracle.spread_out(s, weight, bias, stride=2, padding=1)
        else:
            stride = 2 if kind == "twice" else 1
            found = oracle.convolved(s, weight, bias, stride, padding=stride - 1)
        if normalised:
            norm = hint.regressor[1]
            values = (norm.running_mean, norm.running_var, norm.weight, norm.bias)
            found = np.maximum(oracle.normalised(found, *(array(v) for v in values)), 0)
        expected.append(((found - t) ** 2).mean())
    assert array(hint(student[0], teacher[0])) == pytest.approx(np.array(expected), rel=1e-10)


def test_the_regressor_of_vectors_is_linear():
    student, teacher = layers([(5,)], 0, DOUBLE), layers([(3,)], 1, DOUBLE)
    hint = connector("hint", given("hint", student, teacher), dtype=DOUBLE)
    weight, bias = (array(parameter) for parameter in hint.parameters())
    expected = ((array(student[0]) @ weight.T + bias - array(teacher[0])) ** 2).mean(axis=1)
    assert array(hint(student[0], teacher[0])) == pytest.approx(expected, rel=1e-12)


def test_the_hint_by_hand():
    """r(s) = 2 s + 1 of two cells 1 and -1, that is 3 and -1, against 2 and 2: (1 + 9) / 2."""
    student, teacher = torch.tensor([[[[1.0, -1.0]]]]), torch.tensor([[[[2.0, 2.0]]]])
    hint = connector("hint", {"student_feature": student, "teacher_feature": teacher})
    hint.regressor[0].weight.data.fill_(2)
    hint.regressor[0].bias.data.fill_(1)
    assert hint(student, teacher).tolist() == [5.0]


@pytest.mark.parametrize("margin", [1.0, 0.3, 2.5])
def test_activation_boundaries_are_the_oracle(margin):
    student, teacher = layers(STUDENT, 0, DOUBLE), layers(TEACHER, 1, DOUBLE)
    ab = ready("ab", DOUBLE, margin=margin)
    expected = []
    for ours, theirs in by_image(student, teacher):
        pairs = [matched(s, t) for s, t in zip(ours, theirs, strict=True)]
        connected = [conv_norm(c)(s) for c, (s, _) in zip(ab.connectors, pairs, strict=True)]
        expected.append(oracle.activation_boundary(connected, [t for _, t in pairs], margin))
    assert array(ab(student, teacher)) == pytest.approx(np.array(expected), rel=1e-10)


def test_activation_boundaries_by_hand():
    """Two layers of one cell: shallow s = 0.5 at t = -1 misses by 1.5, deep s = -2 at t = 3 by 3: 9 + 2.25 / 2."""
    student, teacher = (
        tuple(torch.tensor([[[[v]]]]) for v in values) for values in ((0.5, -2.0), (-1.0, 3.0))
    )
    ab = connector("ab", {"student_features": student, "teacher_features": teacher})
    ab.connectors = torch.nn.ModuleList([torch.nn.Identity(), torch.nn.Identity()])
    assert ab(student, teacher).tolist() == pytest.approx([0.003 * (9 + 2.25 / 2)])


def test_a_teachers_value_of_exactly_0_is_on_the_lower_side():
    zero = (torch.zeros(1, 1, 1, 1),)
    ab = connector("ab", {"student_features": zero, "teacher_features": zero})
    ab.connectors = torch.nn.ModuleList([torch.nn.Identity()])
    values = [float(ab((torch.full((1, 1, 1, 1), s),), zero)) for s in (-1.0, 1.0)]
    assert values == pytest.approx([0.0, 0.012])


def test_the_overhaul_is_the_oracle():
    student, teacher = layers(STUDENT, 0, DOUBLE), layers(TEACHER, 1, DOUBLE)
    norms = norms_of(teacher)
    for norm in norms:
        norm[1].clamp_(min=0.01)  # an integral needs some width
    ofd = ready("ofd", DOUBLE)
    expected = []
    for ours, theirs in by_image(student, teacher):
        raised = []
        for t, norm in zip(theirs, norms, strict=True):
            lowest = [oracle.released_margin(float(m), float(d)) for m, d in norm.T]
            raised.append(np.maximum(as_map(t), np.array(lowest)[:, None, None]))
        pairs = [matched(s, t) for s, t in zip(ours, raised, strict=True)]
        connected = [conv_norm(c)(s) for c, (s, _) in zip(ofd.connectors, pairs, strict=True)]
        numbers = [norm.tolist() for norm in norms]
        expected.append(oracle.overhaul(connected, [t for _, t in pairs], numbers))
    assert array(ofd(student, teacher, norms)) == pytest.approx(np.array(expected), rel=1e-9)


def test_the_overhaul_by_hand():
    """Margin -3 · 0.1. At t = -2 the target is -0.3: s = -1 is free, s = 0.7 off by 1; at t = 2 s = -1 is off by 3."""
    teacher = (torch.tensor([[[[-2.0, -2.0, 2.0]]]]),)
    student = (torch.tensor([[[[-1.0, 0.7, -1.0]]]]),)
    norms = (torch.tensor([[5.0], [0.1]]),)
    ofd = connector("ofd", {"student_features": student, "teacher_features": teacher, "teacher_norms": norms})
    ofd.connectors = torch.nn.ModuleList([torch.nn.Identity()])
    assert ofd(student, teacher, norms).tolist() == pytest.approx([0.001 * (1 + 9)])


@pytest.mark.parametrize("mean", [-30.0, -3.0, -0.4, 0.0, 0.2, 1.0, 1.5, 2.0])
@pytest.mark.parametrize("deviation", [0.7, 1.0, 4.0])
def test_the_margin_is_the_mean_of_the_normal_density_below_zero(mean, deviation):
    got = relu_margin(torch.tensor(mean, dtype=DOUBLE), torch.tensor(deviation, dtype=DOUBLE))
    assert float(got) == pytest.approx(oracle.mean_below_zero(mean, deviation), rel=1e-9)


def test_the_margin_is_three_deviations_where_less_than_one_value_in_a_thousand_is_below_zero():
    """Φ(-3.0902) = 0.001."""
    means = torch.tensor([3.0901, 3.0903, 10.0, 1e6], dtype=DOUBLE)
    ours = relu_margin(2 * means, torch.full((4,), 2.0, dtype=DOUBLE))
    assert float(ours[0]) == pytest.approx(oracle.mean_below_zero(6.1802, 2.0), rel=1e-9)
    assert float(ours[0]) > -1.0
    assert ours[1:].tolist() == [-6.0, -6.0, -6.0]


def test_the_margin_is_the_mean_of_many_draws():
    draws = 0.3 + 1.2 * torch.randn(1_000_000, generator=torch.Generator().manual_seed(0), dtype=DOUBLE)
    below = draws[draws < 0]
    error = float(below.std()) / len(below) ** 0.5
    got = relu_margin(torch.tensor(0.3), torch.tensor(1.2))
    assert float(got) == pytest.approx(float(below.mean()), abs=5 * error)


def test_a_channel_without_spread_is_its_mean_below_zero_and_never_above():
    got = relu_margin(torch.tensor([-2.0, 0.0, 2.0]), torch.zeros(3))
    assert got.tolist() == [-2.0, 0.0, 0.0]


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 8])
def test_the_hierarchical_loss_is_the_oracle(size):
    (student,), (teacher,) = layers([(3, size, size)], 0, DOUBLE), layers([(3, size, size)], 1, DOUBLE)
    expected = [oracle.hcl(array(s), array(t)) for s, t in zip(student, teacher, strict=True)]
    assert array(hcl(student, teacher)) == pytest.approx(np.array(expected), rel=1e-12)


def test_what_a_map_is_off_by_everywhere_counts_the_same_at_every_level():
    teacher = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0), dtype=DOUBLE)
    assert hcl(teacher + 3, teacher).tolist() == pytest.approx([9.0, 9.0])


@pytest.mark.parametrize("width", [512, 1, 4])
def test_review_is_the_oracle(width):
    student, teacher = layers(STUDENT, 0, DOUBLE), layers(TEACHER, 1, DOUBLE)
    review = ready("review_kd", DOUBLE, width=width)
    assert [fusion.narrow[0].out_channels for fusion in review.fusions] == [min(width, 5)] * 4
    fusions = [
        (
            conv_norm(fusion.narrow),
            None if fusion.attention is None else tuple(array(p) for p in fusion.attention.parameters()),
            conv_norm(fusion.compared),
        )
        for fusion in review.fusions
    ]
    expected = [
        oracle.review([as_map(s) for s in ours], [as_map(t) for t in theirs], fusions)
        for ours, theirs in by_image(student, teacher)
    ]
    assert array(review(student, teacher)) == pytest.approx(np.array(expected), rel=1e-10)


def test_the_mixture_is_never_wider_than_512():
    wide = (torch.zeros(2, 600),)
    review = connector("review_kd", {"student_features": wide, "teacher_features": wide})
    assert review.fusions[0].narrow[0].out_channels == 512


def test_the_deepest_layer_of_the_student_reaches_every_layer_and_no_shallower_one_a_deeper():
    """Only from deep to shallow: the gradient of the deepest layer's share does not reach the others."""
    student = tuple(each.requires_grad_() for each in layers(STUDENT[:3], 0))
    teacher = layers(TEACHER[:3], 1)
    review = connector("review_kd", {"student_features": student, "teacher_features": teacher})
    review(student, teacher).sum().backward()
    whole = [each.grad.clone() for each in student]
    for layer, other in enumerate(teacher):
        moved = tuple(other + 1 if place == layer else each for place, each in enumerate(teacher))
        for each in student:
            each.grad = None
        review(student, moved).sum().backward()
        changed = [
            not torch.allclose(each.grad, was, atol=1e-7) for each, was in zip(student, whole, strict=True)
        ]
        assert changed == [place >= layer for place in range(3)]
