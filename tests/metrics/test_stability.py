import math

import pytest
import torch
from oracles import metrics as oracle

from kdprobe.errors import InputError
from kdprobe.metrics import stability


@pytest.mark.parametrize("empty", ["skip", "zero"])
def test_against_sets_of_cells(empty):
    generator = torch.Generator().manual_seed(0)
    concepts = torch.rand(4, 30, 3, 3, generator=generator) < 0.1
    foreground = torch.rand(30, 3, 3, generator=generator) < 0.4
    result = stability(concepts, foreground, empty)
    expected = [
        oracle.stability([epoch[image].tolist() for epoch in concepts], foreground[image].tolist(), empty)
        for image in range(30)
    ]
    assert result.per_image.tolist() == pytest.approx(expected, nan_ok=True)
    assert result.mean == pytest.approx(oracle.mean(expected), rel=1e-12)
    assert result.left_out == oracle.left_out(expected) and (result.left_out > 0) == (empty == "skip")


def test_kept_over_ever_learned_on_the_foreground_only():
    foreground = torch.tensor([[[True, True], [True, False]]])
    first = torch.tensor([[[True, True], [False, True]]])
    last = torch.tensor([[[True, False], [True, False]]])
    assert stability(torch.stack([first, last]), foreground).mean == pytest.approx(2 / 3)
    assert stability(torch.stack([last, first]), foreground).mean == pytest.approx(2 / 3)
    assert stability(torch.stack([first, last & ~foreground]), foreground).mean == 0


def test_no_value_at_all_is_nan():
    nothing = torch.zeros(2, 3, 2, 2, dtype=torch.bool)
    result = stability(nothing, ~nothing[0])
    assert math.isnan(result.mean) and result.left_out == 3


@pytest.mark.parametrize(
    "concepts, words",
    [
        (torch.zeros(2, 3, 2, 2), "concepts_by_epoch must be a bool tensor"),
        (torch.zeros(3, 2, 2, dtype=torch.bool), r"\(M, N, g, g\)"),
        (torch.zeros(0, 3, 2, 2, dtype=torch.bool), "M ≥ 1"),
        (torch.zeros(2, 4, 2, 2, dtype=torch.bool), "foreground must have the shape"),
    ],
)
def test_other_shapes_give_one_sentence(concepts, words):
    with pytest.raises(InputError, match=words):
        stability(concepts, torch.ones(3, 2, 2, dtype=torch.bool))
    with pytest.raises(InputError, match="skip, zero"):
        stability(torch.zeros(2, 3, 2, 2, dtype=torch.bool), torch.ones(3, 2, 2, dtype=torch.bool), "drop")
