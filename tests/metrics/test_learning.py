import math

import pytest
import torch
from oracles import metrics as oracle

from kdprobe.errors import InputError
from kdprobe.metrics import learning_distance, weight_path


def snapshots(seed=0, epochs=4):
    generator = torch.Generator().manual_seed(seed)
    return [
        {"a.weight": torch.randn(3, 2, generator=generator), "a.bias": torch.randn(3, generator=generator)}
        for _ in range(epochs + 1)
    ]


def flat(state, names):
    return [weight for name in names for weight in state[name].flatten().tolist()]


@pytest.mark.parametrize("names", [["a.weight", "a.bias"], ["a.weight"]])
def test_path_against_loops(names):
    states = snapshots()
    path = weight_path(states, names)
    assert path.shape == (5,) and path.dtype == torch.float64 and float(path[0]) == 0
    expected = oracle.weight_path([flat(state, names) for state in states])
    assert path.tolist() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_path_of_a_generator_over_a_living_model(dtype):
    """state_dict() aliases the weights: without copies every step would be 0."""
    layer = torch.nn.Linear(2, 1, bias=False, dtype=dtype)
    layer.weight.data = torch.tensor([[3.0, 4.0]], dtype=dtype)

    def training():
        for step in range(3):
            if step:
                layer.weight.data += torch.tensor([[0.0, 5.0]]) * step
            yield layer.state_dict()

    assert weight_path(training(), ["weight"]).tolist() == pytest.approx([0, 1, 3])


def test_path_holds_one_snapshot_and_one_copy_at_a_time():
    alive = []

    class Weights(dict):
        def __del__(self):
            alive.remove(self["number"])

    def training():
        for number in range(5):
            alive.append(number)
            assert len(alive) <= 2
            yield Weights(number=number, w=torch.ones(4) * (number + 1))

    assert weight_path(training(), ["w"]).tolist() == pytest.approx([0, 1, 2, 3, 4])


def test_path_in_low_precision_is_summed_in_float64():
    start = torch.ones(2**14, dtype=torch.bfloat16)
    path = weight_path([{"w": start}, {"w": 1.5 * start}], ["w"])
    assert float(path[1]) == pytest.approx(0.5, rel=1e-12)


def test_one_snapshot_has_a_path_of_one_zero():
    assert weight_path(snapshots(epochs=0), ["a.bias"]).tolist() == [0.0]


@pytest.mark.parametrize(
    "states, names, words",
    [
        ([], ["w"], "no snapshot"),
        (snapshots(), [], "names must be a list"),
        (snapshots(), "a.bias", "names must be a list"),
        (snapshots(), ["a.bias", "a.bias"], "different tensor names"),
        (snapshots(), ["b.bias"], "Snapshot 0 has no tensor 'b.bias'"),
        ([{"w": torch.ones(2)}, {"w": torch.ones(3)}], ["w"], r"\(3,\) in snapshot 1, before \(2,\)"),
        ([{"w": torch.zeros(2)}, {"w": torch.ones(2)}], ["w"], "all zero"),
        ([{"w": torch.ones(2)}, {"w": torch.tensor([1, float("inf")])}], ["w"], "'w' of snapshot 1 has NaN"),
    ],
)
def test_unusable_snapshots_give_one_sentence(states, names, words):
    with pytest.raises(InputError, match=words):
        weight_path(states, names)


def test_distance_against_loops():
    counts = torch.randint(0, 4, (5, 60), generator=torch.Generator().manual_seed(2))
    counts[:, 7] = 0
    path = torch.tensor([0.0, 0.3, 0.5, 0.55, 0.9, 1.0], dtype=torch.float64)
    distance = learning_distance(counts, path)
    peaks = [oracle.peak_epoch(counts[:, image].tolist()) for image in range(60)]
    expected = [float(path[peak]) if peak else math.nan for peak in peaks]
    assert distance.peak_epoch.tolist() == peaks and distance.peak_epoch.dtype == torch.int64
    assert distance.per_image.tolist() == pytest.approx(expected, nan_ok=True)
    assert distance.mean == pytest.approx(oracle.mean(expected), rel=1e-12)
    assert distance.var == pytest.approx(oracle.variance(expected), rel=1e-12)
    assert distance.std == pytest.approx(math.sqrt(oracle.variance(expected)), rel=1e-12)
    assert distance.left_out == oracle.left_out(expected) >= 1


def test_the_first_of_equal_peaks_counts_and_epoch_1_can_be_the_peak():
    counts = torch.tensor([[5, 1, 0, 0], [5, 2, 0, 3], [4, 2, 0, 3]])
    distance = learning_distance(counts, [0.0, 0.1, 0.4, 1.0])
    assert distance.peak_epoch.tolist() == [1, 2, 0, 2]
    assert distance.per_image[[0, 1, 3]].tolist() == pytest.approx([0.1, 0.4, 0.4])
    assert math.isnan(distance.per_image[2]) and distance.left_out == 1
    assert distance.var == pytest.approx(0.02) and distance.std == pytest.approx(0.02**0.5)


def test_nothing_learned_anywhere_gives_nan_and_no_warning(recwarn):
    distance = learning_distance(torch.zeros(3, 2), [0.0, 1, 2, 3])
    assert all(math.isnan(value) for value in (distance.mean, distance.std, distance.var))
    assert distance.left_out == 2 and not recwarn.list
    assert learning_distance(torch.zeros(3, 0), [0.0, 1, 2, 3]).left_out == 0


@pytest.mark.parametrize(
    "counts, path, words",
    [
        (torch.ones(3, 2), [0.0, 1, 2], "one entry more than the 3 epochs"),
        (torch.ones(0, 2), [0.0], "at least 1"),
        (torch.ones(2, 2), [0.1, 1, 2], "start at 0"),
        (torch.ones(2, 2), [0.0, 2, 1], "never decrease"),
        (torch.ones(2, 2), [0.0, 2, math.nan], "finite"),
        (torch.ones(2), [0.0, 1, 2], r"2 dimension\(s\)"),
        (torch.tensor([[math.nan], [1]]), [0.0, 1, 2], "finite"),
    ],
)
def test_unusable_counts_and_paths_give_one_sentence(counts, path, words):
    with pytest.raises(InputError, match=words):
        learning_distance(counts, path)


def released_distances(counts, path, epochs_counted):
    """As the released code does it: np.argmax over the listed checkpoints, the path looked up by list index."""
    return [path[epochs_counted[max(range(len(column)), key=lambda k: (column[k], -k))]] for column in counts]


@pytest.mark.parametrize(("initial", "lag"), [(True, 0), (False, 0), (False, 1)])
def test_distance_as_in_the_released_code(initial, lag):
    counts = torch.randint(0, 4, (6 if initial else 5, 60), generator=torch.Generator().manual_seed(2))
    counts[:, 7] = 0
    path = [0.0, 0.3, 0.5, 0.55, 0.9, 1.0]
    listed = list(range(6)) if initial else [k - lag for k in range(1, 6)]
    expected = released_distances(counts.T.tolist(), path, listed)
    distance = learning_distance(counts, path, empty="zero", initial=initial, path_lag=lag)
    assert distance.per_image.tolist() == expected and distance.left_out == 0
    assert len(set(expected)) >= 5


def test_an_empty_image_is_left_out_with_the_initial_weights_too():
    distance = learning_distance(torch.tensor([[0, 3], [0, 1]]), [0.0, 1.0], initial=True)
    assert math.isnan(distance.per_image[0]) and distance.per_image[1] == 0 and distance.left_out == 1


@pytest.mark.parametrize(("initial", "lag"), [(True, 1), (False, 2), (False, -1)])
def test_a_lag_that_has_no_meaning_is_refused(initial, lag):
    with pytest.raises(InputError, match="path_lag must be 0, or 1"):
        learning_distance(
            torch.ones(2, 2), [0.0, 1.0, 2.0][: 2 if initial else 3], initial=initial, path_lag=lag
        )
