import math

import pytest
import torch
from oracles import knowledge as oracle

from kdprobe.errors import InputError
from kdprobe.metrics import entropy_histogram


def test_bins_against_loops():
    generator = torch.Generator().manual_seed(0)
    entropy = -2.8 + 0.3 * torch.randn(7, 4, 4, generator=generator, dtype=torch.float64)
    cells = torch.rand(7, 4, 4, generator=generator) < 0.5
    edges, counts = entropy_histogram(entropy, cells, width=0.1)
    values = [
        value
        for image, mask in zip(entropy.tolist(), cells.tolist(), strict=True)
        for row, chosen in zip(image, mask, strict=True)
        for value, is_chosen in zip(row, chosen, strict=True)
        if is_chosen
    ]
    assert counts == oracle.bin_counts(values, edges) and sum(counts) == len(values)
    assert counts[0] > 0 and counts[-1] > 0
    assert [round(edge * 10) / 10 for edge in edges] == pytest.approx(edges, abs=1e-12)


def test_edges_lie_on_one_grid_and_hold_what_equals_them():
    """Multiples of 0.05 are not exact: a value that is an edge goes up in spite of it, also at both ends."""
    edge_values = torch.tensor([[[-0.15, 0.15], [0.35, 0.3]]], dtype=torch.float64)
    edges, counts = entropy_histogram(edge_values, torch.ones(1, 2, 2, dtype=torch.bool))
    assert edges[0] == -0.15 and edges[-1] == 0.4 and len(edges) == 12
    assert [edge for edge, count in zip(edges[:-1], counts, strict=True) if count] == [-0.15, 0.15, 0.3, 0.35]


def test_a_value_just_below_an_edge_stays_below_it():
    """-2.8 less one rounding, divided by 0.05, is -56 again."""
    below = math.nextafter(-2.8, -3.0)
    assert math.floor(below / 0.05) == -56
    found = entropy_histogram(
        torch.full((1, 1, 2), below, dtype=torch.float64), torch.ones(1, 1, 2, dtype=torch.bool)
    )
    assert found == ([-2.85, -2.8], [2])


def test_no_cell_no_bins():
    entropy = torch.zeros(2, 3, 3)
    assert entropy_histogram(entropy, torch.zeros(2, 3, 3, dtype=torch.bool)) == ([], [])


def test_what_does_not_fit_gives_one_sentence():
    entropy, cells = torch.zeros(2, 3, 3), torch.ones(2, 3, 3, dtype=torch.bool)
    for width in (0, -0.1, float("nan"), float("inf")):
        with pytest.raises(InputError, match="width must be a finite number"):
            entropy_histogram(entropy, cells, width)
    with pytest.raises(InputError, match="cells must have the shape"):
        entropy_histogram(entropy, cells[:1])
    with pytest.raises(InputError, match="NaN"):
        entropy_histogram(entropy / 0, cells)
