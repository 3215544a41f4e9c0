"""Stages: what learns, what rests, how epochs and snapshots run on."""

import pytest
import torch
from torch import nn

from kdprobe.errors import TrainingError
from kdprobe.storage import SnapshotStore
from kdprobe.training import StageRecord
from kdprobe.training.module import StageModule
from kdprobe.training.scope import learning_scope

BELOW_FC1 = {"features.conv.weight", "features.conv.bias", "features.norm.weight", "features.norm.bias"} | {
    "head.fc1.weight",
    "head.fc1.bias",
}
BUFFERS_BELOW_FC1 = {
    "features.norm.running_mean",
    "features.norm.running_var",
    "features.norm.num_batches_tracked",
}
RAW = {"weight_decay": 0.3, "epochs": 2, "classifier_epochs": 2}


@pytest.fixture
def states(net, train, tmp_path):
    """State dicts after every epoch of a `feature` training (2 + 2 epochs, strong weight decay), tap fc1."""
    store = SnapshotStore(tmp_path / "feature")
    train(net(seed=0), "feature", teacher=net(seed=9), store=store, settings=RAW)
    return [store.load(snapshot) for snapshot in store.list()]


def changed(before: dict, after: dict) -> set[str]:
    return {name for name in before if not torch.equal(before[name], after[name])}


def test_below_tap_moves_exactly_what_lies_below(states):
    """Parameters and BatchNorm statistics above are bitwise the same, whatever the weight decay."""
    assert changed(states[0], states[2]) == BELOW_FC1 | BUFFERS_BELOW_FC1


def test_above_tap_moves_exactly_what_lies_above(states):
    """The lower part rests in eval mode: its BatchNorm statistics do not move either."""
    assert changed(states[2], states[4]) == set(states[0]) - BELOW_FC1 - BUFFERS_BELOW_FC1


def test_only_what_learns_has_gradients_and_is_given_to_the_optimiser(net, train, monkeypatch):
    """Twice guarded: weight decay or momentum cannot reach a frozen weight."""
    model, asked, given = net(seed=0), set(), []
    names = {id(parameter): name for name, parameter in model.named_parameters()}

    def watch(module, _):
        if module.training:
            asked.add(frozenset(name for name, p in module.named_parameters() if p.requires_grad))

    model.register_forward_pre_hook(watch)
    configure = StageModule.configure_optimizers

    def spy(module):
        made = configure(module)
        given.append({names[id(p)] for group in made["optimizer"].param_groups for p in group["params"]})
        return made

    monkeypatch.setattr(StageModule, "configure_optimizers", spy)
    train(model, "feature", teacher=net(seed=9))
    above = set(names.values()) - BELOW_FC1
    assert given == [BELOW_FC1, above] and asked == {frozenset(BELOW_FC1), frozenset(above)}


def test_batches_are_counted_where_training_happened(states):
    counted = [int(state["features.norm.num_batches_tracked"]) for state in states]
    assert counted == [0, 3, 6, 6, 6]
    assert [int(state["head.norm.num_batches_tracked"]) for state in states] == [0, 0, 0, 3, 6]


def test_epochs_and_steps_run_on_and_the_border_belongs_to_the_first_stage(net, train, tmp_path):
    store = SnapshotStore(tmp_path / "feature")
    result = train(net(seed=0), "feature", teacher=net(seed=9), store=store)
    assert [(s.epoch, s.step, s.stage) for s in store.list()] == [(0, 0, 0), (1, 3, 0), (2, 6, 0), (3, 9, 1)]
    assert result.stages == (
        StageRecord(0, "feature", 0, 2, classifier_trained=False, analysed=True),
        StageRecord(1, "classifier", 3, 3, classifier_trained=True, analysed=False),
    )


def test_the_lower_part_is_forwarded_in_eval_mode_while_the_classifier_learns(net, train):
    model = net(seed=0)
    lower, upper, modes = model.features.drop, model.head.drop, []
    upper.register_forward_pre_hook(lambda module, _: modes.append((lower.training, upper.training)))
    train(model, "feature", teacher=net(seed=9), test_data=None)
    assert [mode for mode in modes if any(mode)] == [(True, False)] * 6 + [(False, True)] * 3


def test_a_tap_at_the_logits_trains_the_classifier_and_leaves_nothing_for_the_second_stage(
    net, train, tmp_path
):
    store = SnapshotStore(tmp_path / "fc3")
    result = train(net(seed=0), "feature", teacher=net(seed=9), layer="fc3", store=store)
    assert result.stages == (
        StageRecord(0, "feature", 0, 2, classifier_trained=True, analysed=True),
        StageRecord(1, "classifier", 3, 2, classifier_trained=True, analysed=False),
    )
    assert [snapshot.epoch for snapshot in store.list()] == [0, 1, 2]


def test_the_first_stage_of_feature_brings_the_feature_nearer(net, train, test_data, tmp_path):
    teacher, store, distances = net(seed=9), SnapshotStore(tmp_path / "near"), []
    train(net(seed=0), "feature", teacher=teacher, store=store, settings={"epochs": 10})
    for snapshot in (store.list()[0], store.list()[10]):
        student = net(seed=0)
        student.load_state_dict(store.load(snapshot))
        with torch.no_grad():
            features = [n.eval().head[:2](n.features(test_data.images)) for n in (student, teacher)]
        distances.append(float((features[0] - features[1]).square().mean()))
    assert distances[1] < 0.5 * distances[0]


def test_kd_brings_the_outputs_nearer_to_the_teachers(net, train, test_data):
    teacher, student = net(seed=9), net(seed=0)
    train(teacher, settings={"epochs": 10})

    def distance() -> float:
        student.eval(), teacher.eval()
        with torch.no_grad():
            return float(
                (student(test_data.images).softmax(1) - teacher(test_data.images).softmax(1)).abs().mean()
            )

    before = distance()
    train(student, "kd", teacher=teacher, settings={"epochs": 10})
    assert distance() < 0.5 * before


class Block(nn.Module):
    """A container that behaves itself in training mode (like attention with its dropout)."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(4, 4)

    def forward(self, x):
        return nn.functional.dropout(
            nn.functional.linear(x, self.inner.weight, self.inner.bias), 0.5, self.training
        )


def test_containers_rest_with_their_leaves_even_when_they_use_their_weights_directly():
    model = nn.Sequential(Block(), nn.Linear(4, 4), Block())
    scope = learning_scope(model, "above_tap", "1", torch.randn(2, 4))
    scope.set_modes(model)
    assert [m.training for m in model] == [False, False, True] and model.training
    assert scope.parameters == {"2.inner.weight", "2.inner.bias"}
    scope = learning_scope(model, "below_tap", "1", torch.randn(2, 4))
    scope.set_modes(model)
    assert [m.training for m in model] == [True, True, False]
    assert scope.parameters == {"0.inner.weight", "0.inner.bias", "1.weight", "1.bias"}


def test_all_below_frozen_by_the_caller_is_refused(net, train):
    model = net(seed=0)
    model.features.requires_grad_(False)
    model.head.fc1.requires_grad_(False)
    with pytest.raises(TrainingError, match="No weight that may learn lies below the layer 'fc1'"):
        train(model, "feature", teacher=net(seed=9))
