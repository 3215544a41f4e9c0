"""The network up to the tap: its values and pulls in parts, memory that runs out, and what is counted."""

import pytest
import torch
from torch import nn

from kdprobe.errors import InputError, LayerError
from kdprobe.estimator import feature as feature_module
from kdprobe.estimator.feature import Feature, batch_size, is_out_of_memory, resolve_batch_size

ROWS = torch.randn(11, 3, 8, 8, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


class Hungry(nn.Module):
    """Asks torch's own allocator for more than any machine has when it meets more than `limit` rows."""

    def __init__(self, limit, backward=False):
        super().__init__()
        self.limit, self.backward, self.met = limit, backward, []

    def forward(self, x):
        self.met.append(len(x))
        if len(x) > self.limit:
            if not self.backward:
                torch.empty(2**58, dtype=torch.uint8)
            elif x.requires_grad:
                x = x.clone()
                x.register_hook(lambda _gradient: torch.empty(2**58, dtype=torch.uint8))
        return x


def make(limit=10**6, backward=False):
    torch.manual_seed(0)
    hungry = Hungry(limit, backward)
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Tanh(), hungry, nn.Flatten(), nn.Linear(4 * 36, 5))
    return net.double().requires_grad_(False), hungry


def jacobians(net, rows):
    one = torch.func.jacrev(lambda row: net(row[None])[0].relu())
    return torch.stack([one(row) for row in rows])  # (R, 5, C, H, W)


@pytest.mark.parametrize("size", [1, 4, 11, 64])
def test_pull_through_is_the_jacobian_whatever_the_parts(size):
    net, hungry = make()
    given = torch.randn(11, 5, dtype=torch.float64)
    jacobian, value = jacobians(net, ROWS), net(ROWS).relu()
    hungry.met.clear()
    feature = Feature(net, "4", "relu", size)
    parts = []

    def of_value(part, seen):
        parts.append(part)
        assert not seen.requires_grad
        torch.testing.assert_close(seen, value[part])
        return seen**2

    found, (first, second) = feature.pull_through(ROWS, [given, of_value])
    torch.testing.assert_close(found, value)
    torch.testing.assert_close(first, torch.einsum("rd,rdchw->rchw", given, jacobian))
    torch.testing.assert_close(second, torch.einsum("rd,rdchw->rchw", value**2, jacobian))
    assert [part.start for part in parts] == list(range(0, 11, size))
    assert max(hungry.met) <= size
    assert (feature.work.forward, feature.work.backward) == (11, 22)


def test_pull_through_keeps_what_it_is_told_to_keep():
    net, _ = make()
    feature = Feature(net, "4", "none", 4)
    given = torch.randn(11, 5, dtype=torch.float64)
    scale = torch.arange(11.0, dtype=torch.float64)
    _, (whole, _) = feature.pull_through(ROWS, [given, given])
    _, (sums, squares) = feature.pull_through(
        ROWS,
        [given, given],
        reduce=[
            lambda part, gradient: gradient.sum((1, 2, 3)) * scale[part],
            lambda _part, gradient: gradient.square().sum((2, 3)),
        ],
    )
    torch.testing.assert_close(sums, whole.sum((1, 2, 3)) * scale)
    torch.testing.assert_close(squares, whole.square().sum((2, 3)))
    assert torch.equal(feature.pull_through(ROWS, [])[0], feature(ROWS))


@pytest.mark.parametrize("backward", [False, True])
def test_memory_that_runs_out_halves_the_parts_and_changes_nothing_else(backward):
    net, hungry = make(limit=3, backward=backward)
    given = torch.randn(11, 5, dtype=torch.float64)
    ample = Feature(make()[0], "4", "relu", 16)
    expected = ample.pull_through(ROWS, [given, lambda _part, value: value])
    feature = Feature(net, "4", "relu", 16)
    value, pulled = feature.pull_through(ROWS, [given, lambda _part, value: value])
    torch.testing.assert_close(value, expected[0])
    torch.testing.assert_close(pulled, expected[1])
    assert hungry.met == [11, 5, 2, 2, 2, 2, 2, 1]
    assert feature.internal_batch_size == 2
    # Only passes that went well count; the smaller size is remembered.
    assert (feature.work.forward, feature.work.backward) == (11, 22)
    hungry.met.clear()
    torch.testing.assert_close(feature(ROWS), expected[0])
    assert max(hungry.met) == 2


def test_memory_that_runs_out_without_a_graph():
    net, hungry = make(limit=4)
    feature = Feature(net, "4", "relu", 11)
    torch.testing.assert_close(feature(ROWS), Feature(make()[0], "4", "relu", 11)(ROWS))
    assert hungry.met == [11, 5, 2, 2, 2, 2, 2, 1]
    assert feature.work.forward == 11


def test_the_graph_of_a_failed_part_is_gone_before_the_next_begins():
    """Tensors of the failed forward pass die with it, though an exception remembers the frames that held them."""
    import weakref

    net, hungry = make(limit=5)
    alive, held = [], []

    def note(_module, _inputs, output):
        held.append(sum(reference() is not None for reference in alive))
        alive.append(weakref.ref(output))

    net[1].register_forward_hook(note)
    Feature(net, "4", "relu", 11).pull_through(ROWS, [torch.ones(11, 5, dtype=torch.float64)])
    assert hungry.met[:2] == [11, 5]
    assert held == [0] * len(held)


def test_one_row_that_does_not_fit_and_errors_that_are_none_of_memory():
    net, _ = make(limit=0)
    feature = Feature(net, "4", "relu", 8)
    for use in (feature, lambda rows: feature.pull_through(rows, [])):
        with pytest.raises(InputError, match=r"too small for layer '4' on one image of \(3, 8, 8\)"):
            use(ROWS)
    with pytest.raises(InputError, match="too small"):
        resolve_batch_size(net, "4", ROWS[:1])
    feature = Feature(make()[0], "4", "relu", 8)
    with pytest.raises(RuntimeError, match="channels"):
        feature(ROWS[:, :2])
    assert feature.internal_batch_size == 8
    assert feature.work.total == 0


def test_what_counts_as_out_of_memory():
    assert is_out_of_memory(torch.OutOfMemoryError("CUDA out of memory."))
    assert is_out_of_memory(MemoryError())
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**58, dtype=torch.uint8)
    assert is_out_of_memory(caught.value)
    assert not is_out_of_memory(RuntimeError("shapes do not match"))
    assert not is_out_of_memory(ValueError("DefaultCPUAllocator: can't allocate memory"))


def test_no_rows_at_all():
    net, _ = make()
    feature = Feature(net, "4", "relu", 8)
    assert feature(ROWS[:0]).shape == (0, 5)
    value, (gradient,) = feature.pull_through(ROWS[:0], [torch.zeros(0, 5, dtype=torch.float64)])
    assert value.shape == (0, 5)
    assert gradient.shape == (0, 3, 8, 8)


class Frozen(nn.Module):
    """A backbone under no_grad, as in many transfer learning scripts."""

    def __init__(self, constant=False):
        super().__init__()
        self.backbone, self.head = nn.Conv2d(3, 2, 3), nn.Flatten()
        self.constant = constant

    def forward(self, x):
        with torch.no_grad():
            y = self.backbone(torch.zeros_like(x) if self.constant else x)
        return self.head(y)


def test_a_layer_that_lets_no_gradient_through_is_an_error_and_one_without_input_is_not():
    with pytest.raises(LayerError, match="lets no gradient through"):
        Feature(Frozen(), "head", "none", 8).prepare(ROWS[:1].float())
    Feature(Frozen(constant=True), "head", "none", 8).prepare(ROWS[:1].float())


class Flat(nn.Module):
    def __init__(self, how):
        super().__init__()
        self.how = how

    def forward(self, x):
        if self.how == "view":
            return x.view(len(x), -1)
        if self.how == "memory":  # a foreign kernel that trusts the memory to be contiguous
            return torch.as_strided(x, (len(x), x[0].numel()), (x[0].numel(), 1))
        return x.reshape(len(x), -1)


@pytest.mark.parametrize(("how", "expected"), [("reshape", True), ("view", False), ("memory", False)])
def test_channels_last_only_where_the_network_takes_it(how, expected):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), Flat(how), nn.Linear(144, 5)).double()
    met = []
    feature = Feature(net, "3", "none", 4)
    feature.prepare(ROWS[:1])
    net.register_forward_pre_hook(
        lambda _m, inputs: met.append(inputs[0].is_contiguous(memory_format=torch.channels_last))
    )
    given = torch.randn(11, 5, dtype=torch.float64)
    plain = Feature(net, "3", "none", 4)
    value, (pulled,) = feature.pull_through(ROWS, [given])
    assert met == [expected] * 3
    torch.testing.assert_close(value, plain(ROWS))
    torch.testing.assert_close(pulled, plain.pull_through(ROWS, [given])[1][0])


def test_settings_of_the_batch_size():
    assert batch_size(None) is batch_size("auto") is None
    assert batch_size(7) == 7
    for wrong in (0, -1, 2.5, True, "all"):
        with pytest.raises(InputError, match="'auto'"):
            batch_size(wrong)


def test_the_batch_size_found_by_itself(monkeypatch):
    net, _ = make()
    small = resolve_batch_size(net, "4", ROWS[:1])
    assert small == 1024
    assert resolve_batch_size(net, "4", torch.randn(1, 3, 8, 8)) == small
    # One row: conv, tanh, hungry and flatten of 4 * 36 values, 5 of the last layer; float64, twice for the gradients.
    row = 2 * 8 * (4 * 4 * 36 + 5)
    for bound, expected in ((64 * row, 64), (64 * row - 1, 32), (row, 8)):
        monkeypatch.setitem(feature_module._ACTIVATION_BYTES, "cpu", bound)
        assert resolve_batch_size(net, "4", ROWS[:1]) == expected
    assert not any(module._forward_hooks for module in net.modules())


def test_a_gpu_with_little_free_memory_gets_fewer_rows():
    assert feature_module._fitting(64, 1000, 64_000) == 64
    assert feature_module._fitting(64, 1000, 63_999) == 32
    assert feature_module._fitting(64, 1000, 10) == 1
