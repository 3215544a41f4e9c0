"""Laws that all metrics obey, as a table: a change of the input and what it must do to the metrics."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from kdprobe.metrics import (
    METRICS,
    bootstrap_interval,
    concept_cells,
    count_concepts,
    image_values,
    learning_distance,
    noise_redraws,
    paired_difference,
    relevance_ratio,
    stability,
    weight_path,
)

EPOCHS, IMAGES, GRID = 4, 7, 4


def scene(seed=0):
    """Entropies in multiples of 2^-6 and 8 background cells an image: every sum and mean of them is exact."""
    generator = torch.Generator().manual_seed(seed)
    steps = torch.randint(-40, 40, (EPOCHS, IMAGES, GRID, GRID), generator=generator)
    order = torch.rand(IMAGES, GRID * GRID, generator=generator).argsort(-1)
    foreground = (order < 8).reshape(IMAGES, GRID, GRID)
    path = torch.tensor([0.0, 0.25, 0.5, 0.625, 1.0], dtype=torch.float64)
    return steps.double() / 64, foreground, path


def turned(maps):
    return maps.rot90(1, (-2, -1))


ORDER = torch.tensor([3, 0, 6, 1, 5, 2, 4])
UNCHANGED = {
    "a constant added to all entropies": lambda e, f, p: (e + 3.5, f, p, 0.25),
    "another constant at every epoch": lambda e, f, p: (e + torch.arange(4)[:, None, None, None], f, p, 0.25),
    "entropies and margin scaled together": lambda e, f, p: (4 * e, f, p, 1.0),
    "cells turned by 90 degrees": lambda e, f, p: (turned(e), turned(f), p, 0.25),
    "cells transposed": lambda e, f, p: (e.mT, f.mT, p, 0.25),
    "float32 input (exact here)": lambda e, f, p: (e.float(), f, p.float(), 0.25),
    "non-contiguous input": lambda e, f, p: (e.mT.contiguous().mT, f.mT.contiguous().mT, p, 0.25),
}


@pytest.mark.parametrize("scope", ["dataset", "image"])
@pytest.mark.parametrize("law", UNCHANGED)
def test_changes_that_change_no_metric(law, scope):
    entropy, foreground, path = scene()
    before = image_values(entropy, foreground, path, margin=0.25, scope=scope)
    changed_entropy, changed_foreground, changed_path, margin = UNCHANGED[law](entropy, foreground, path)
    after = image_values(changed_entropy, changed_foreground, changed_path, margin=margin, scope=scope)
    for name in METRICS:
        assert torch.equal(before[name].nan_to_num(-1), after[name].nan_to_num(-1)), name


@pytest.mark.parametrize("scope", ["dataset", "image"])
def test_the_order_of_images_permutes_the_values_and_nothing_else(scope):
    entropy, foreground, path = scene()
    before = image_values(entropy, foreground, path, scope=scope)
    after = image_values(entropy[:, ORDER], foreground[ORDER], path, scope=scope)
    noise = noise_redraws(entropy, 0.1, foreground, path, scope=scope, redraws=5, seed=0)
    for name, metric in METRICS.items():
        assert torch.equal(before[name][ORDER].nan_to_num(-1), after[name].nan_to_num(-1)), name
        sides = [(before[name], noise[name]), (after[name], noise[name][:, ORDER])]
        first, second = (
            bootstrap_interval(values, statistic=metric.statistic, seed=1, noise=redraws, resamples=200)
            for values, redraws in sides
        )
        assert first == second, name


@pytest.mark.parametrize("statistic", ["mean", "std", "var"])
def test_comparing_does_not_depend_on_the_order_of_images(statistic):
    student, baseline = torch.rand(2, 9, generator=torch.Generator().manual_seed(0))
    order = torch.randperm(9, generator=torch.Generator().manual_seed(1))
    first = paired_difference(student, baseline, statistic=statistic, seed=0)
    assert paired_difference(student[order], baseline[order], statistic=statistic, seed=0) == first
    assert first.low < first.high


@pytest.mark.parametrize("name", METRICS)
def test_same_seed_same_numbers_other_seed_others(name):
    entropy, foreground, path = scene()
    draws = [noise_redraws(entropy, 0.3, foreground, path, redraws=4, seed=seed) for seed in (3, 3, 4)]
    first, again, other = (draw[name].nan_to_num(-1) for draw in draws)
    assert torch.equal(first, again) and not torch.equal(first, other)


@pytest.mark.parametrize("scope", ["dataset", "image"])
def test_foreground_and_background_counts_add_up_to_the_concept_cells(scope):
    entropy, foreground, _ = scene(1)
    concepts = concept_cells(entropy, foreground, 0.2, scope)
    n_foreground, n_background = count_concepts(concepts, foreground)
    assert torch.equal(n_foreground + n_background, concepts.flatten(-2).sum(-1))
    swapped = count_concepts(concepts, ~foreground)
    assert torch.equal(swapped[0], n_background) and torch.equal(swapped[1], n_foreground)
    ratio = relevance_ratio(n_foreground[0], n_background[0])
    assert ratio.mean + relevance_ratio(swapped[0][0], swapped[1][0]).mean == pytest.approx(1)


def test_a_larger_margin_keeps_a_subset_of_the_concepts():
    entropy, foreground, _ = scene(2)
    small, large = (concept_cells(entropy, foreground, margin) for margin in (0.1, 0.3))
    assert not bool((large & ~small).any()) and int(large.sum()) < int(small.sum())


def test_epochs_are_measured_one_by_one():
    entropy, foreground, _ = scene(3)
    together = concept_cells(entropy, foreground)
    assert torch.equal(together, torch.stack([concept_cells(one, foreground) for one in entropy]))


@settings(max_examples=30, deadline=None, derandomize=True)
@given(st.integers(1, 6), st.integers(0, 10**6))
def test_stability_is_one_exactly_if_nothing_learned_is_given_up(epochs, seed):
    generator = torch.Generator().manual_seed(seed)
    concepts = torch.rand(epochs, 5, 3, 3, generator=generator) < 0.3
    foreground = torch.rand(5, 3, 3, generator=generator) < 0.6
    accumulated = concepts.cumsum(0) > 0
    kept = stability(accumulated, foreground)
    assert bool((kept.per_image.nan_to_num(1.0) == 1).all())
    lost = (accumulated[-1] & ~concepts[-1] & foreground).flatten(1).any(1)
    free = stability(concepts, foreground).per_image
    assert torch.equal(free.nan_to_num(1.0) < 1, lost)
    assert bool((free.nan_to_num(0.0) >= 0).all())


def test_stability_does_not_depend_on_the_order_of_the_epochs_before_the_last():
    entropy, foreground, _ = scene(4)
    concepts = concept_cells(entropy, foreground)
    same, other = (stability(concepts[order], foreground).per_image for order in ([2, 0, 1, 3], [0, 1, 3, 2]))
    reference = stability(concepts, foreground).per_image
    assert torch.equal(same.nan_to_num(-1), reference.nan_to_num(-1))
    assert not torch.equal(other.nan_to_num(-1), reference.nan_to_num(-1))


def weights(seed, epochs=5):
    shapes = {"w": (4, 3), "b": (4,)}
    generator = torch.Generator().manual_seed(seed)
    return [
        {name: torch.randn(*shape, generator=generator).double() for name, shape in shapes.items()}
        for _ in range(epochs)
    ]


def mapped(states, change):
    return [{name: change(name, tensor) for name, tensor in state.items()} for state in states]


PATH_LAWS = {
    "all weights scaled": lambda name, tensor: 7.0 * tensor,
    "all weights negated": lambda name, tensor: -tensor,
    "units permuted": lambda name, tensor: tensor.flip(0),
    "tensors reshaped": lambda name, tensor: tensor.flatten(),
}


@pytest.mark.parametrize("law", PATH_LAWS)
def test_changes_that_leave_the_path_alone(law):
    states = weights(0)
    path = weight_path(states, ["w", "b"])
    assert weight_path(mapped(states, PATH_LAWS[law]), ["w", "b"]).tolist() == pytest.approx(path.tolist())


def test_path_does_not_depend_on_the_order_of_names_and_ignores_other_tensors():
    states = weights(1)
    path = weight_path(states, ["w", "b"])
    noisy = [{**state, "other": torch.randn(9)} for state in states]
    assert weight_path(noisy, ["b", "w"]).tolist() == pytest.approx(path.tolist())
    assert weight_path(states, ["w"]).tolist() != pytest.approx(path.tolist())


def test_a_straight_line_is_as_long_as_the_displacement_and_a_detour_is_longer():
    start, end = weights(2)[:2]
    shares = [0.0, 0.1, 0.5, 0.6, 1.0]
    line = [{name: start[name] + share * (end[name] - start[name]) for name in start} for share in shares]
    displacement = float(weight_path([start, end], ["w", "b"])[-1])
    path = weight_path(line, ["w", "b"])
    assert path.tolist() == pytest.approx([share * displacement for share in shares])
    detour = weight_path([start, weights(3)[0], end], ["w", "b"])
    assert float(detour[-1]) > 1.01 * displacement
    back = weight_path([start, end, start], ["w", "b"])
    assert float(back[-1]) == pytest.approx(2 * displacement)


def test_standing_still_costs_nothing():
    start = weights(4)[0]
    assert weight_path([start] * 4, ["w", "b"]).tolist() == [0, 0, 0, 0]


def test_learning_distance_scales_with_the_path():
    counts = torch.randint(0, 5, (4, 20), generator=torch.Generator().manual_seed(0))
    path = torch.tensor([0.0, 0.25, 0.5, 0.625, 1.0], dtype=torch.float64)
    once, twice = learning_distance(counts, path), learning_distance(counts, 2 * path)
    assert (twice.mean, twice.std, twice.var) == pytest.approx((2 * once.mean, 2 * once.std, 4 * once.var))
    assert once.std > 0 and once.var == pytest.approx(once.std**2)


def test_learning_distance_does_not_see_how_many_concepts_only_when_most():
    counts = torch.randint(0, 5, (4, 20), generator=torch.Generator().manual_seed(1))
    path = torch.arange(5.0)
    once, more = learning_distance(counts, path), learning_distance(counts * 3, path)
    assert torch.equal(once.peak_epoch, more.peak_epoch) and once.mean == more.mean
