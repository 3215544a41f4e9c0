import math

import pytest
import torch
from oracles import metrics as oracle

from kdprobe.errors import InputError
from kdprobe.metrics import baseline_entropy, concept_cells, count_concepts, relevance_ratio


def maps(seed=0, epochs=3, images=5, grid=4):
    """Entropies with uneven foregrounds, so that pooling cells and averaging images differ."""
    generator = torch.Generator().manual_seed(seed)
    entropy = -2.8 + 0.3 * torch.randn(epochs, images, grid, grid, generator=generator, dtype=torch.float64)
    share = torch.linspace(0.1, 0.8, images)[:, None, None]
    foreground = torch.rand(images, grid, grid, generator=generator) < share
    foreground[:, 0, 0], foreground[:, 0, 1] = True, False
    return entropy, foreground


@pytest.mark.parametrize("scope", ["dataset", "image"])
def test_baseline_against_loops(scope):
    entropy, foreground = maps()
    baseline = baseline_entropy(entropy, foreground, scope)
    assert baseline.shape == ((3, 5) if scope == "image" else (3,)) and baseline.dtype == torch.float64
    for epoch in range(3):
        expected = oracle.baselines(entropy[epoch].tolist(), foreground.tolist(), scope)
        got = baseline[epoch].tolist() if scope == "image" else [float(baseline[epoch])] * 5
        assert got == pytest.approx(expected, abs=1e-14)


def test_dataset_baseline_is_the_mean_of_image_means_not_of_pooled_cells():
    foreground = torch.tensor([[[True, True], [True, False]], [[False, False], [False, True]]])
    entropy = torch.tensor([[[9.0, 9], [9, 4]], [[1, 1], [1, 9]]])
    assert float(baseline_entropy(entropy, foreground)) == (4 + 1) / 2  # pooled: (4 + 1 + 1 + 1) / 4
    assert baseline_entropy(entropy, foreground, "image").tolist() == [4.0, 1.0]


@pytest.mark.parametrize("scope", ["dataset", "image"])
@pytest.mark.parametrize("margin", [0.1, 0.2, 0.25])
def test_concepts_and_counts_against_loops(scope, margin):
    entropy, foreground = maps(1)
    concepts = concept_cells(entropy, foreground, margin, scope)
    n_foreground, n_background = count_concepts(concepts, foreground)
    assert n_foreground.shape == n_background.shape == (3, 5)
    assert n_foreground.sum() > 0 and n_background.sum() > 0
    for epoch in range(3):
        expected = oracle.concepts(entropy[epoch].tolist(), foreground.tolist(), margin, scope)
        assert concepts[epoch].tolist() == expected
        for image in range(5):
            pair = oracle.count(expected[image], foreground[image].tolist())
            assert (int(n_foreground[epoch, image]), int(n_background[epoch, image])) == pair


def test_the_margin_itself_is_no_concept():
    foreground = torch.tensor([[[True, False], [True, False]]])
    entropy = torch.tensor([[[0.75, 1.0], [0.75 - 2**-40, 1.0]]], dtype=torch.float64)
    assert concept_cells(entropy, foreground, 0.25).tolist() == [[[False, False], [True, False]]]


def test_arithmetic_is_float64():
    """In float32, 0.2 + 1e-9 is 0.2: the cell would not be a concept."""
    foreground = torch.tensor([[[True, False]]]).expand(1, 2, 2).clone()
    foreground[0, 1] = False
    entropy = torch.tensor([[[-2.8 - 0.2 - 1e-9, -2.8], [-2.8, -2.8]]], dtype=torch.float64)
    assert int(concept_cells(entropy, foreground, 0.2).sum()) == 1
    assert baseline_entropy(entropy.float(), foreground).dtype == torch.float64


def test_ratio_leaves_out_images_without_concepts_and_counts_them():
    ratio = relevance_ratio(torch.tensor([3, 0, 0, 1]), torch.tensor([1, 0, 5, 0]))
    assert ratio.mean == pytest.approx((0.75 + 0 + 1) / 3) == float(ratio)
    assert ratio.left_out == 1 and ratio.per_image[[0, 2, 3]].tolist() == [0.75, 0.0, 1.0]
    assert ratio.per_image.isnan().tolist() == [False, True, False, False]
    released = relevance_ratio(torch.tensor([3, 0, 0, 1]), torch.tensor([1, 0, 5, 0]), empty="zero")
    assert released.mean == pytest.approx(1.75 / 4) and released.left_out == 0


@pytest.mark.parametrize("empty", ["skip", "zero"])
def test_ratio_against_loops(empty):
    generator = torch.Generator().manual_seed(3)
    n_foreground = torch.randint(0, 3, (40,), generator=generator)
    n_background = torch.randint(0, 3, (40,), generator=generator)
    ratio = relevance_ratio(n_foreground, n_background, empty)
    pairs = zip(n_foreground.tolist(), n_background.tolist(), strict=True)
    expected = [oracle.ratio(a, b, empty) for a, b in pairs]
    assert ratio.mean == pytest.approx(oracle.mean(expected), abs=1e-14)
    assert ratio.left_out == oracle.left_out(expected) and (ratio.left_out > 0) == (empty == "skip")
    assert ratio.per_image.tolist() == pytest.approx(expected, nan_ok=True)


def test_no_images_give_nan_and_no_warning(recwarn):
    none = torch.zeros(0, 4, 4, dtype=torch.float64)
    concepts = concept_cells(none, none > 0)
    ratio = relevance_ratio(*count_concepts(concepts, none > 0))
    assert math.isnan(ratio.mean) and ratio.left_out == 0 and math.isnan(baseline_entropy(none, none > 0))
    assert not recwarn.list


@pytest.mark.parametrize("scope", ["dataset", "image"])
def test_nan_entropies_and_images_without_background_are_refused(scope):
    entropy, foreground = maps()
    damaged = entropy.clone()
    damaged[1, 2, 0, 0], damaged[2, 4, 0, 0] = float("nan"), float("inf")
    with pytest.raises(InputError, match=r"2 of 5 images \(first: image 2\)"):
        concept_cells(damaged, foreground, 0.2, scope)
    foreground[3] = True
    with pytest.raises(InputError, match="Image 3 has no background cell"):
        baseline_entropy(entropy, foreground, scope)


@pytest.mark.parametrize(
    "call, words",
    [
        (lambda e, f: concept_cells(e, f, 0.0), "margin must be"),
        (lambda e, f: concept_cells(e, f, float("nan")), "margin must be"),
        (lambda e, f: concept_cells(e, f, 0.2, "pixel"), "dataset, image; got 'pixel'"),
        (lambda e, f: concept_cells(e, f.float()), "foreground must be a bool tensor"),
        (lambda e, f: concept_cells(e, f[:2]), r"foreground must have the shape \(5, 4, 4\)"),
        (lambda e, f: concept_cells(e[0, 0], f), r"shape \(..., N, g, g\)"),
        (lambda e, f: count_concepts(e, f), "concepts must be a bool tensor"),
        (lambda e, f: relevance_ratio([1], [1, 2]), "the same images; got 1 and 2"),
        (lambda e, f: relevance_ratio([-1], [1]), "n_foreground must be finite"),
        (lambda e, f: relevance_ratio([[1]], [[1]]), r"1 dimension\(s\)"),
        (lambda e, f: relevance_ratio([1], [1], "drop"), "skip, zero; got 'drop'"),
    ],
)
def test_other_bad_input_gives_one_sentence(call, words):
    with pytest.raises(InputError, match=words):
        call(*maps())


def test_plain_lists_are_not_rounded_to_float32():
    entropy = [[[0.1, 0.3], [0.7, 0.2]]]
    foreground = torch.tensor([[[True, False], [False, False]]])
    assert float(baseline_entropy(entropy, foreground)) == pytest.approx(0.4, rel=1e-12)
