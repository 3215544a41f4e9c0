"""What holds for every objective on the relations of a batch's images."""

import pytest
import torch
from objectives.relation_cases import RELATION_CASES, arguments, rows, value

from kdprobe.errors import InputError
from kdprobe.objectives import OBJECTIVES, information_flow, rkd_angle
from kdprobe.objectives.relations import cosine_kernel

EVERY = pytest.mark.parametrize("name", RELATION_CASES)
AT_REST = [name for name, case in RELATION_CASES.items() if case.rests]

AWKWARD = {
    "zero": torch.zeros(6, 5),
    "constant": torch.full((6, 5), 7.0),
    "duplicate rows": rows(0, batch=1).repeat(6, 1),
    "two pairs of duplicates": rows(1, batch=4)[[0, 1, 1, 2, 2, 3]],
    "one dead image": rows(2) * torch.tensor([0, 1, 1, 1, 1, 1])[:, None],
    "opposite images": torch.cat([rows(3, batch=3), -rows(3, batch=3)]),
    "huge": rows(4, scale=1e4),
    "huge and opposite": torch.cat([rows(4, batch=3, scale=1e6), -rows(4, batch=3, scale=1e6)]),
    "tiny": rows(5, scale=1e-30),
    "far from the origin": rows(6) + 1e4,
    "one far away": rows(7) * torch.tensor([1e4, 1, 1, 1, 1, 1])[:, None],
}


def gradient(name: str, student: torch.Tensor, teacher: torch.Tensor) -> torch.Tensor:
    student = student.clone().requires_grad_()
    return torch.autograd.grad(value(name, student, teacher).sum(), student)[0]


def rotation(width: int, seed: int) -> torch.Tensor:
    return torch.linalg.qr(rows(seed, torch.float64, width, width))[0]


@EVERY
@pytest.mark.parametrize("batch", [3, 4, 9])
@pytest.mark.parametrize("width", [3, 8])
@pytest.mark.parametrize("seed", range(4))
def test_one_finite_value_per_image_above_zero_also_if_the_widths_differ(name, batch, width, seed):
    values = value(name, rows(seed, batch=batch), rows(seed + 100, batch=batch, width=width))
    assert values.shape == (batch,)
    assert bool(values.isfinite().all()) and bool((values >= -1e-7).all()) and float(values.mean()) > 1e-6


@EVERY
@pytest.mark.parametrize("batch", [0, 1, 2])
def test_a_batch_without_such_relations_has_values_of_zero(name, batch):
    student = rows(0, batch=batch).requires_grad_()
    values = value(name, student, rows(1, batch=batch))
    values.sum().backward()
    assert values.shape == (batch,) and bool(student.grad.isfinite().all())
    assert bool((values.abs() < 1e-12).all()) == (batch < RELATION_CASES[name].least)


@EVERY
def test_a_value_depends_on_the_other_images(name):
    student, teacher = rows(0), rows(1)
    fewer = value(name, student[:4], teacher[:4])
    assert not bool((fewer - value(name, student, teacher)[:4]).abs().lt(1e-6).any())


@EVERY
def test_a_permuted_batch_gives_permuted_values(name):
    order = torch.tensor([2, 0, 5, 3, 1, 4])
    student, teacher = rows(0), rows(1)
    permuted = value(name, student[order], teacher[order])
    assert torch.allclose(permuted, value(name, student, teacher)[order], rtol=1e-5, atol=1e-8)


@EVERY
def test_maps_are_flattened(name):
    student, teacher = rows(0, width=12), rows(1, width=8)
    maps = student.view(6, 3, 2, 2), teacher.view(6, 2, 2, 2)
    if name == "information_flow":
        assert torch.equal(information_flow((maps[0],), (maps[1],)), information_flow((student,), (teacher,)))
    else:
        assert torch.equal(value(name, *maps), value(name, student, teacher))


@pytest.mark.parametrize("name", AT_REST)
@pytest.mark.parametrize("case", AWKWARD)
def test_zero_with_zero_gradient_when_student_equals_its_teacher(name, case):
    """Zero but for rounding: beside the gradient at usual features, if that is more than 1."""
    features = AWKWARD[case]
    usual = max(1.0, float(gradient(name, rows(0), rows(1)).abs().max()))
    assert torch.equal(value(name, features, features), torch.zeros(6))
    assert float(gradient(name, features, features).abs().max()) < 1e-5 * usual


@EVERY
@pytest.mark.parametrize("of_student", AWKWARD)
@pytest.mark.parametrize("of_teacher", AWKWARD)
def test_finite_values_and_gradients_on_awkward_rows(name, of_student, of_teacher):
    values = value(name, AWKWARD[of_student], AWKWARD[of_teacher])
    assert bool(values.isfinite().all()) and bool((values >= -1e-6).all())
    assert bool(gradient(name, AWKWARD[of_student], AWKWARD[of_teacher]).isfinite().all())


@EVERY
@pytest.mark.parametrize(
    "case", ["zero", "constant", "duplicate rows", "two pairs of duplicates", "one dead image"]
)
def test_images_without_a_length_or_a_distance_get_no_gradient_that_would_blow_up_a_step(name, case):
    assert float(gradient(name, AWKWARD[case], rows(9)).abs().max()) < 1e3


@EVERY
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_float32(name, dtype):
    student, teacher = rows(0, dtype, scale=1000), rows(1, dtype, scale=1000)
    values = value(name, student, teacher)
    assert values.dtype == torch.float32 and bool(values.isfinite().all())
    assert torch.equal(values, value(name, student.float(), teacher.float()))


@EVERY
def test_double_precision_is_kept(name):
    assert value(name, rows(0, torch.float64), rows(1, torch.float64)).dtype == torch.float64


@EVERY
def test_gradients_are_those_of_autograds_own_check(name):
    student, teacher = rows(0, torch.float64).requires_grad_(), rows(1, torch.float64, width=4)
    assert torch.autograd.gradcheck(lambda s: value(name, s, teacher), (student,))


@EVERY
def test_gradients_are_those_of_central_differences(name):
    student, teacher = rows(0, torch.float64), rows(1, torch.float64)
    found, step = gradient(name, student, teacher), 1e-5
    for row, column in [(0, 0), (1, 3), (5, 4)]:
        nudge = torch.zeros_like(student)
        nudge[row, column] = step
        above, below = (value(name, student + sign * nudge, teacher).sum() for sign in (1, -1))
        assert float(above - below) / (2 * step) == pytest.approx(float(found[row, column]), abs=1e-7)


@EVERY
def test_descent_along_the_gradient_brings_the_loss_down(name):
    student, teacher = rows(0, torch.float64), rows(1, torch.float64)
    down = gradient(name, student, teacher)
    assert bool((down != 0).any(dim=1).all())
    after = value(name, student - 1e-3 * down, teacher)
    assert float(after.mean()) < float(value(name, student, teacher).mean())


CHANGES = {
    "scale": lambda features: 3 * features,
    "lengths": lambda features: features * torch.tensor([1, 2, 0.5, 3, 1, 7])[:, None],
    "shift": lambda features: features + torch.tensor([3.0, -40, 0.5, 100, 7]),
}


@EVERY
@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("whose", ["student", "teacher"])
def test_what_leaves_the_relations_as_they_are_changes_nothing_and_what_does_not_does(name, change, whose):
    features = {"student": rows(0, torch.float64), "teacher": rows(1, torch.float64)}
    before = value(name, **features)
    after = value(name, **features | {whose: CHANGES[change](features[whose])})
    assert torch.allclose(after, before, rtol=1e-5, atol=1e-9) == getattr(RELATION_CASES[name], change)


@pytest.mark.parametrize("name", [name for name in RELATION_CASES if name != "information_flow"])
def test_a_rotation_changes_nothing(name):
    student, teacher = rows(0, torch.float64), rows(1, torch.float64)
    turned = value(name, student @ rotation(5, 2), teacher @ rotation(5, 3))
    assert torch.allclose(turned, value(name, student, teacher), rtol=1e-9)


def test_a_rotation_of_a_whole_layer_changes_nothing_in_the_information_flow():
    student, teacher = rows(0, torch.float64), rows(1, torch.float64)
    turned = information_flow((student @ rotation(5, 2),), (teacher @ rotation(5, 3),))
    assert torch.allclose(turned, information_flow((student,), (teacher,)), rtol=1e-9)


def test_distances_far_from_the_origin_are_as_exact_as_near_it():
    """In float32 the inner products of rows of length 2e4 round to about 30, more than all their distances."""
    near = (rows(0) * 64).round() / 64  # exact after the shift, too
    assert torch.equal((near + 4096) - 4096, near)
    for name, case in RELATION_CASES.items():
        if case.shift:
            assert torch.allclose(value(name, near + 4096, rows(1)), value(name, near, rows(1)), rtol=1e-5), (
                name
            )


def test_no_rounding_makes_images_likely_by_less_than_nothing():
    """Lengths of 1e6 leave nothing of the 1e-7 that would keep the cosine of opposite images above -1."""
    features = rows(0, batch=100, width=50, scale=1e6)
    assert float(cosine_kernel(torch.cat([features, -features]), 1e-7).min()) >= 0


@EVERY
def test_batches_that_differ_are_refused_and_shown(name):
    with pytest.raises(InputError, match=r"of one batch, got \(6, \d\) and \(5, \d\); give both") as refusal:
        value(name, rows(0), rows(1, batch=5))
    assert str(refusal.value).endswith(".")
    with pytest.raises(InputError, match=r"must be \(batch, ...\)"):
        flat = {
            key: rows(0)[0] if "features" not in key else (rows(0)[0],)
            for key in arguments(name, rows(0), rows(1))
        }
        OBJECTIVES[name](**flat)


@pytest.mark.parametrize(("batch", "width"), [(16, 5), (40, 5), (8, 4096)])
def test_the_memory_of_angles_grows_with_the_cube_of_the_batch_and_is_said(batch, width):
    """What autograd keeps is a part of it; while tables are made, a few more are held."""
    kept = {}

    def keep(tensor):
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    student, teacher = (rows(seed, batch=batch, width=width) for seed in (0, 1))
    student.requires_grad_()
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        values = rkd_angle(student, teacher)
    said = rkd_angle.memory_bytes({"student_feature": student, "teacher_feature": teacher}, batch)
    assert sum(kept.values()) < said < 5 * sum(kept.values())
    assert values.shape == (batch,)
