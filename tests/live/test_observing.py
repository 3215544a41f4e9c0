"""Whoever is observed never notices: a training with and without the live probe, bit by bit."""

import random
import warnings

import numpy as np
import pytest
import torch
from live.subjects import Net, images, masks, options
from torch.utils.data import DataLoader, TensorDataset

from kdprobe.live import LiveProbe
from kdprobe.live.observing import unnoticed

EPOCHS = 3


def trained(look) -> dict:
    """All that three epochs leave behind: dropout, shuffling, BatchNorm, momentum; `look` is told of every epoch."""
    torch.manual_seed(11)
    np.random.seed(11)
    random.seed(11)
    net = Net()
    net.body.conv.bias.requires_grad_(False)
    net.body.norm.eval()  # a part that stays as it is
    optimiser = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
    data = TensorDataset(images(24, seed=5), torch.arange(24) % 3)
    look(net, 0)
    for epoch in range(1, EPOCHS + 1):
        for inputs, labels in DataLoader(data, batch_size=8, shuffle=True):
            optimiser.zero_grad()
            torch.nn.functional.cross_entropy(net(inputs), labels).backward()
            optimiser.step()
        look(net, epoch)
    return {
        "weights": net.state_dict(),
        "momentum": [state["momentum_buffer"] for state in optimiser.state_dict()["state"].values()],
        "gradients": [parameter.grad for parameter in net.parameters()],
        "flags": [module.training for module in net.modules()],
        "learns": [parameter.requires_grad for parameter in net.parameters()],
        "next": (torch.rand(3), torch.tensor(np.random.rand(3)), torch.tensor([random.random()])),
    }


def assert_equal(one, other) -> None:
    if isinstance(one, torch.Tensor):
        assert one.dtype == other.dtype
        assert torch.equal(one, other)
    elif isinstance(one, dict):
        assert list(one) == list(other)
        assert_equal([*one.values()], [*other.values()])
    elif isinstance(one, list | tuple):
        assert len(one) == len(other)
        for a, b in zip(one, other, strict=True):
            assert_equal(a, b)
    else:
        assert one == other


@pytest.mark.parametrize("epochs", [{0, 1, 2, 3}, {0, 2}, {3}])
def test_a_training_is_bitwise_the_same_with_and_without_the_probe(tmp_path, epochs):
    probe = LiveProbe(images(), masks(), "fc1", tmp_path, **options())

    def look(net, epoch):
        if epoch in epochs:
            probe.observe(net, epoch=epoch)

    assert_equal(trained(look), trained(lambda net, epoch: None))
    assert (tmp_path / "metrics.jsonl").read_bytes().count(b"\n") == len(epochs)


def test_a_measurement_that_breaks_leaves_nothing_behind_either(tmp_path):
    """It breaks in the middle: the first noisy pass of the third observation raises."""
    probe = LiveProbe(images(), masks(), "fc1", tmp_path, **options(on_error="warn"))

    class Breaking:
        def __init__(self) -> None:
            self.calls = 0

        def __call__(self, module, inputs):
            self.calls += 1
            module.passes += 1000
            if self.calls == 4:
                np.random.rand(5)
                torch.rand(5)
                raise RuntimeError("in the middle")

    def look(net, epoch):
        handle = net.register_forward_pre_hook(Breaking()) if epoch == 2 else None
        probe.observe(net, epoch=epoch)
        if handle is not None:
            handle.remove()

    with pytest.warns(UserWarning, match="Epoch 2 was not measured: in the middle"):
        observed = trained(look)
    assert_equal(observed, trained(lambda net, epoch: None))


def test_a_buffer_that_a_network_replaces_is_the_old_one_again():
    net = torch.nn.Module()
    net.register_buffer("seen", torch.zeros(2))
    before = net.seen
    with unnoticed(net):
        net.seen = net.seen + 1
        before += 5
    assert net.seen is before
    assert torch.equal(before, torch.zeros(2))


def test_a_graph_that_holds_a_buffer_still_works_afterwards(tmp_path):
    net = Net().train()
    loss = (net(images()) * net.body.norm.running_mean.sum()).sum()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        LiveProbe(images(), masks(), "fc1", tmp_path, **options()).observe(net, epoch=0)
    loss.backward()
    assert net.head.weight.grad.abs().sum() > 0
