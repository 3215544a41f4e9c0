"""What one step does: forwards, gradients, targets, draws."""

from pathlib import Path

import pytest
import torch
from torch import nn

from kdprobe.recipes import Term, load_recipe
from kdprobe.training.batches import Batches
from kdprobe.training.module import StageModule
from kdprobe.training.seeds import derive_seed

OWN = Path(__file__).parent / "own_objectives.py"
PLAIN = {"optimiser": "sgd", "momentum": 0.0, "schedule": "constant", "weight_decay": 0.0}


def watched(net):
    """A network and [(training, whether with gradient)] of its forward passes in training mode."""
    model, calls = net(seed=0), []
    model.register_forward_pre_hook(
        lambda module, _: calls.append(torch.is_grad_enabled()) if module.training else None
    )
    return model, calls


@pytest.mark.parametrize(
    ("recipe", "others"), [("cs_kd", 1), ("cs_kd_view", 2), ("dkd", 0), ("label_smoothing", 0)]
)
def test_one_forward_with_gradient_a_step_and_one_without_for_each_other_image(net, train, recipe, others):
    model, calls = watched(net)
    result = train(model, load_recipe(recipe), teacher=net(seed=9))
    assert sum(calls) == result.steps == 6
    assert len(calls) == 6 * (1 + others)


def test_partners_go_through_the_student_as_it_is_in_training(net, train, method, train_data):
    """Against a bare loop: BatchNorm sees both batches, the gradient goes through the first alone."""
    from kdprobe.training.pictures import partners

    trained, plain = net(seed=0), net(seed=0)
    for model in (trained, plain):
        model.features.drop.p = model.head.drop.p = 0.0
    recipe = method(Term(f"{OWN}:against_partner"), "cross_entropy", batches="class_pairs")
    train(trained, recipe, settings=PLAIN | {"epochs": 2})
    batches = Batches(train_data.images, train_data.labels, 16, seed=5)
    optimiser = torch.optim.SGD(plain.parameters(), lr=1e-2)
    for epoch in range(2):
        order = torch.randperm(40, generator=torch.Generator().manual_seed(derive_seed(5, "order", epoch)))
        stream = torch.Generator().manual_seed(derive_seed(5, "partners", epoch))
        other = partners(train_data.labels, stream)
        for rows in order.split(batches.batch_size):
            optimiser.zero_grad()
            logits = plain(train_data.images[rows])
            with torch.no_grad():
                target = plain(train_data.images[other[rows]])
            loss = (logits - target).square().mean(1).mean()
            (loss + nn.functional.cross_entropy(logits, train_data.labels[rows])).backward()
            optimiser.step()
    for name, tensor in plain.state_dict().items():
        assert torch.allclose(trained.state_dict()[name], tensor, atol=1e-6), name


def test_every_step_and_term_draws_anew_and_the_seed_decides(net, train, method, monkeypatch):
    drawn, whole = [], StageModule._generator

    def spy(self, batch_index, term):
        drawn.append(
            (
                self.epoch,
                batch_index,
                term,
                int(torch.randint(2**60, (), generator=whole(self, batch_index, term))),
            )
        )
        return whole(self, batch_index, term)

    monkeypatch.setattr(StageModule, "_generator", spy)
    recipe = method(Term(f"{OWN}:noisy"), Term(f"{OWN}:noisy", 2.0))
    train(net(seed=0), recipe)
    torch.manual_seed(77)
    train(net(seed=0), recipe)
    train(net(seed=0), recipe, seed=6)
    one, two, other = drawn[:12], drawn[12:24], drawn[24:]
    assert one == two and len({number for *_, number in one}) == 12
    assert not {number for *_, number in one} & {number for *_, number in other}


def test_every_epoch_starts_in_training_mode_whatever_left_the_student_otherwise(
    net, train, method, monkeypatch
):
    """A callback, an evaluation of the test images, and the search for an anchor put it into evaluation mode."""
    from kdprobe.recipes import Source
    from kdprobe.training.teaching import TeachingNetwork
    from kdprobe.training.watch import EpochLog

    model, calls = watched(net)
    end = EpochLog.on_train_epoch_end

    def leaves_it(self, trainer, module):
        end(self, trainer, module)
        module.student.eval()

    monkeypatch.setattr(EpochLog, "on_train_epoch_end", leaves_it)
    states = {k: net(seed=k).state_dict() for k in range(5)}
    known = {"teacher": TeachingNetwork(net(seed=4), 4, tuple(states), states.__getitem__)}
    recipe = method("kd", teachers=(Source(anchors=3, search="greedy", delta=0.5),))
    train(model, recipe, teachers=known, settings={"epochs": 4})
    assert calls == [True] * 4 * 3
