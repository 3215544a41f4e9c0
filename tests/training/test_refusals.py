"""What stops a training, and what is said then."""

import signal

import pytest
import torch
from torch import nn

from kdprobe.errors import ConfigError, DataError, LayerError, SnapshotError, TrainingError
from kdprobe.storage import SnapshotStore


class Diverging(nn.Module):
    """Finite at first; from its sixth training step on the loss is NaN."""

    def __init__(self) -> None:
        super().__init__()
        self.linear, self.calls = nn.Linear(3 * 8 * 8, 3), 0

    def forward(self, images):
        self.calls += self.training
        return self.linear(images.flatten(1)) * (float("nan") if self.calls >= 6 else 1.0)


def test_a_loss_that_is_not_finite_stops_and_names_epoch_and_step(train):
    model = Diverging()
    with pytest.raises(TrainingError, match=r"nan in epoch 2 \(stage 'labels'\), step 6; lower"):
        train(model, settings={"epochs": 3})
    assert model.training and all(p.requires_grad for p in model.parameters())


@pytest.mark.parametrize("every", [2, 50])
def test_where_losses_are_looked_at_together_the_same_step_is_named_and_no_epoch_with_it_kept(
    train, tmp_path, monkeypatch, every
):
    from kdprobe.training import finite

    monkeypatch.setitem(finite.LOOKS, "cpu", every)
    store = SnapshotStore(tmp_path / "store")
    with pytest.raises(TrainingError, match=r"nan in epoch 2 \(stage 'labels'\), step 6; lower"):
        train(Diverging(), settings={"epochs": 3, "batch_size": 8}, store=store)
    assert [snapshot.epoch for snapshot in store.list() if not snapshot.partial] == [0, 1]


def test_an_interrupt_comes_through_and_ctrl_c_works_again(train):
    class Interrupted(Diverging):
        def forward(self, images):
            if self.training:
                raise KeyboardInterrupt
            return super().forward(images)

    handler = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        train(Interrupted())
    assert signal.getsignal(signal.SIGINT) is handler


def test_a_store_that_holds_another_training_is_refused_before_the_first_step(net, train, tmp_path):
    store = SnapshotStore(tmp_path / "store")
    train(net(seed=0), store=store)
    model = net(seed=1)
    with pytest.raises(SnapshotError, match="holds 3 snapshots of another training"):
        train(model, store=store)
    assert len(store.list()) == 3
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), net(seed=1).parameters(), strict=True))


def test_a_distillation_without_teacher_is_refused(net, train):
    with pytest.raises(ConfigError, match="recipe 'kd' needs a teacher"):
        train(net(seed=0), "kd")


def test_a_stage_at_a_layer_needs_one(net, train):
    with pytest.raises(ConfigError, match="name one, for example layer: fc1"):
        train(net(seed=0), "feature", teacher=net(seed=9), layer=None)


@pytest.mark.parametrize("who", ["student", "teacher"])
def test_a_layer_that_does_not_exist_is_refused(net, train, who):
    model, teacher = net(seed=0), net(seed=9)
    other = nn.Sequential(nn.Flatten(), nn.Linear(3 * 8 * 8, 3))
    model, teacher = (other, teacher) if who == "student" else (model, other)
    with pytest.raises(LayerError, match="fc1"):
        train(model, "feature", teacher=teacher)


def test_too_few_outputs_are_refused(train):
    with pytest.raises(DataError, match=r"3 classes, so the network must return .* got \(2, 2\)"):
        train(nn.Sequential(nn.Flatten(), nn.Linear(3 * 8 * 8, 2)))


def test_a_network_without_parameters_is_refused(train):
    with pytest.raises(TrainingError, match="no parameters"):
        train(nn.Sequential(nn.Flatten()))


def test_a_network_that_is_frozen_altogether_is_refused(net, train):
    with pytest.raises(TrainingError, match="nothing can learn"):
        train(net(seed=0).requires_grad_(False))


def test_an_objective_that_averages_is_refused(net, train, tmp_path):
    (tmp_path / "loss.py").write_text("def mean(student_logits, labels):\n    return student_logits.mean()\n")
    (tmp_path / "own.yaml").write_text("title: a\nstages: [{name: b, objective: [loss.py:mean]}]\n")
    with pytest.raises(ConfigError, match=r"one value per sample, shape \(16,\), got \(\)"):
        train(net(seed=0), str(tmp_path / "own.yaml"))


def test_a_users_own_recipe_and_objective_train(net, train, tmp_path):
    (tmp_path / "loss.py").write_text(
        "def l1(student_feature, teacher_feature, scale=1.0):\n"
        "    return scale * (student_feature - teacher_feature).abs().flatten(1).mean(1)\n"
    )
    (tmp_path / "own.yaml").write_text(
        "title: own\nstages:\n- name: all\n  tap: conv\n  epochs: 5\n"
        "  objective: [{name: loss.py:l1, options: {scale: 2.0}}, {name: cross_entropy, weight: 0.5}]\n"
    )
    result = train(net(seed=0), str(tmp_path / "own.yaml"), teacher=net(seed=9))
    assert result.loss_by_epoch[5] < result.loss_by_epoch[1] and result.stages[0].classifier_trained
