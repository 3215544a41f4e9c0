"""Stages that look at several layers, at gradients by the image, at the teacher's BatchNorms, at places in the data."""

from pathlib import Path

import pytest
import torch
from training.staged import StagedNet
from training.test_teacher_cache import Counting

from kdprobe.errors import ConfigError, LayerError
from kdprobe.recipes import Features, Peer, Recipe, Stage, Term
from kdprobe.storage import SnapshotStore
from kdprobe.training.layers import STUDENT, stage_layers
from kdprobe.training.module import StageModule
from kdprobe.training.stage_teachers import StageTeachers

OWN = Path(__file__).parent / "own_objectives.py"
REGRESSORS, MEMORY, SHARP, GRADIENTS, GAP, NORMS = (
    f"{OWN}:{name}"
    for name in ("Regressors", "Memory", "sharpness", "gradient_gap", "feature_gap", "norm_gap")
)
ALL = Features(("{stages}",), ("{stages}",))
LABELS = Term("cross_entropy")


@pytest.fixture
def given(monkeypatch):
    """The inputs of every term in every step: [{name: value}]."""
    found, whole = [], StageModule._losses

    def losses(self, network, inputs, batch_index):
        found.append({"network": network, **inputs})
        return whole(self, network, inputs, batch_index)

    monkeypatch.setattr(StageModule, "_losses", losses)
    return found


@pytest.fixture
def modules(monkeypatch):
    """Every stage's module, in order."""
    found, whole = [], StageModule.__init__

    def init(self, *arguments, **keywords):
        whole(self, *arguments, **keywords)
        found.append(self)

    monkeypatch.setattr(StageModule, "__init__", init)
    return found


def test_all_stages_of_both_networks_come_shallow_to_deep_from_one_forward_of_each(train, method, given):
    student, teacher = StagedNet(seed=1), StagedNet(seed=2, widths=(4, 5, 6))
    forwards = [[], []]
    student.register_forward_pre_hook(lambda *_: forwards[0].append(torch.is_grad_enabled()))
    above = []
    teacher.fc.register_forward_hook(lambda *_: above.append(True))
    recipe = method(LABELS, Term(REGRESSORS), features=ALL, teacher=True)
    train(student, recipe, teacher=teacher, settings={"epochs": 1}, cache_teacher=False, test_data=None)
    assert sum(forwards[0]) == len(given) == 3
    for step in given:
        count = len(step["labels"])
        shapes = [tuple(value.shape) for value in step["student_features"]]
        assert shapes == [(count, 3, 8, 8), (count, 4, 4, 4), (count, 5, 2, 2)]
        shapes = [tuple(value.shape) for value in step["teacher_features"]]
        assert shapes == [(count, 4, 8, 8), (count, 5, 4, 4), (count, 6, 2, 2)]
        assert all(value.requires_grad for value in step["student_features"])
        assert not any(value.requires_grad for value in step["teacher_features"])
    before = len(above)
    assert before < 3 * 2  # where layers are checked it runs whole; in steps no further than its last stage


def test_networks_with_unequal_numbers_of_stages_are_aligned_from_the_deepest():
    learners, teachers = {STUDENT: StagedNet(widths=(3, 4, 5))}, {"teacher": StagedNet(widths=(3, 3, 4, 5))}
    images = torch.randn(2, 3, 8, 8)
    both = Features(("{stages}", "{embedding}"), ("{stages}", "{embedding}"))
    stage = Stage("s", (Term(GAP),), "{middle}", teacher=True, features=both)
    layers = stage_layers(stage, None, learners, teachers, images)
    assert layers.features[STUDENT] == ("stages.0", "stages.1", "stages.2", "pool")
    assert layers.features["teacher"] == ("stages.1", "stages.2", "stages.3", "pool")
    assert layers.note == (
        "the stage 's' compares the deepest 4 of the layers that its networks have (student 4, teacher 5)"
    )
    assert layers.tap == {STUDENT: "stages.1"}
    mixed = Features(("stages.0", "stages.2"), ("{stages}",))
    stage = Stage("s", (Term(GAP),), teacher=True, features=mixed)
    layers = stage_layers(stage, None, learners, teachers, images)
    assert layers.features == {STUDENT: ("stages.0", "stages.2"), "teacher": ("stages.2", "stages.3")}
    equal = stage_layers(
        Stage("s", (Term(GAP),), teacher=True, features=ALL), None, learners, learners, images
    )
    assert equal.note is None


def test_each_network_fills_a_role_for_itself():
    learners, teachers = {STUDENT: StagedNet(widths=(3, 4))}, {"teacher": StagedNet(widths=(3, 3, 4, 5))}
    stage = Stage("s", (Term(f"{OWN}:Hint"),), "{middle}", teacher=True)
    layers = stage_layers(stage, None, learners, teachers, torch.randn(2, 3, 8, 8))
    assert layers.tap == {STUDENT: "stages.1", "teacher": "stages.2"}


def test_a_network_without_the_taps_of_a_role_is_named_with_what_it_lacks(net, train, method):
    recipe = method(Term(GAP), features=ALL, teacher=True)
    with pytest.raises(ConfigError, match=r"TinyNet does not say which of its layers are {stages}"):
        train(net(seed=0), recipe, teacher=StagedNet(seed=1))


def test_a_layer_that_a_network_does_not_have_is_refused_before_the_first_step(train, method):
    recipe = method(Term(GAP), features=Features(("stage1",), ("stage9",)), teacher=True)
    with pytest.raises(LayerError, match="no layer 'stage9'"):
        train(StagedNet(seed=0), recipe, teacher=StagedNet(seed=1))


def test_connectors_are_built_from_all_that_they_take_and_their_weights_move_and_are_kept(
    train, method, modules, tmp_path
):
    recipe = method(LABELS, Term(REGRESSORS), features=ALL, teacher=True)
    store = SnapshotStore(tmp_path / "one" / "snapshots")
    teacher = StagedNet(seed=2, widths=(4, 5, 6))
    train(StagedNet(seed=1), recipe, teacher=teacher, store=store)
    connector = modules[0].connectors["Regressors_1"]
    assert connector.given == {
        "student_features": [(2, 3, 8, 8), (2, 4, 4, 4), (2, 5, 2, 2)],
        "teacher_features": [(2, 4, 8, 8), (2, 5, 4, 4), (2, 6, 2, 2)],
    }
    optimised = {id(p) for group in modules[0].optimizers().param_groups for p in group["params"]}
    assert {id(p) for p in connector.parameters()} <= optimised
    kept = SnapshotStore(tmp_path / "one" / "connectors" / "stage-0")
    states = [dict(kept.load(snapshot)) for snapshot in kept.list()]
    assert len(states) == 3 and len(states[0]) == 6
    for name in states[0]:
        assert not torch.equal(states[0][name], states[1][name]), name
        assert torch.equal(states[2][name], connector.state_dict()[name.removeprefix("Regressors_1.")])


def test_places_and_labels_of_the_training_images_are_those_of_the_batch(train, method, given, train_data):
    model = StagedNet(seed=1)
    train(model, method(LABELS, Term(MEMORY), tap="{embedding}"), settings={"flips": True})
    seen = torch.cat([step["indices"] for step in given])
    assert sorted(seen.tolist()) == sorted([*range(40)] * 2) and seen.dtype == torch.int64
    for step in given:
        assert torch.equal(train_data.labels[step["indices"]], step["labels"])
        assert torch.equal(step["train_labels"], train_data.labels)


def test_what_a_memory_holds_is_kept_with_the_weights(train, method, modules, tmp_path):
    store = SnapshotStore(tmp_path / "one" / "snapshots")
    train(StagedNet(seed=1), method(LABELS, Term(MEMORY), tap="{embedding}"), store=store)
    kept = SnapshotStore(tmp_path / "one" / "connectors" / "stage-0")
    times = [kept.load(snapshot)["Memory_1.times"] for snapshot in kept.list()]
    assert [each.unique().tolist() for each in times] == [[0], [1], [2]]
    assert torch.equal(kept.load(kept.list()[-1])["Memory_1.bank"], modules[0].connectors["Memory_1"].bank)


@pytest.mark.parametrize("terms", [(SHARP,), (GRADIENTS,), (LABELS, GRADIENTS)])
def test_a_loss_of_input_gradients_is_learned(train, method, terms, given, state, same):
    """And falls, where it stands alone."""
    model = StagedNet(seed=1)
    before, teaching = state(model), GRADIENTS in terms
    recipe = method(*terms, teacher=teaching)
    result = train(
        model,
        recipe,
        teacher=StagedNet(seed=2),
        settings={"epochs": 6, "schedule": "constant"},
        test_data=None,
    )
    losses = [*result.loss_by_epoch.values()]
    assert losses[-1] < losses[0] and not same(before, state(model))
    assert result.stages[0].classifier_trained  # the gradient goes through it
    assert all(step["student_input_gradient"].shape == (len(step["labels"]), 3, 8, 8) for step in given)
    if teaching:
        assert not any(step["teacher_input_gradient"].requires_grad for step in given)


def test_the_teachers_gradient_is_that_of_the_teacher_in_evaluation_mode(train, method, monkeypatch):
    teacher, found, whole = StagedNet(seed=2), [], StageTeachers.outputs

    def outputs(self, images, labels):
        found.append((images, labels, whole(self, images, labels)["teacher_input_gradient"]))
        return whole(self, images, labels)

    monkeypatch.setattr(StageTeachers, "outputs", outputs)
    train(StagedNet(seed=1), method(LABELS, GRADIENTS, teacher=True), teacher=teacher, settings={"epochs": 1})
    assert len(found) == 3
    for images, labels, gradient in found:
        images = images.clone().requires_grad_()
        loss = torch.nn.functional.cross_entropy(teacher.eval()(images), labels, reduction="sum")
        assert torch.allclose(gradient, torch.autograd.grad(loss, images)[0], atol=1e-6)


@pytest.mark.parametrize(
    "stage",
    [
        {"features": ALL},
        {"features": Features(("{stages_preact}", "{embedding}"), ("{stages_preact}", "{embedding}"))},
    ],
)
def test_several_features_are_kept_for_the_next_epochs_and_change_nothing(
    train, method, state, same, stage, tmp_path
):
    ends, asked = [], []
    for cache in (True, False):
        model, teacher = StagedNet(seed=1), StagedNet(seed=2, widths=(4, 5, 6))
        counting = Counting(teacher)
        recipe = method(LABELS, Term(REGRESSORS), Term("kd", from_=1), teacher=True, **stage)
        store = SnapshotStore(tmp_path / str(cache) / "snapshots")
        few = {"epochs": 4, "batch_size": 20}
        train(model, recipe, teacher=teacher, settings=few, cache_teacher=cache, store=store)
        ends.append(state(model))
        asked.append(counting.images)
    assert same(*ends) and asked[1] - asked[0] == 4 * 40 - 40 - 2


@pytest.mark.parametrize(
    ("terms", "options"),
    [((GRADIENTS,), {}), (("kd",), {"teacher_mode": "train"}), (("kd",), {"flips": True})],
)
def test_gradients_and_what_differs_from_step_to_step_are_not_kept(
    train, method, monkeypatch, terms, options
):
    from kdprobe.training.teacher_cache import TeacherCache

    def fill(self, teach):
        raise AssertionError("kept")

    monkeypatch.setattr(TeacherCache, "fill", fill)
    settings = {"epochs": 3, "flips": "flips" in options}
    recipe = method(LABELS, *terms, teacher=True, **{k: v for k, v in options.items() if k != "flips"})
    train(StagedNet(seed=1), recipe, teacher=StagedNet(seed=2), settings=settings)


def test_a_teacher_in_training_mode_normalises_by_the_batch_and_stays_as_it_was(
    train, method, monkeypatch, state, same
):
    teacher, found, whole = StagedNet(seed=2), [], StageTeachers.outputs

    def outputs(self, images, labels):
        found.append((images, whole(self, images, labels)["teacher_logits"]))
        return whole(self, images, labels)

    monkeypatch.setattr(StageTeachers, "outputs", outputs)
    before = state(teacher)
    train(StagedNet(seed=1), method(LABELS, "kd", teacher=True, teacher_mode="train"), teacher=teacher)
    assert same(before, state(teacher))  # num_batches_tracked, too
    assert teacher.training and all(
        norm.track_running_stats for norm in teacher.modules() if isinstance(norm, torch.nn.BatchNorm2d)
    )
    other = StagedNet(seed=2).train()
    for images, logits in found:
        assert torch.allclose(logits, other(images), atol=1e-5)
        assert not torch.allclose(logits, StagedNet(seed=2).eval()(images), atol=1e-2)


def test_the_teachers_norms_are_given_with_its_features_and_with_kept_ones(train, method, given):
    teacher = StagedNet(seed=2)
    recipe = method(LABELS, Term(GAP), Term(NORMS), features=ALL, teacher=True)
    train(StagedNet(seed=1), recipe, teacher=teacher, settings={"epochs": 2})
    for step in given:
        for norm, stage in zip(step["teacher_norms"], teacher.stages, strict=True):
            assert torch.equal(norm, torch.stack([stage[1].bias, stage[1].weight.abs()]))


def test_below_the_middle_everything_learns_and_nothing_else(train, method, state, same):
    model = StagedNet(seed=1)
    before = state(model)
    recipe = method(Term(f"{OWN}:Hint"), tap="{middle}", learns="below_tap", teacher=True)
    train(model, recipe, teacher=StagedNet(seed=2, widths=(3, 4, 5, 6)))
    changed = {name for name, value in state(model).items() if not torch.equal(value, before[name])}
    below = {name for name in before if name.startswith(("stages.0.", "stages.1."))}
    assert changed == below


def test_a_weight_decays_from_epoch_to_epoch(train, method):
    constant = {"schedule": "constant", "optimiser": "sgd", "momentum": 0.0, "epochs": 3}
    found: list[list[float]] = []
    whole = StageModule.on_train_epoch_start

    class Noting(StageModule):
        def on_train_epoch_start(self):
            whole(self)
            found.append([*self._weights])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("kdprobe.training.train.StageModule", Noting)
        recipe = method(LABELS, Term("kd", 2.0, decay=0.5), teacher=True)
        train(StagedNet(seed=1), recipe, teacher=StagedNet(seed=2), settings=constant)
    assert found == [[1.0, 2.0], [1.0, 1.0], [1.0, 0.5]]


def test_peers_have_features_and_connectors_of_their_own(train, method, given):
    student, peer = StagedNet(seed=1), StagedNet(seed=2, widths=(3, 3, 4, 5))
    before = [p.detach().clone() for p in peer.parameters()]
    recipe = method(
        LABELS, Term(REGRESSORS), "ensemble_kd", features=ALL, teacher=True, peers=(Peer("peer"),)
    )
    train(
        student,
        recipe,
        teacher=StagedNet(seed=3),
        peers={"peer": peer},
        settings={"epochs": 1},
        test_data=None,
    )
    assert [step["network"] for step in given] == [STUDENT, "peer"] * 3
    for own, other in zip(given[::2], given[1::2], strict=True):
        assert [v.shape[1] for v in own["student_features"]] == [3, 4, 5]
        assert [v.shape[1] for v in other["student_features"]] == [3, 4, 5]
        assert all(
            torch.equal(a, b) for a, b in zip(own["teacher_features"], other["teacher_features"], strict=True)
        )
    assert any(not torch.equal(a, b) for a, b in zip(before, peer.parameters(), strict=True))


def test_two_stages_look_at_layers_of_their_own(train, state, given):
    stages = (
        Stage("first", (Term(GAP),), epochs=1, teacher=True, features=ALL),
        Stage("then", (LABELS,), epochs=1, analysed=True),
    )
    train(StagedNet(seed=1), Recipe("two", "Two", "", stages), teacher=StagedNet(seed=2))
    assert ["student_features" in step for step in given] == [True] * 3 + [False] * 3
