"""How a training ends, and what WeightSnapshots has kept then."""

import signal

import lightning.pytorch as L
import pytest
import torch
from training.users import Users, fit, places

from kdprobe.errors import TrainingError
from kdprobe.storage import SnapshotStore
from kdprobe.training import WeightSnapshots


@pytest.fixture(autouse=True)
def ctrl_c_works():
    """A shell switches it off for what runs in the background, and Lightning when it has seen it once."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def newest(folder) -> dict[str, torch.Tensor]:
    return SnapshotStore(folder).load(SnapshotStore(folder).newest())


@pytest.mark.parametrize("steps", [1, 6, 7, 9])
def test_max_steps_inside_an_epoch_leaves_a_partial_last_state(tmp_path, same, state, steps):
    module = Users()
    fit(module, [WeightSnapshots(tmp_path)], max_epochs=-1, max_steps=steps)
    assert places(tmp_path) == [(k, 4 * k) for k in range(steps // 4 + 1)] + [(steps // 4, steps, "partial")]
    assert same(newest(tmp_path), state(module))


def test_max_steps_at_the_end_of_an_epoch_is_whole(tmp_path):
    fit(Users(), [WeightSnapshots(tmp_path)], max_epochs=-1, max_steps=8)
    assert places(tmp_path) == [(0, 0), (1, 4), (2, 8)]


def test_an_epoch_that_another_callback_stops_is_partial(tmp_path):
    class Stop(L.Callback):
        def on_train_batch_end(self, trainer, pl_module, *_):
            trainer.should_stop = trainer.global_step == 6

    fit(Users(), [WeightSnapshots(tmp_path), Stop()])
    assert places(tmp_path) == [(0, 0), (1, 4), (1, 6, "partial")]


@pytest.mark.parametrize("every", [1, 5])
def test_early_stopping_after_an_epoch_leaves_a_whole_last_state(tmp_path, every):
    class Stop(L.Callback):
        def on_train_epoch_end(self, trainer, pl_module):
            trainer.should_stop = trainer.current_epoch == 1

    fit(Users(), [WeightSnapshots(tmp_path, every_n_epochs=every), Stop()])
    assert places(tmp_path) == ([(0, 0), (1, 4), (2, 8)] if every == 1 else [(0, 0), (2, 8)])


@pytest.mark.parametrize("failure", [KeyboardInterrupt(), RuntimeError("bad batch"), TrainingError("nan")])
@pytest.mark.parametrize("every", [1, 5])
def test_a_batch_that_breaks_off_leaves_the_last_state_as_partial(tmp_path, every, failure):
    callback = WeightSnapshots(tmp_path, every_n_epochs=every)
    module = Users(fail={7: failure})
    stops = isinstance(failure, KeyboardInterrupt)
    with pytest.raises(SystemExit if stops else type(failure), match="1" if stops else str(failure)):
        fit(module, [callback])
    whole = [(0, 0), (1, 4)] if every == 1 else [(0, 0)]
    assert places(tmp_path) == [*whole, (1, 6, "partial")] and callback.failures == ()
    undisturbed = tmp_path / "undisturbed"
    fit(Users(), [WeightSnapshots(undisturbed, every_n_steps=6)])
    wanted = SnapshotStore(undisturbed).load(undisturbed / "epoch-00001_step-000000006.h5")
    assert all(torch.equal(value, wanted[name]) for name, value in newest(tmp_path).items())


def test_a_real_ctrl_c_leaves_no_half_file(tmp_path):
    class CtrlC(L.Callback):
        def on_train_batch_end(self, trainer, pl_module, *_):
            if trainer.global_step == 6:
                signal.raise_signal(signal.SIGINT)

    with pytest.raises(SystemExit):
        fit(Users(), [CtrlC(), WeightSnapshots(tmp_path)])
    assert places(tmp_path) == [(0, 0), (1, 4), (1, 6, "partial")]
    assert len([*tmp_path.iterdir()]) == 3


def test_ctrl_c_while_a_snapshot_is_written_writes_it_again(tmp_path, monkeypatch):
    real, calls = SnapshotStore.save, []

    def interrupted(self, *args, **numbers):
        calls.append(numbers)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return real(self, *args, **numbers)

    monkeypatch.setattr(SnapshotStore, "save", interrupted)
    with pytest.raises(SystemExit):
        fit(Users(), [WeightSnapshots(tmp_path)])
    assert places(tmp_path) == [(0, 0), (1, 4)] and calls[1] == calls[2]


def test_ctrl_c_between_two_steps_that_follow_a_snapshot_writes_nothing_more(tmp_path):
    with pytest.raises(SystemExit):
        fit(Users(fail={5: KeyboardInterrupt()}), [WeightSnapshots(tmp_path)])
    assert places(tmp_path) == [(0, 0), (1, 4)]


@pytest.mark.parametrize("stepped", [KeyboardInterrupt(), RuntimeError("no")])
def test_weights_of_which_half_were_updated_are_never_kept(tmp_path, stepped):
    class Torn(torch.optim.SGD):
        def step(self, closure=None):
            closure()
            if self.state.setdefault("steps", 0) == 6:
                self.param_groups[0]["params"][0].data.add_(1)
                raise stepped
            self.state["steps"] += 1
            super().step()

    module = Users()
    module.configure_optimizers = lambda: Torn(module.parameters(), lr=0.1)
    callback = WeightSnapshots(tmp_path)
    warned = pytest.warns(UserWarning, match="not kept: they were being updated")
    with warned, pytest.raises((SystemExit, RuntimeError)):
        fit(module, [callback])
    assert places(tmp_path) == [(0, 0), (1, 4)]
    assert callback.failures == ("The weights after the exception are not kept: they were being updated.",)


def test_a_validation_that_breaks_off_leaves_its_epoch_as_partial(tmp_path):
    class Fails(Users):
        def validation_step(self, batch, batch_index):
            if self.global_step == 8:
                raise RuntimeError("bad image")

    with pytest.raises(RuntimeError, match="bad image"):
        fit(Fails(), [WeightSnapshots(tmp_path)])
    assert places(tmp_path) == [(0, 0), (1, 4), (1, 8, "partial")]


def test_before_the_first_step_there_is_nothing_to_keep(tmp_path):
    class Fails(Users):
        def validation_step(self, batch, batch_index):
            raise RuntimeError("bad image")

    with pytest.raises(RuntimeError, match="bad image"):
        fit(Fails(), [WeightSnapshots(tmp_path / "s")])
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize("on_error", ["warn", "raise"])
def test_a_last_state_that_cannot_be_kept_does_not_hide_the_exception(tmp_path, monkeypatch, on_error):
    class Fails(L.Callback):
        def on_exception(self, trainer, pl_module, exception):
            monkeypatch.setattr(pl_module, "state_dict", lambda *_, **__: 1 / 0)

    callback = WeightSnapshots(tmp_path, on_error=on_error)
    warned = pytest.warns(UserWarning, match="The weights after the exception are not kept: division by zero")
    with warned, pytest.raises(RuntimeError, match="bad batch"):
        fit(Users(fail={7: RuntimeError("bad batch")}), [Fails(), callback])
    assert len(callback.failures) == 1 and places(tmp_path) == [(0, 0), (1, 4)]


def test_gradient_accumulation_that_breaks_off_keeps_the_last_step(tmp_path):
    """Two batches to a step; the third batch of an epoch fails, after its first step."""
    calls = []

    class Fails(Users):
        def training_step(self, batch, batch_index):
            calls.append(batch_index)
            if len(calls) == 7:
                raise RuntimeError("bad batch")
            return super().training_step(batch, batch_index)

    with pytest.raises(RuntimeError, match="bad batch"):
        fit(Fails(), [WeightSnapshots(tmp_path)], accumulate_grad_batches=2)
    assert places(tmp_path) == [(0, 0), (1, 2), (1, 3, "partial")]


@pytest.mark.filterwarnings("ignore:.*LeafSpec", "ignore:.*many workers", "ignore:.*in eval mode")
def test_the_same_trainer_may_go_on(tmp_path):
    trainer = fit(Users(), [WeightSnapshots(tmp_path)], max_epochs=1)
    trainer.fit_loop.max_epochs = 3
    trainer.fit(trainer.lightning_module, trainer.train_dataloader, trainer.val_dataloaders)
    assert places(tmp_path) == [(0, 0), (1, 4), (2, 8), (3, 12)]


def test_an_iterable_of_unknown_length_has_whole_epochs(tmp_path):
    class Stream(torch.utils.data.IterableDataset):
        def __iter__(self):
            yield from ((torch.full((8, 4), float(i)), torch.zeros(8, dtype=torch.long)) for i in range(3))

    stream = torch.utils.data.DataLoader(Stream(), batch_size=None)
    fit(Users(), [WeightSnapshots(tmp_path)], data=stream, max_epochs=2)
    assert places(tmp_path) == [(0, 0), (1, 3), (2, 6)]
