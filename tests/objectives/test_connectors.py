"""What holds for every objective with a connector, and what it refuses."""

import pytest
import torch
from objectives.connector_cases import NAMES, STUDENT, TEACHER, connector, given, layers, ready
from torch import nn

from kdprobe.errors import InputError
from kdprobe.objectives import OBJECTIVES, Hint, feature_mse, hcl, is_connector, objective_inputs

EVERY = pytest.mark.parametrize("name", NAMES)
DOUBLE = torch.float64
SAME = ((3, 6, 6), (4, 4, 4), (5,))


def batch(shapes, kind: str) -> tuple[torch.Tensor, ...]:
    values = {
        "zero": lambda s: torch.zeros(4, *s),
        "constant": lambda s: torch.full((4, *s), 7.0),
        "huge": lambda s: 1e4 * layers([s], 3)[0],
        "tiny": lambda s: 1e-30 * layers([s], 4)[0],
        "duplicate rows": lambda s: layers([s], 5, batch=1)[0].expand(4, *s).clone(),
    }
    return tuple(values[kind](shape) for shape in shapes)


def call(built: nn.Module, name: str, student, teacher, layer: int = 0) -> torch.Tensor:
    return built(**given(name, student, teacher, layer))


def learning(features) -> tuple[torch.Tensor, ...]:
    return tuple(each.clone().requires_grad_() for each in features)


def used(name: str, student) -> tuple[torch.Tensor, ...]:
    return student if "student_features" in objective_inputs(OBJECTIVES[name], {}) else student[:1]


@EVERY
@pytest.mark.parametrize("rows", [2, 5])
def test_one_value_above_zero_for_every_image_also_in_training(name, rows):
    built = ready(name)
    for mode in (True, False):
        values = call(built.train(mode), name, layers(STUDENT, 2, batch=rows), layers(TEACHER, 3, batch=rows))
        assert values.shape == (rows,) and bool((values > 0).all())


@EVERY
def test_in_evaluation_an_images_value_is_its_own(name):
    built, student, teacher = ready(name), layers(STUDENT, 2), layers(TEACHER, 3)
    whole = call(built, name, student, teacher)
    alone = [
        call(built, name, *(tuple(e[k : k + 1] for e in f) for f in (student, teacher))) for k in range(4)
    ]
    assert torch.allclose(torch.cat(alone), whole, rtol=1e-5)


@EVERY
def test_a_permuted_batch_gives_permuted_values_also_in_training(name):
    built, order = ready(name, DOUBLE).train(), torch.tensor([2, 0, 3, 1])
    student, teacher = layers(STUDENT, 2, DOUBLE), layers(TEACHER, 3, DOUBLE)
    whole = call(built, name, student, teacher)
    moved = call(built, name, *(tuple(each[order] for each in f) for f in (student, teacher)))
    assert torch.allclose(moved, whole[order], rtol=1e-10)


@EVERY
def test_an_empty_batch_has_no_values(name):
    empty = call(ready(name), name, layers(STUDENT, 2, batch=0), layers(TEACHER, 3, batch=0))
    assert empty.shape == (0,)


@EVERY
@pytest.mark.parametrize("of_student", ["zero", "constant", "huge", "tiny", "duplicate rows"])
@pytest.mark.parametrize("of_teacher", ["zero", "constant", "huge", "tiny", "duplicate rows"])
def test_finite_values_and_gradients_on_awkward_layers_in_training(name, of_student, of_teacher):
    built, student = ready(name).train(), learning(batch(STUDENT, of_student))
    values = call(built, name, student, batch(TEACHER, of_teacher))
    values.sum().backward()
    assert bool(values.isfinite().all()) and bool((values >= 0).all())
    learnt = [*used(name, student), *built.parameters()]
    assert all(bool(each.grad.isfinite().all()) for each in learnt)


@EVERY
@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_float32(name, kind):
    built, student, teacher = ready(name), layers(STUDENT, 2, kind), layers(TEACHER, 3, kind)
    wide = [tuple(each.float() for each in features) for features in (student, teacher)]
    values = call(built, name, student, teacher)
    assert values.dtype == torch.float32
    single = built(
        **{**given(name, *wide), **{k: v for k, v in given(name, student, teacher).items() if "norms" in k}}
    )
    assert torch.equal(values, single)


@EVERY
def test_double_precision_is_kept(name):
    values = call(ready(name, DOUBLE), name, layers(STUDENT, 2, DOUBLE), layers(TEACHER, 3, DOUBLE))
    assert values.dtype == DOUBLE


@EVERY
def test_features_of_another_kind_than_the_weights_are_taken(name):
    student, teacher = layers(STUDENT, 2), layers(TEACHER, 3)
    wide = [tuple(each.double() for each in features) for features in (student, teacher)]
    values = call(ready(name), name, *wide)
    assert torch.allclose(values.float(), call(ready(name), name, student, teacher), rtol=1e-5)


@pytest.mark.slow  # finite differences of every weight
@EVERY
@pytest.mark.parametrize("training", [True, False])
def test_gradients_of_features_and_parameters_are_those_of_autograds_own_check(name, training):
    built = ready(name, DOUBLE).train(training)
    student, teacher = learning(layers(STUDENT, 2, DOUBLE, 3)), layers(TEACHER, 3, DOUBLE, 3)
    parameters = tuple(built.parameters())
    count = len(student)
    for module in built.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 0.0  # statistics stay as they are from call to call

    def values(*learnt: torch.Tensor) -> torch.Tensor:
        names = [key for key, _ in built.named_parameters()]
        weights = dict(zip(names, learnt[count:], strict=True))
        return torch.func.functional_call(built, weights, kwargs=given(name, learnt[:count], teacher))

    assert torch.autograd.gradcheck(values, (*student, *parameters))


@EVERY
def test_every_parameter_and_every_layer_gets_a_gradient_and_descent_along_it_helps(name):
    built = ready(name, DOUBLE).train()
    student, teacher = learning(layers(STUDENT, 2, DOUBLE)), layers(TEACHER, 3, DOUBLE)
    loss = call(built, name, student, teacher).mean()
    learnt = [*used(name, student), *built.parameters()]
    gradients = torch.autograd.grad(loss, learnt)
    assert all(bool((gradient != 0).any()) for gradient in gradients)
    with torch.no_grad():
        for values, gradient in zip(learnt, gradients, strict=True):
            values -= 1e-4 * gradient
    assert bool(call(built, name, student, teacher).mean() < loss)


@EVERY
def test_the_connector_does_not_depend_on_the_batch_that_it_was_built_from(name):
    built = [
        connector(name, given(name, layers(STUDENT, seed, batch=rows), layers(TEACHER, seed, batch=rows)))
        for seed, rows in ((0, 2), (7, 5))
    ]
    first, second = (each.state_dict() for each in built)
    assert list(first) == list(second) and all(torch.equal(first[key], second[key]) for key in first)


@EVERY
def test_it_is_found_by_its_name_and_is_a_class(name):
    assert is_connector(OBJECTIVES[name])
    assert not any("example" in each for each in objective_inputs(OBJECTIVES[name], {}))


# what is at rest where


def passing(name: str, shapes=SAME) -> nn.Module:
    """Connectors that hand on what they get."""
    features = layers(shapes, 0, DOUBLE)
    built = connector(name, given(name, features, features), dtype=DOUBLE)
    if name == "hint":
        built.regressor[0] = nn.Conv2d(3, 3, 1, dtype=DOUBLE)
        nn.init.dirac_(built.regressor[0].weight), nn.init.zeros_(built.regressor[0].bias)
    else:
        built.connectors = nn.ModuleList(nn.Identity() for _ in built.connectors)
    return built


def test_a_hint_that_the_student_meets_is_worth_nothing():
    student = layers(SAME, 0, DOUBLE)
    built = passing("hint")
    assert torch.equal(call(built, "hint", student, student), torch.zeros(4, dtype=DOUBLE))
    other = layers(SAME, 1, DOUBLE)
    expected = feature_mse(student[0], other[0])
    assert torch.allclose(call(built, "hint", student, other), expected, rtol=1e-12)


def test_the_papers_hint_is_half_the_number_of_features_times_this_one():
    """Eq. 3: ½ ‖·‖²."""
    student, teacher = layers(SAME, 0, DOUBLE), layers(SAME, 1, DOUBLE)
    paper = 0.5 * (student[0] - teacher[0]).flatten(1).square().sum(dim=1)
    assert torch.allclose(call(passing("hint"), "hint", student, teacher) * (3 * 6 * 6) / 2, paper)


def test_a_normalised_regressor_does_not_reach_a_teacher_below_zero_and_a_plain_one_does():
    generator = torch.Generator().manual_seed(0)
    student, teacher = torch.randn(32, 4, generator=generator), -torch.ones(32, 3)
    reached = {}
    for normalised in (False, True):
        hint = connector(
            "hint", {"student_feature": student, "teacher_feature": teacher}, normalised=normalised
        )
        optimiser = torch.optim.SGD(hint.parameters(), lr=0.3)
        for _ in range(200):
            optimiser.zero_grad()
            loss = hint.train()(student, teacher).mean()
            loss.backward()
            optimiser.step()
        reached[normalised] = float(loss.detach())
    assert reached[False] < 1e-6 and reached[True] >= 1.0


def test_activation_boundaries_rest_at_the_margin_on_the_teachers_side_and_beyond_it():
    teacher = layers(SAME, 0, DOUBLE)
    built = passing("ab")
    for factor in (1.0, 5.0):
        rested = tuple(factor * each.sign() for each in teacher)
        assert torch.equal(call(built, "ab", rested, teacher), torch.zeros(4, dtype=DOUBLE))
    assert bool((call(built, "ab", teacher, teacher) > 0).all())  # most values lie within the margin


def test_only_the_signs_of_the_teacher_count_for_activation_boundaries():
    student, teacher = layers(SAME, 0, DOUBLE), layers(SAME, 1, DOUBLE)
    built = connector("ab", given("ab", student, teacher), dtype=DOUBLE)
    scaled = tuple(17 * each for each in teacher)
    assert torch.equal(call(built, "ab", student, scaled), call(built, "ab", student, teacher))


def test_the_overhaul_rests_at_the_teacher_raised_to_its_margin_and_below_where_that_is_not_positive():
    teacher = layers(SAME, 0, DOUBLE)
    norms = tuple(torch.stack([torch.zeros(s[0]), torch.ones(s[0])]).double() for s in SAME)
    built, lowest = passing("ofd"), -((2 / torch.pi) ** 0.5)  # of a standard normal
    target = tuple(each.clamp(min=lowest) for each in teacher)
    assert float(built(target, teacher, norms).abs().max()) < 1e-12
    lower = tuple(torch.where(each <= 0, each - 3, each) for each in target)
    assert float(built(lower, teacher, norms).abs().max()) < 1e-12
    higher = tuple(each + 0.1 for each in target)
    assert bool((built(higher, teacher, norms) > 0).all())


def test_every_shallower_layer_counts_half_as_much():
    """Of three layers alike in everything, what each of them adds."""
    shapes = ((2, 3, 3),) * 3
    for name in ("ab", "ofd"):
        built, teacher = (
            passing(name, shapes),
            tuple(abs(each) + 2 for each in layers(shapes, 1, DOUBLE)[:1] * 3),
        )
        added = []
        for layer in range(3):
            student = tuple(each - 2.5 * (place == layer) for place, each in enumerate(teacher))
            added.append(call(built, name, student, teacher) - call(built, name, teacher, teacher))
        assert torch.allclose(added[1] / added[0], torch.full((4,), 2.0, dtype=DOUBLE))
        assert torch.allclose(added[2] / added[1], torch.full((4,), 2.0, dtype=DOUBLE))


def test_the_hierarchical_loss_rests_where_both_maps_are_the_same():
    (maps,) = layers([(3, 8, 8)], 0)
    assert torch.equal(hcl(maps, maps), torch.zeros(4))


@pytest.mark.parametrize("name", ["ab", "ofd"])
def test_a_finer_map_is_averaged_down_to_the_coarser(name):
    """Of either network: repeating every cell changes nothing, as averages of equal cells are those cells."""
    shapes = ((2, 3, 3),)
    student, teacher = layers(shapes, 0, DOUBLE), layers(shapes, 1, DOUBLE)
    built = connector(name, given(name, student, teacher), dtype=DOUBLE)
    expected = call(built, name, student, teacher)

    def finer(features):
        return tuple(each.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3) for each in features)

    assert torch.allclose(call(built, name, finer(student), teacher), expected)
    assert torch.allclose(call(built, name, student, finer(teacher)), expected)


# what is refused


def refused(act, says: str) -> None:
    with pytest.raises(InputError, match=says) as refusal:
        act()
    assert str(refusal.value).endswith(".") and "\n" not in str(refusal.value)


@EVERY
def test_a_map_against_a_vector_is_refused_with_both_shapes(name):
    student, teacher = layers(((3, 6, 6),), 0), layers(((5,),), 1)
    refused(lambda: OBJECTIVES[name](given(name, student, teacher)), r"\(4, 3, 6, 6\) and \(4, 5\)")
    refused(lambda: OBJECTIVES[name](given(name, teacher, student)), r"\(4, 5\) and \(4, 3, 6, 6\)")


@EVERY
def test_values_that_are_neither_maps_nor_vectors_are_refused(name):
    tokens = layers(((5, 3),), 0)
    refused(lambda: OBJECTIVES[name](given(name, tokens, tokens)), r"got \(4, 5, 3\)")


@EVERY
def test_different_images_are_refused(name):
    built = ready(name)
    refused(
        lambda: call(built, name, layers(STUDENT, 0), layers(TEACHER, 1, batch=3)),
        r"\(4, 3, 6, 6\) and \(3, 2, 6, 6\)",
    )


@pytest.mark.parametrize("name", ["ab", "ofd", "review_kd"])
def test_numbers_of_layers_that_differ_are_refused(name):
    student, teacher = layers(STUDENT[:2], 0), layers(TEACHER[:1], 1)
    refused(lambda: OBJECTIVES[name](given(name, student, teacher)), "got 2 and 1")


@pytest.mark.parametrize(
    ("name", "options", "says"),
    [
        ("ab", {"margin": 0}, "The margin must be above 0, got 0"),
        ("ab", {"margin": float("inf")}, "got inf"),
        ("ab", {"margin": "wide"}, "got 'wide'"),
        ("ab", {"margin": True}, "got True"),
        ("hint", {"normalised": 1}, "normalised must be true or false, got 1"),
        ("review_kd", {"width": 0}, "width must be a whole number from 1 on, got 0"),
        ("review_kd", {"width": 2.0}, "got 2.0"),
        ("review_kd", {"width": True}, "got True"),
    ],
)
def test_options_that_mean_nothing_are_refused(name, options, says):
    refused(lambda: ready(name, **options), says)


def test_norms_that_do_not_fit_the_teacher_are_refused():
    student, teacher = layers(STUDENT[:2], 0), layers(TEACHER[:2], 1)
    built = connector("ofd", given("ofd", student, teacher))
    wanted = r"must have the shapes \[\(2, 2\), \(2, 4\)\].*got "
    refused(lambda: built(student, teacher, (torch.ones(2, 2),)), wanted + r"\[\(2, 2\)\]")
    refused(
        lambda: built(student, teacher, (torch.ones(2, 2), torch.ones(4))), wanted + r"\[\(2, 2\), \(4,\)\]"
    )


@pytest.mark.parametrize("name", ["ab", "ofd", "review_kd", "hint"])
def test_one_image_of_one_cell_is_too_little_to_normalise_in_training_and_no_problem_after_it(name):
    student, teacher = layers(((5,),), 0, batch=1), layers(((3,),), 1, batch=1)
    options = {"normalised": True} if name == "hint" else {}
    built = connector(name, given(name, student, teacher), **options)
    assert call(built, name, student, teacher).shape == (1,)
    refused(
        lambda: call(built.train(), name, student, teacher), "more than one value of each channel.*two images"
    )


def test_a_plain_hint_learns_from_one_image_too():
    student, teacher = torch.ones(1, 5), torch.ones(1, 3)
    hint = Hint({"student_feature": student, "teacher_feature": teacher}).train()
    assert hint(student, teacher).shape == (1,)
