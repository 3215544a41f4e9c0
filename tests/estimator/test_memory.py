"""Memory is bounded by `internal_batch_size`, whatever the number of images and samples."""

import dataclasses
import weakref

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from kdprobe import EntropyEstimator
from kdprobe.estimator import PROTOCOLS, Decomposed
from kdprobe.estimator.feature import Feature


class LiveBytes(TorchDispatchMode):
    """Bytes of the tensors made inside that live at a time, those that autograd keeps for itself included.

    A storage's Python side lives as long as its memory, so a weak reference to it tells when that is given back.
    """

    def __init__(self):
        super().__init__()
        self.now = self.peak = 0
        self._sizes = {}

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        known = {
            id(leaf.untyped_storage())
            for leaf in tree_leaves((args, kwargs))
            if isinstance(leaf, torch.Tensor)
        }
        result = function(*args, **(kwargs or {}))
        for leaf in tree_leaves(result):
            if isinstance(leaf, torch.Tensor):
                storage = leaf.untyped_storage()
                if id(storage) not in known | self._sizes.keys():
                    self._add(storage)
        return result

    def _add(self, storage):
        key, size = id(storage), storage.nbytes()
        self._sizes[key] = size
        self.now += size
        self.peak = max(self.peak, self.now)
        weakref.finalize(storage, self._remove, key)

    def _remove(self, key):
        self.now -= self._sizes.pop(key)


def net():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 32, 3, padding=1),
        nn.BatchNorm2d(32),
        nn.ReLU(inplace=True),
        nn.Conv2d(32, 32, 3, padding=1),
        nn.Tanh(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(32 * 64, 8),
    )


def pictures(count):
    return torch.randn(count, 3, 16, 16, generator=torch.Generator().manual_seed(1))


SHORT = dataclasses.replace(PROTOCOLS["cheng2020"], steps=3, extra_steps=0)


def peak(use):
    with LiveBytes() as counter:
        use()
    return counter.peak


def estimating(images, pairs=4, size=8):
    solver = Decomposed(pairs=pairs, refreshes=2, scale_samples=16)
    model, images = net(), pictures(images)
    estimator = EntropyEstimator(model, "7", grid=4, internal_batch_size=size, protocol=SHORT, solver=solver)
    return peak(lambda: estimator.estimate(images))


def estimate_rounds(rounds):
    solver = Decomposed(tolerance=1e-9, max_rounds=rounds, refreshes=2, scale_samples=16)
    estimator = EntropyEstimator(net(), "7", grid=4, internal_batch_size=8, protocol=SHORT, solver=solver)
    result = estimator.estimate(pictures(1))
    assert result.stats["rounds"] == [rounds]


def test_the_counter_sees_what_autograd_keeps():
    layer, rows = nn.Sequential(nn.Linear(1000, 1000), nn.Tanh()).requires_grad_(False), torch.randn(10, 1000)
    size = 10 * 1000 * 4

    def forward(depth):
        value = rows.clone().requires_grad_()
        for _ in range(depth):
            value = layer(value)
        return value

    with LiveBytes() as counter:
        value = forward(depth=5)
        assert counter.now >= 6 * size  # the leaf and five values that the backward pass needs
        del value
        assert counter.now == 0
        with torch.no_grad():
            forward(depth=50)
    assert counter.peak < 12 * size


def test_memory_does_not_grow_with_the_images():
    assert estimating(images=16) <= 1.02 * estimating(images=4)  # four are worked on together


def test_memory_does_not_grow_with_the_rounds():
    """More samples are more rounds: that is how `tolerance` spends them."""
    few, many = (peak(lambda n=rounds: estimate_rounds(n)) for rounds in (2, 8))
    assert many <= 1.02 * few


def test_a_refresh_holds_the_noise_of_its_pairs_and_little_more():
    """Each pair's cotangent is the mean shift that the others found, so a refresh holds all its pairs together.

    Larger budgets are spent in rounds, whose memory does not grow (above).
    """
    few, many = (estimating(images=1, pairs=pairs) for pairs in (8, 64))
    picture = pictures(1).nbytes
    grown = (many - few) / (64 - 8)
    assert picture <= grown <= 8 * picture


def test_memory_grows_with_the_internal_batch_size_only():
    assert estimating(images=4, pairs=16, size=32) > 2 * estimating(images=4, pairs=16, size=8)


@pytest.mark.parametrize("cotangents", [1, 3])
def test_pull_through_keeps_the_graph_of_one_part_at_a_time(cotangents):
    model = net().eval().requires_grad_(False)

    def pulling(count):
        feature, rows = Feature(model, "7", "relu", 8), pictures(count)
        sums = [lambda _part, gradient: gradient.sum((1, 2, 3))] * cotangents
        given = [lambda _part, value: value] * cotangents
        return peak(lambda: feature.pull_through(rows, given, sums))

    assert pulling(64) <= 1.02 * pulling(8)
