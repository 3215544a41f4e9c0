"""The weight distance as the weights come, and the counts of every image."""

import numpy as np
import pytest
import torch

from kdprobe.errors import InputError
from kdprobe.metrics import WeightWalk, concept_cells, count_values, weight_path


def states(count: int = 4, dtype: torch.dtype = torch.float32) -> list[dict[str, torch.Tensor]]:
    generator = torch.Generator().manual_seed(4)
    return [
        {
            "a": torch.randn(3, 4, generator=generator).to(dtype),
            "b": torch.randn((), generator=generator).to(dtype),
            "c": torch.randn(5, generator=generator).to(dtype),
        }
        for _ in range(count)
    ]


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_the_distance_is_the_sum_of_the_steps_over_the_initial_norm(dtype):
    """Held against one long vector in numpy."""
    walk = WeightWalk(["a", "b"])
    found = [walk.add(state) for state in states(dtype=dtype)]
    long = [torch.cat([s["a"].flatten(), s["b"][None]]).double().numpy() for s in states(dtype=dtype)]
    steps = np.linalg.norm(np.diff(long, axis=0), axis=1)
    expected = np.concatenate([[0], np.cumsum(steps)]) / np.linalg.norm(long[0])
    assert found == pytest.approx(expected, rel=1e-12)


def test_weights_that_move_on_in_place_are_seen_as_they_were():
    walk, live = WeightWalk(["a"]), {"a": torch.ones(4)}
    walk.add(live)
    live["a"] += 1
    assert walk.add(live) == 1.0
    assert walk.add(live) == 1.0


@pytest.mark.parametrize("weights", [True, False])
def test_a_walk_that_goes_on_is_the_same_walk(weights):
    whole, half, given = WeightWalk(["a", "c"]), WeightWalk(["a", "c"]), states()
    expected = [whole.add(state) for state in given]
    half.add(given[0])
    half.add(given[1])
    kept, half = half.state_dict(weights=weights), WeightWalk(["a", "c"])
    assert (kept["previous"] is None) != weights
    half.load_state_dict(kept, given[3] if weights else given[1])
    assert [half.add(given[2]), half.add(given[3])] == expected[2:]


def test_it_knows_where_it_stands():
    walk, (first, second) = WeightWalk(["a", "b"]), states(2)
    walk.add(first)
    assert walk.stands_at({**first, "c": second["c"]})
    assert not any(walk.stands_at({**first, name: second[name]}) for name in ("a", "b"))


def test_a_state_that_is_refused_adds_nothing():
    walk, (first, second, third) = WeightWalk(["a"]), states(3)
    walk.add(first)
    walk.add(second)
    broken = {"a": second["a"].clone().fill_(torch.nan)}
    with pytest.raises(InputError, match="'a' of snapshot 2 has NaN or infinite values"):
        walk.add(broken)
    with pytest.raises(InputError, match=r"Tensor 'a' has the shape \(2,\) in snapshot 2"):
        walk.add({"a": torch.ones(2)})
    assert walk.add(third) == float(weight_path([first, second, third], ["a"])[-1])


def test_counts_of_every_image_at_every_epoch():
    """By loops over images and cells."""
    generator = torch.Generator().manual_seed(1)
    entropy = torch.randn(3, 5, 4, 4, generator=generator, dtype=torch.float64)
    entropy[1, 2] = entropy[1, 2].abs() + 5  # an image without any concept
    foreground = torch.rand(5, 4, 4, generator=generator) < 0.4
    concepts = concept_cells(entropy, foreground, 0.3)
    found = count_values(concepts, foreground)
    zero = count_values(concepts, foreground, empty="zero")
    for epoch in range(3):
        for image in range(5):
            inside = outside = 0
            for is_concept, is_inside in zip(
                concepts[epoch, image].flatten().tolist(), foreground[image].flatten().tolist(), strict=True
            ):
                inside += is_concept and is_inside
                outside += is_concept and not is_inside
            assert found["n_foreground"][epoch, image] == inside
            assert found["n_background"][epoch, image] == outside
            ratio = found["relevance_ratio"][epoch, image]
            if inside + outside == 0:
                assert torch.isnan(ratio)
                assert zero["relevance_ratio"][epoch, image] == 0
            else:
                assert float(ratio) == pytest.approx(inside / (inside + outside), rel=1e-12)
    assert torch.isnan(found["relevance_ratio"][1, 2])
