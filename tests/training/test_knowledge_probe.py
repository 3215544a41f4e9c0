"""KnowledgeProbe in somebody's Lightning training: when it looks, and that nobody notices."""

import random
from types import SimpleNamespace

import lightning.pytorch as L
import numpy as np
import pytest
import torch
from lightning.pytorch.callbacks import WeightAveraging
from lightning.pytorch.strategies import FSDPStrategy
from live.subjects import Net, images, lines, masks, options
from training.probed import Pupil, places, probe, taught

from kdprobe import KnowledgeProbe
from kdprobe.errors import ConfigError, InputError, LayerError
from kdprobe.live import LiveProbe


def left_behind(trainer: L.Trainer) -> dict[str, object]:
    """Whatever a training could have done otherwise."""
    module = trainer.lightning_module
    momentum = [s["momentum_buffer"] for s in trainer.optimizers[0].state_dict()["state"].values()]
    return {
        "weights": module.state_dict(),
        "momentum": dict(enumerate(momentum)),
        "gradients": {n: p.grad for n, p in module.named_parameters() if p.grad is not None},
        "random": {
            "torch": torch.rand(4),
            "numpy": torch.from_numpy(np.random.rand(4)),
            "python": torch.tensor([random.random()]),
        },
        "flags": [m.training for m in module.modules()] + [p.requires_grad for p in module.parameters()],
    }


def assert_same(one: dict, other: dict, same) -> None:
    assert one.pop("flags") == other.pop("flags")
    for what in one:
        assert same(one[what], other[what]), what


@pytest.mark.parametrize("when", [{}, {"every_n_epochs": 2}, {"epochs": [1]}])
def test_a_training_is_bitwise_the_same_with_and_without_it(tmp_path, same, when):
    plain = left_behind(taught([]))
    assert_same(left_behind(taught([probe(tmp_path, **when)])), plain, same)
    assert len(lines(tmp_path)) >= 3


def test_nor_does_a_measurement_that_fails_change_it(tmp_path, same):
    class Break(L.Callback):
        def on_train_epoch_end(self, trainer, module):
            module.net.fails[:] = [ValueError("not now")] if trainer.current_epoch == 1 else []

    plain = left_behind(taught([], limit_val_batches=0))
    with pytest.warns(UserWarning, match="Epoch 2 was not measured: not now"):
        trainer = taught([Break(), probe(tmp_path, on_error="warn")], limit_val_batches=0)
    assert_same(left_behind(trainer), plain, same)
    assert [epoch for epoch, _ in places(tmp_path)] == [0, 1, 3]


@pytest.mark.parametrize(
    ("when", "seen"),
    [
        ({}, [(0, 0), (1, 3), (2, 6), (3, 9), (4, 12)]),
        ({"every_n_epochs": 3}, [(0, 0), (3, 9), (4, 12)]),
        ({"epochs": [2]}, [(0, 0), (2, 6), (4, 12)]),
        ({"first_epoch": 5, "first_step": 100}, [(5, 100), (6, 103), (7, 106), (8, 109), (9, 112)]),
    ],
)
def test_start_end_and_the_chosen_epochs_are_observed(tmp_path, when, seen):
    taught([probe(tmp_path, **when)], epochs=4)
    assert places(tmp_path) == seen


def test_the_numbers_are_those_of_a_plain_observer_of_the_same_weights(tmp_path):
    """The weights are kept by another callback, and observed when all is over."""
    kept = []

    class Keep(L.Callback):
        def on_train_start(self, trainer, module):
            kept.append({n: t.clone() for n, t in module.net.state_dict().items()})

        on_train_epoch_end = on_train_start

    taught([Keep(), probe(tmp_path / "a", stage=3)])
    watch, net = LiveProbe(images(), masks(), "fc1", tmp_path / "b", **options()), Net()
    for epoch, state in enumerate(kept):
        net.load_state_dict(state)
        watch.observe(net, epoch=epoch, step=3 * epoch, stage=3)
    assert lines(tmp_path / "a") == lines(tmp_path / "b")
    assert lines(tmp_path / "a")[-1]["weight_path"] > 0


@pytest.mark.parametrize(
    ("changes", "error", "sentence"),
    [
        ({"module": "nets"}, ConfigError, "Pupil has no module 'nets'"),
        ({"every_n_epochs": 0}, ConfigError, "every_n_epochs must be a whole number from 1 on"),
        ({"on_error": "never"}, ConfigError, "on_error must be one of warn, raise"),
        ({"weights": ["tail"]}, ConfigError, "has no parameter 'tail'"),
        ({"grid": 40}, InputError, "A grid of 40 x 40 cells does not fit"),
    ],
)
def test_what_cannot_work_is_refused_before_the_first_step(tmp_path, changes, error, sentence):
    module = Pupil()
    with pytest.raises(error, match=sentence):
        taught([probe(tmp_path, **changes)], module=module)
    assert module.net.passes == 0
    assert not list(tmp_path.iterdir())


def test_a_layer_that_is_not_there_is_refused_before_the_first_step(tmp_path):
    module = Pupil()
    callback = KnowledgeProbe(images(), masks(), "fc7", tmp_path, module="net", **options(on_error="warn"))
    with pytest.raises(LayerError, match="no layer 'fc7'; the nearest names"):
        taught([callback], module=module)
    assert module.net.passes == 0


def test_a_folder_that_takes_nothing_never_ends_the_training(tmp_path):
    (tmp_path / "file").write_text("no folder")
    callback = probe(tmp_path / "file" / "run", on_error="warn")
    with pytest.warns(UserWarning, match="The training goes on"):
        trainer = taught([callback])
    assert trainer.global_step == 9
    assert len(callback.failures) == 4


def test_it_does_nothing_in_a_trial_run(tmp_path):
    taught([probe(tmp_path)], fast_dev_run=True)
    assert not list(tmp_path.iterdir())


def test_of_several_processes_only_the_first_one_measures(tmp_path):
    callback, module = probe(tmp_path), Pupil()
    told = []
    strategy = SimpleNamespace(broadcast=told.append)
    batches = SimpleNamespace(current=SimpleNamespace(ready=0), is_last_batch=False)
    loop = SimpleNamespace(
        epoch_loop=SimpleNamespace(batch_progress=batches),
        epoch_progress=SimpleNamespace(current=SimpleNamespace(ready=0, processed=0)),
    )
    second = SimpleNamespace(
        fast_dev_run=False, strategy=strategy, fit_loop=loop, is_global_zero=False, global_step=0, loggers=[]
    )
    callback.on_train_start(second, module)
    assert told == [None]
    assert not list(tmp_path.iterdir())
    second.is_global_zero = True
    callback.on_train_start(second, module)
    assert places(tmp_path) == [(0, 0)]


def test_strategies_that_shard_the_weights_are_refused(tmp_path):
    trainer = SimpleNamespace(fast_dev_run=False, strategy=object.__new__(FSDPStrategy))
    with pytest.raises(ConfigError, match="FSDPStrategy shards the weights"):
        probe(tmp_path).on_train_start(trainer, Pupil())


def test_beside_weight_averaging_it_measures_the_raw_weights(tmp_path):
    taught([probe(tmp_path / "plain")])
    taught([WeightAveraging(), probe(tmp_path / "averaged")])
    assert lines(tmp_path / "averaged") == lines(tmp_path / "plain")
