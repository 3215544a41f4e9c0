"""What the objectives on maps and similarities do not see, how they hang together, and what they hold in memory."""

import pytest
import torch
from objectives.feature_cases import layers

from kdprobe.objectives import at, at_gradient, at_paper, find_objective, fsp, nst, sp

OF_MAPS = pytest.mark.parametrize("objective", [at, at_paper, nst])


def doubles(seed: int, **shape) -> tuple[torch.Tensor, ...]:
    return layers(seed, torch.float64, **shape)


def changed(features: tuple[torch.Tensor, ...], how) -> tuple[torch.Tensor, ...]:
    return tuple(how(each) for each in features)


def moved(features: torch.Tensor) -> torch.Tensor:
    """The same cells at other places."""
    order = torch.randperm(features.shape[2], generator=torch.Generator().manual_seed(0))
    return features[:, :, order].flip(3)


@OF_MAPS
def test_the_order_and_the_sign_of_the_channels_do_not_matter(objective):
    student, teacher = doubles(0), doubles(1)
    for how in (lambda f: f.flip(1), lambda f: f * (torch.arange(f.shape[1]) % 2 * 2 - 1)[:, None, None]):
        assert torch.allclose(
            objective(changed(student, how), teacher), objective(student, teacher), rtol=1e-10
        )
        assert torch.allclose(objective(changed(student, how), student), torch.zeros(4).double(), atol=1e-12)


@OF_MAPS
def test_moving_the_cells_of_both_networks_alike_changes_nothing(objective):
    student, teacher = doubles(0), doubles(1)
    both = objective(changed(student, moved), changed(teacher, moved))
    assert torch.allclose(both, objective(student, teacher), rtol=1e-10)
    assert not torch.allclose(objective(changed(student, moved), teacher), objective(student, teacher))


def test_fsp_does_not_see_where_in_the_map_things_happen():
    student, teacher = (doubles(seed, shapes=((3, 4, 4), (5, 4, 4))) for seed in (0, 1))
    alone = fsp(changed(student, moved), teacher)
    assert torch.allclose(alone, fsp(student, teacher), rtol=1e-10)
    one_layer = fsp((moved(student[0]), student[1]), teacher)
    assert not torch.allclose(one_layer, fsp(student, teacher))


def test_attention_adds_channels_up_and_nst_does_not():
    """Two channels that look at one cell each, or both half at either: one attention map, other second moments."""
    apart = torch.tensor([[[[1.0, 0.0]], [[0.0, 1.0]]]])
    mixed = torch.tensor([[[[1.0, 1.0]], [[1.0, 1.0]]]])
    assert float(at((apart,), (mixed,))) == pytest.approx(0, abs=1e-12)
    assert float(nst((apart,), (mixed,))) == pytest.approx(0.5)


def test_the_released_form_is_the_papers_squared_over_the_cells():
    student, teacher = doubles(0), doubles(1)
    for ours, theirs in zip(student, teacher, strict=True):
        d = at_paper((ours,), (theirs,))
        assert torch.allclose(at((ours,), (theirs,)), d**2 / ours[0, 0].numel(), rtol=1e-12)


@pytest.mark.parametrize("p", [1.0, 2.0, 4.0])
def test_a_high_p_leaves_only_the_strongest_activation(p):
    maps = torch.tensor([[[[1.0, 2.0], [1.0, 1.0]]]])
    alone = torch.tensor([[[[0.0, 1.0], [0.0, 0.0]]]])
    assert float(at((maps,), (alone,), p=p)) > float(at((maps,), (alone,), p=2 * p)) > 0
    assert float(at((maps,), (alone,), p=60)) == pytest.approx(0, abs=1e-6)


@OF_MAPS
def test_layers_are_added_up(objective):
    student, teacher = doubles(0), doubles(1)
    parts = [objective((s,), (t,)) for s, t in zip(student, teacher, strict=True)]
    assert torch.allclose(objective(student, teacher), sum(parts), rtol=1e-12)


def test_fsp_adds_up_the_flow_of_neighbours():
    student, teacher = doubles(0), doubles(1)
    parts = fsp(student[:2], teacher[:2]) + fsp(student[1:], teacher[1:])
    assert torch.allclose(fsp(student, teacher), parts, rtol=1e-12)
    assert not torch.allclose(fsp(student[::2], teacher[::2]), parts)


def test_fsp_grows_with_the_fourth_power_of_the_features_and_sees_the_order_of_the_channels():
    student, teacher = doubles(0), doubles(1)
    larger = fsp(changed(student, lambda f: 3 * f), changed(teacher, lambda f: 3 * f))
    assert torch.allclose(larger, 3**4 * fsp(student, teacher), rtol=1e-12)
    assert bool((fsp(changed(student, lambda f: f.flip(1)), student) > 1e-3).all())


def test_similarities_survive_a_rotation_and_the_scale_of_the_features_but_not_a_shift():
    (student,), (teacher,) = (doubles(seed, shapes=((2, 3, 1),)) for seed in (0, 1))
    rotation, _ = torch.linalg.qr(torch.randn(6, 6, generator=torch.Generator().manual_seed(2)).double())
    rotated = student.flatten(1) @ rotation * 5
    assert torch.allclose(sp(rotated, teacher), sp(student, teacher), rtol=1e-10)
    assert torch.allclose(sp(rotated, student), torch.zeros(4).double(), atol=1e-12)
    assert bool((sp(student + 3, student) > 1e-3).all())


def test_the_mean_of_the_rows_of_sp_is_the_frobenius_norm_by_b_squared():
    (student,), (teacher,) = (doubles(seed, shapes=((2, 3, 1),)) for seed in (0, 1))
    ours, theirs = (
        torch.nn.functional.normalize(f.flatten(1) @ f.flatten(1).T, dim=1) for f in (student, teacher)
    )
    expected = torch.linalg.matrix_norm(ours - theirs) ** 2 / 4**2
    assert float(sp(student, teacher).mean()) == pytest.approx(float(expected), rel=1e-10)


def test_at_gradient_is_the_squared_distance_of_every_image():
    (student,), (teacher,) = (doubles(seed, shapes=((2, 3, 1),)) for seed in (0, 1))
    assert torch.allclose(at_gradient(student, teacher), at_gradient(teacher, student), rtol=1e-12)
    expected = torch.stack([torch.dist(s, t) ** 2 for s, t in zip(student, teacher, strict=True)])
    assert torch.allclose(at_gradient(student, teacher), expected, rtol=1e-12)


@pytest.mark.parametrize("objective", [at, at_paper, nst, fsp])
def test_the_teachers_maps_need_no_gradient_and_the_students_get_one(objective):
    student, teacher = changed(layers(0), lambda f: f.requires_grad_()), layers(1)
    objective(student, teacher).sum().backward()
    assert all(float(each.grad.abs().max()) > 0 for each in student)
    assert all(each.grad is None for each in teacher)


# what nst holds in memory


def kept_bytes(student: tuple[torch.Tensor, ...], teacher: tuple[torch.Tensor, ...]) -> int:
    """Bytes of all that autograd keeps of `nst`, each storage once, the features themselves left out."""
    kept = {}

    def keep(tensor):
        kept[tensor.untyped_storage().data_ptr()] = tensor  # held, so that no other gets its address
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        loss = nst(student, teacher)
    for each in (*student, *teacher):
        kept.pop(each.untyped_storage().data_ptr(), None)
    loss.sum().backward()
    return sum(tensor.untyped_storage().nbytes() for tensor in kept.values() if tensor.ndim > 2)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(
    ("student", "teacher"),
    [((16, 8, 8), (24, 8, 8)), ((64, 4, 4), (128, 4, 4)), ((40, 5, 5), (3, 5, 5)), ((40, 10, 10), (3, 5, 5))],
)
def test_nst_says_what_it_holds(student, teacher, dtype):
    features = {"student_features": layers(0, dtype, 2, (student,))}
    features["teacher_features"] = layers(1, dtype, 2, (teacher,))
    said = find_objective("nst").memory_bytes(features, batch_size=32)
    ours = changed(layers(0, dtype, 32, (student,)), lambda f: f.requires_grad_())
    kept = kept_bytes(ours, layers(1, dtype, 32, (teacher,)))
    assert kept <= said <= 3 * kept  # of the cells' matrices the teacher's need not be kept


def test_what_nst_holds_grows_with_batch_channels_and_cells_as_its_matrices_do():
    def said(batch: int, *shapes: tuple[int, ...]) -> int:
        few = layers(0, torch.float16, 1, shapes)
        return nst.memory_bytes({"student_features": few, "teacher_features": few}, batch)

    assert said(1, (2, 10, 10)) == 4 * (
        3 * 2**2 + 2 * 2 * 100
    )  # float32: kernels of 2 x 2, maps of 100 cells
    assert said(1, (100, 1, 2)) == 4 * (2 * 2**2 + 2 * 100 * 2)  # 2 x 2 cells
    assert said(128, (2, 10, 10), (100, 1, 2)) == 128 * (said(1, (2, 10, 10)) + said(1, (100, 1, 2)))
