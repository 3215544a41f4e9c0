"""Objectives with parameters: optimised, in evaluation mode where frozen, kept epoch by epoch."""

from pathlib import Path

import pytest
import torch

from kdprobe.recipes import Recipe, Stage, Term
from kdprobe.storage import SnapshotStore
from kdprobe.training.module import StageModule

OWN = Path(__file__).parent / "own_objectives.py"
HINT, SCALED = f"{OWN}:Hint", f"{OWN}:Scaled"


@pytest.fixture
def modules(monkeypatch):
    """The stages that are trained, as they are made, and the parameters that each gives to its optimiser."""
    made, configure = [], StageModule.configure_optimizers

    def spy(module):
        found = configure(module)
        names = {id(parameter): name for name, parameter in module.named_parameters()}
        groups = found["optimizer"].param_groups
        module.given = [names[id(parameter)] for group in groups for parameter in group["params"]]
        made.append(module)
        return found

    monkeypatch.setattr(StageModule, "configure_optimizers", spy)
    return made


def hint(method, **options) -> Recipe:
    return method("cross_entropy", Term(HINT, options=options), tap="fc1", teacher=True)


def test_a_connector_is_in_the_optimiser_by_name_and_moves(net, train, method, modules, tmp_path):
    store = SnapshotStore(tmp_path / "one" / "snapshots")
    train(net(seed=0), hint(method), teacher=net(seed=9), store=store)
    own = ["connectors.Hint_1.map.weight", "connectors.Hint_1.map.bias"]
    assert modules[0].given[-2:] == own and len(modules[0].given) == len(set(modules[0].given))
    kept = SnapshotStore(tmp_path / "one" / "connectors" / "stage-0")
    assert (
        [(s.epoch, s.step) for s in kept.list()]
        == [(s.epoch, s.step) for s in store.list()]
        == [(0, 0), (1, 3), (2, 6)]
    )
    states = [kept.load(snapshot) for snapshot in kept.list()]
    assert list(states[0]) == ["Hint_1.map.weight", "Hint_1.map.bias"]
    for name in states[0]:
        assert not torch.equal(states[0][name], states[1][name])
        assert not torch.equal(states[1][name], states[2][name])


def test_a_frozen_connector_is_not_and_rests_in_evaluation_mode(net, train, method, modules, tmp_path):
    store = SnapshotStore(tmp_path / "one" / "snapshots")
    train(net(seed=0), hint(method, frozen=True), teacher=net(seed=9), store=store)
    assert not [name for name in modules[0].given if name.startswith("connectors")]
    assert not modules[0].connectors["Hint_1"].training
    kept = SnapshotStore(tmp_path / "one" / "connectors" / "stage-0")
    states = [kept.load(snapshot) for snapshot in kept.list()]
    assert all(torch.equal(states[0][name], states[2][name]) for name in states[0])


def test_a_connector_that_learns_is_in_training_mode_in_every_epoch(net, train, method, monkeypatch):
    modes, whole = [], StageModule.training_step

    def step(self, *batch):
        modes.append(self.connectors["Hint_1"].drop.training)
        loss = whole(self, *batch)
        self.connectors.eval()
        return loss

    monkeypatch.setattr(StageModule, "training_step", step)
    train(net(seed=0), hint(method), teacher=net(seed=9), settings={"batch_size": 40, "epochs": 3})
    assert modes == [True] * 3


def test_it_is_built_from_the_inputs_that_it_takes_and_no_others(net, train, method, modules):
    train(net(seed=0), hint(method), teacher=net(seed=9))
    connector = modules[0].connectors["Hint_1"]
    assert connector.given == ["student_feature", "teacher_feature"] and connector.rows == 2


def test_its_first_values_depend_on_the_seed_and_not_on_the_callers_generators(
    net, train, method, tmp_path, same
):
    first = []
    for k, (seed, caller) in enumerate([(5, 1), (5, 2), (6, 1)]):
        torch.manual_seed(caller)
        before = torch.get_rng_state()
        train(
            net(seed=0),
            hint(method),
            teacher=net(seed=9),
            seed=seed,
            store=SnapshotStore(tmp_path / str(k) / "snapshots"),
        )
        assert torch.equal(torch.get_rng_state(), before)
        kept = SnapshotStore(tmp_path / str(k) / "connectors" / "stage-0")
        first.append(dict(kept.load(kept.list()[0])))
    assert same(first[0], first[1]) and not same(first[0], first[2])


def test_every_stage_has_its_own(net, train, tmp_path, modules):
    stages = tuple(Stage(name, (Term(SCALED),), epochs=1, analysed=name == "a") for name in "ab")
    train(net(seed=0), Recipe("two", "Two", "", stages), store=SnapshotStore(tmp_path / "one" / "snapshots"))
    places = []
    for stage in (0, 1):
        kept = SnapshotStore(tmp_path / "one" / "connectors" / f"stage-{stage}")
        places.append([(s.epoch, s.step, s.stage) for s in kept.list()])
        assert float(kept.load(kept.list()[0])["Scaled_0.scale"]) == 1.0
    assert places == [[(0, 0, 0), (1, 3, 0)], [(1, 3, 1), (2, 6, 1)]]


def test_without_connectors_there_is_no_folder_of_them(net, train, tmp_path):
    train(net(seed=0), "kd", teacher=net(seed=9), store=SnapshotStore(tmp_path / "one" / "snapshots"))
    assert [path.name for path in (tmp_path / "one").iterdir()] == ["snapshots"]


def test_the_student_is_still_forwarded_once_a_step(net, train, method):
    model, calls = net(seed=0), []
    model.register_forward_pre_hook(lambda module, _: calls.append(module.training))
    result = train(model, hint(method), teacher=net(seed=9))
    assert sum(calls) == result.steps
