"""A training that is stopped goes on to the same bytes, whatever the method is made of."""

from pathlib import Path

import pytest
import torch

from kdprobe.recipes import Features, Peer, Recipe, Source, Stage, Term
from kdprobe.storage import SnapshotStore
from kdprobe.training import Resume
from kdprobe.training.batches import Batches
from kdprobe.training.teaching import TeachingNetwork

OWN = Path(__file__).parent / "own_objectives.py"
HINT, NOISY, SCALED, MEMORY, REGRESSORS, GRADIENTS = (
    f"{OWN}:{name}" for name in ("Hint", "noisy", "Scaled", "Memory", "Regressors", "gradient_gap")
)
KD, ENSEMBLE = Term("kd"), Term("ensemble_kd")
EPOCHS = 4


class Stopped(Exception):
    pass


def stage(*terms: Term, name: str = "only", analysed: bool = True, **options) -> Stage:
    return Stage(name, (Term("cross_entropy"), *terms), analysed=analysed, **options)


SOME = Features(("conv", "fc1"), ("conv", "fc1"))
PEERS = {"peers": (Peer("peer"),), "ensemble": "general"}
METHODS = {
    "an early teacher": [stage(KD, teachers=(Source(epoch=0.5),))],
    "anchors": [stage(KD, teachers=(Source(anchors=2),))],
    "anchors found greedily": [stage(KD, teachers=(Source(anchors=3, search="greedy", delta=0.9),))],
    "an ensemble": [stage(KD, teachers=(Source(), Source("baseline")), combine="probabilities")],
    "terms with spans": [stage(Term("kd", warm_up=3), Term("kd", 2.0, from_=0.5), teacher=True)],
    "partners and views": [
        stage(Term("class_wise"), Term("view_consistency"), batches="class_pairs", view=True)
    ],
    "draws": [stage(Term(NOISY))],
    "peers": [stage(ENSEMBLE, **PEERS)],
    "peers at rest": [
        stage(ENSEMBLE, epochs=1, **PEERS),
        stage(name="alone", analysed=False, epochs=2),
        stage(ENSEMBLE, name="again", analysed=False, epochs=2, **PEERS),
    ],
    "connectors": [stage(Term(HINT), tap="fc1", teacher=True)],
    "connectors of two stages": [
        stage(Term(HINT), tap="fc1", teacher=True, epochs=2),
        stage(Term(SCALED), name="then", analysed=False, epochs=2),
    ],
    "a memory": [stage(Term(MEMORY), tap="fc1")],
    "a memory in training mode": [
        stage(
            Term(MEMORY, options={"momentum": 0.9}), Term(HINT), tap="fc1", teacher=True, teacher_mode="train"
        )
    ],
    "contrasts": [stage(Term("crd", options={"width": 4, "negatives": 8}), tap="fc1", teacher=True)],
    "several features": [stage(Term(REGRESSORS, decay=0.5), teacher=True, features=SOME)],
    "input gradients": [stage(Term(GRADIENTS), teacher=True)],
    "peers with connectors": [stage(Term(HINT), ENSEMBLE, tap="fc1", teacher=True, **PEERS)],
}


@pytest.fixture
def trained(net, train):
    """Starts, or goes on with, the training of one network in a folder; gives all that was trained."""

    def run(folder: Path, method: str, **changes) -> dict[str, torch.Tensor]:
        states = {k: net(seed=k).state_dict() for k in range(7)}
        known = {
            "teacher": TeachingNetwork(net(seed=6), 6, tuple(states), states.__getitem__),
            "baseline": TeachingNetwork(net(seed=9)),
        }
        model, peer = net(seed=20), net(seed=21)
        train(
            model,
            Recipe("own", "Own", "", tuple(METHODS[method])),
            teachers=known,
            peers={"peer": peer} if "peers" in method else {},
            store=SnapshotStore(folder / "snapshots"),
            resume=Resume(folder, {"seed": 5}),
            settings={"epochs": EPOCHS, "optimiser": "adamw", "batch_size": 16} | changes.pop("settings", {}),
            test_data=None,
            **changes,
        )
        return model.state_dict() | {f"peer.{name}": value for name, value in peer.state_dict().items()}

    return run


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.h5")}


def stopping(monkeypatch, epoch: int) -> None:
    """The training stops in the second batch of this epoch (counted from 0)."""
    whole = Batches.__iter__

    def iterate(self):
        for number, item in enumerate(whole(self)):
            if (self.epoch, number) == (epoch, 1):
                raise Stopped
            yield item

    monkeypatch.setattr(Batches, "__iter__", iterate)


@pytest.mark.slow  # every kind of method, stopped everywhere
@pytest.mark.parametrize("method", METHODS)
def test_stopped_in_every_epoch_it_ends_with_the_same_bytes(trained, same, tmp_path, monkeypatch, method):
    whole = trained(tmp_path / "whole", method)
    epochs = max(SnapshotStore(tmp_path / "whole" / "snapshots").list(), key=lambda s: s.epoch).epoch
    for epoch in range(epochs):  # the first time before any epoch was noted
        with monkeypatch.context() as patch:
            stopping(patch, epoch)
            with pytest.raises(Stopped):
                trained(tmp_path / "parts", method)
        for path in (tmp_path / "parts").rglob("epoch-*.h5") if epoch == 0 else ():
            if "connectors" not in path.parts:  # these are the experiment's to remove
                path.unlink()
    assert same(trained(tmp_path / "parts", method), whole)
    assert files(tmp_path / "parts") == files(tmp_path / "whole")
    assert not list(tmp_path.rglob("*-taught"))


@pytest.mark.slow  # every kind of method
def test_the_methods_differ_from_each_other(trained, same, tmp_path):
    """Else the test above would hold for a mechanism that does nothing."""
    ends = {}
    for method in METHODS:
        state = trained(tmp_path / method, method)
        ends[method] = {k: v for k, v in state.items() if not k.startswith("peer.")}
    names = list(ends)
    for k, one in enumerate(names):
        assert not any(same(ends[one], ends[other]) for other in names[:k]), one


def test_killed_before_the_last_connectors_were_written_they_are_written_afterwards(
    trained, tmp_path, monkeypatch
):
    trained(tmp_path / "whole", "connectors", settings={"snapshots": 3})
    from kdprobe.training.snapshots import WeightSnapshots

    def dies(self, trainer, module):
        raise Stopped

    with monkeypatch.context() as patch:
        patch.setattr(WeightSnapshots, "on_train_end", dies)
        patch.setattr(WeightSnapshots, "on_exception", lambda *_: None)
        with pytest.raises(Stopped):
            trained(tmp_path / "parts", "connectors", settings={"snapshots": 3})
    assert len(files(tmp_path / "parts")) < len(files(tmp_path / "whole"))
    trained(tmp_path / "parts", "connectors", settings={"snapshots": 3})
    assert files(tmp_path / "parts") == files(tmp_path / "whole")


def test_a_choice_that_was_made_is_not_made_again(trained, same, tmp_path, monkeypatch):
    """Six epochs, three anchors: chosen in the third epoch, stopped in the fourth."""
    from kdprobe.training import stage_teachers

    made, whole, six = [], stage_teachers.next_anchor, {"settings": {"epochs": 6}}

    def spy(*given):
        made.append(whole(*given))
        return made[-1]

    monkeypatch.setattr(stage_teachers, "next_anchor", spy)
    expected = trained(tmp_path / "whole", "anchors found greedily", **six)
    with monkeypatch.context() as patch:
        stopping(patch, 3)
        with pytest.raises(Stopped):
            trained(tmp_path / "parts", "anchors found greedily", **six)
    assert same(trained(tmp_path / "parts", "anchors found greedily", **six), expected)
    assert len(made) == 2 and made[0] == made[1] > 1  # once in each of the two trainings
