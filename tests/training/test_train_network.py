"""What one training promises, whatever the recipe."""

import random

import numpy as np
import pytest
import torch
from torch import nn

from kdprobe.storage import SnapshotStore
from kdprobe.training.batches import Batches

RECIPES = ("baseline", "kd", "feature")


@pytest.mark.parametrize("recipe", RECIPES)
def test_the_same_seed_gives_the_same_bytes_whatever_the_callers_generators(net, train, state, same, recipe):
    results = []
    for global_seed in (1, 2):
        torch.manual_seed(global_seed)
        model = net(seed=0)
        train(model, recipe, teacher=net(seed=9))
        results.append(state(model))
    assert same(*results)


def test_another_seed_gives_other_weights(net, train, state, same):
    models = [net(seed=0) for _ in range(2)]
    for seed, model in enumerate(models):
        train(model, seed=seed)
    assert not same(state(models[0]), state(models[1]))


def test_the_seed_decides_dropout_too(net, train, state, same):
    """One batch per epoch: its order changes the loss by rounding only, so what differs is dropout."""
    models = [net(seed=0) for _ in range(2)]
    losses = [
        train(model, seed=seed, settings={"batch_size": 40, "epochs": 1}).loss_by_epoch[1]
        for seed, model in enumerate(models)
    ]
    assert abs(losses[0] - losses[1]) > 1e-4


@pytest.mark.parametrize("recipe", RECIPES)
def test_training_leaves_all_global_generators_as_they_were(net, train, recipe):
    model, teacher = net(seed=0), net(seed=9)
    before = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist()
    train(model, recipe, teacher=teacher)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert random.getstate() == before[1] and np.random.get_state()[1].tolist() == before[2]


def test_student_and_baseline_see_the_same_batches(net, train, train_data):
    seen = {}

    class Spy(net):
        def forward(self, images):
            if self.training:
                seen.setdefault(self.name, []).append(images.clone())
            return super().forward(images)

    for name in RECIPES:
        model = Spy(seed=0)
        model.name = name
        train(model, name, teacher=net(seed=9), settings={"flips": True})
    assert len(seen["baseline"]) == len(seen["kd"]) == 2 * 3
    for other in ("kd", "feature"):
        pairs = zip(seen["baseline"], seen[other], strict=other == "kd")
        assert all(torch.equal(a, b) for a, b in pairs)
    first, second = seen["baseline"][:3], seen["baseline"][3:]
    assert not torch.equal(torch.cat(first), torch.cat(second))


def test_flips_reach_the_network(net, train, train_data):
    model, seen = net(seed=0), []
    model.register_forward_pre_hook(
        lambda module, images: seen.append(images[0]) if module.training else None
    )
    train(model, settings={"flips": True, "epochs": 1})
    known = {image.numpy().tobytes() for image in train_data.images}
    mirrored = [image.numpy().tobytes() not in known for image in torch.cat(seen)]
    assert 5 < sum(mirrored) < 35 and len(mirrored) == 40


def test_student_and_baseline_start_from_identical_weights(net, train, same, tmp_path):
    starts = []
    for name in RECIPES:
        store = SnapshotStore(tmp_path / name)
        train(net(seed=4), name, teacher=net(seed=9), store=store)
        starts.append(store.load(store.list()[0]))
        assert store.list()[0].epoch == store.list()[0].step == 0
    assert same(starts[0], starts[1]) and same(starts[0], starts[2])
    assert same(starts[0], dict(net(seed=4).state_dict()))


@pytest.mark.parametrize("recipe", RECIPES)
def test_one_student_forward_per_step(net, train, recipe):
    model = net(seed=0)
    calls = []
    model.register_forward_pre_hook(lambda module, _: calls.append(module.training))
    result = train(model, recipe, teacher=net(seed=9))
    assert sum(calls) == result.steps == (3 * 3 if recipe == "feature" else 2 * 3)


def test_every_epoch_starts_in_training_mode(net, train, monkeypatch):
    """Whatever mode the network came in, and whatever an evaluation between the epochs left it in."""
    model = net(seed=0).eval()
    modes = []
    model.features.norm.register_forward_pre_hook(lambda module, _: modes.append(module.training))
    monkeypatch.setattr(
        "kdprobe.training.watch.evaluate_accuracy", lambda student, data: bool(student.eval())
    )
    train(model, settings={"batch_size": 40, "epochs": 3})
    assert modes.count(True) == 3 and not model.training


@pytest.mark.parametrize("recipe", RECIPES)
def test_flags_gradients_and_hooks_come_back(net, train, recipe):
    model, teacher = net(seed=0), net(seed=9)
    model.features.drop.eval()
    teacher.head.fc3.weight.requires_grad_(False)
    before = [
        [m.training for m in n.modules()] + [p.requires_grad for p in n.parameters()]
        for n in (model, teacher)
    ]
    train(model, recipe, teacher=teacher)
    after = [
        [m.training for m in n.modules()] + [p.requires_grad for p in n.parameters()]
        for n in (model, teacher)
    ]
    assert after == before
    assert all(p.grad is None for n in (model, teacher) for p in n.parameters())
    assert not any(m._forward_hooks or m._forward_pre_hooks for n in (model, teacher) for m in n.modules())


def test_weights_that_the_caller_froze_stay_frozen(net, train, state):
    model = net(seed=0)
    model.features.conv.weight.requires_grad_(False)
    before = state(model)
    train(model, settings={"weight_decay": 0.5})
    after = state(model)
    assert torch.equal(before["features.conv.weight"], after["features.conv.weight"])
    assert not torch.equal(before["features.conv.bias"], after["features.conv.bias"])


def test_it_works_inside_no_grad_and_leaves_it_so(net, train, state, same):
    inside, outside = net(seed=0), net(seed=0)
    with torch.no_grad():
        train(inside)
        assert not torch.is_grad_enabled()
    train(outside)
    assert same(state(inside), state(outside))


def test_the_task_is_learned(net, train):
    result = train(net(seed=0), settings={"epochs": 12})
    assert result.accuracy > 0.8 > 0.6 > result.accuracy_by_epoch[0]
    assert result.loss_by_epoch[12] < result.loss_by_epoch[1]


@pytest.mark.parametrize(
    ("optimiser", "schedule"), [("sgd", "one_cycle"), ("sgd", "constant"), ("adamw", "constant")]
)
def test_every_optimiser_and_schedule_trains(net, train, optimiser, schedule):
    result = train(net(seed=0), settings={"optimiser": optimiser, "schedule": schedule, "epochs": 8})
    assert result.loss_by_epoch[8] < result.loss_by_epoch[1]


@pytest.mark.parametrize(
    ("settings", "make"),
    [
        (
            {"optimiser": "adamw", "schedule": "constant"},
            lambda p: torch.optim.AdamW(p, lr=1e-2, weight_decay=1e-2),
        ),
        (
            {"optimiser": "sgd", "schedule": "constant", "momentum": 0.8},
            lambda p: torch.optim.SGD(p, lr=1e-2, momentum=0.8, weight_decay=1e-2),
        ),
    ],
)
def test_the_weights_are_those_of_a_bare_loop(net, train, train_data, state, settings, make):
    """The whole machinery against ten lines of torch, without dropout (its stream is the training's own)."""
    trained, plain = net(seed=0), net(seed=0)
    for model in (trained, plain):
        model.features.drop.p = model.head.drop.p = 0.0
    train(trained, settings=settings)
    optimiser = make(plain.parameters())
    batches = Batches(train_data.images, train_data.labels, 16, seed=5)
    for epoch in range(2):
        batches.set_epoch(epoch)
        for images, labels in batches:
            optimiser.zero_grad()
            nn.functional.cross_entropy(plain(images), labels).backward()
            optimiser.step()
    for name, tensor in state(plain).items():
        assert torch.allclose(state(trained)[name], tensor, atol=1e-6), name
