"""Snapshots without Lightning: a plain loop, and Hugging Face's Trainer."""

import importlib
import logging
import math
import sys
from collections import namedtuple
from types import ModuleType, SimpleNamespace

import pytest
import torch
from training.users import Users, fit, loader, places

from kdprobe.errors import ConfigError, SnapshotError
from kdprobe.storage import SnapshotStore, snapshot_bytes
from kdprobe.training import WeightSnapshots

EVENTS = ("on_train_begin", "on_epoch_begin", "on_step_end", "on_epoch_end", "on_train_end")


def same_files(one, other) -> bool:
    contents = [{p.name: p.read_bytes() for p in folder.iterdir()} for folder in (one, other)]
    return contents[0] == contents[1]


def steps_of(module, batches):
    """One epoch by hand; yields after every step."""
    optimiser = module.configure_optimizers()
    for batch in batches:
        optimiser.zero_grad()
        module.training_step(batch, 0).backward()
        optimiser.step()
        yield


def test_a_plain_loop_writes_the_same_files_as_the_callback(tmp_path):
    module, store, step = Users(), SnapshotStore(tmp_path / "plain"), 0
    store.save(module, epoch=0, step=0)
    for epoch in range(1, 4):
        for _ in steps_of(module, loader()):
            step += 1
        store.save(module, epoch=epoch, step=step)
    fit(Users(), [WeightSnapshots(tmp_path / "lightning")])
    assert places(tmp_path / "plain") == [(0, 0), (1, 4), (2, 8), (3, 12)]
    assert same_files(tmp_path / "plain", tmp_path / "lightning")


@pytest.fixture
def snapshots_class(monkeypatch):
    """HuggingFaceSnapshots over a stand-in for the documented interface of transformers."""
    stub = ModuleType("transformers")
    stub.TrainerCallback = type("TrainerCallback", (), {event: lambda *_, **__: None for event in EVENTS})
    monkeypatch.setitem(sys.modules, "transformers", stub)
    monkeypatch.delitem(sys.modules, "kdprobe.training.hugging_face", raising=False)
    yield importlib.import_module("kdprobe.training.hugging_face").HuggingFaceSnapshots
    sys.modules.pop("kdprobe.training.hugging_face", None)


def train(callback, network, *, epochs=3, max_steps=None, stop=None, start=(0, 0), first=True, **arguments):
    """What transformers.Trainer does, as far as callbacks see it (read in its version 5.23).

    Our callback hears of the end with the last step, of all or of `max_steps`; of an early `stop` after that
    epoch.
    """
    plain = {"deepspeed": None, "fsdp": None, "load_best_model_at_end": False}
    args = SimpleNamespace(**plain | {"gradient_accumulation_steps": 1} | arguments)
    batches = [*loader()]
    last = max_steps or start[1] + (epochs - start[0]) * len(batches)
    if max_steps:
        epochs = math.ceil(max_steps / len(batches))
    state = SimpleNamespace(
        epoch=float(start[0]),
        global_step=start[1],
        max_steps=last,
        num_train_epochs=epochs,
        is_world_process_zero=first,
    )
    control = SimpleNamespace(should_training_stop=False, should_epoch_stop=False)

    def event(name: str) -> None:
        given = {"model": network, "optimizer": None, "lr_scheduler": None, "train_dataloader": batches}
        getattr(callback, name)(args, state, control, **given)

    event("on_train_begin")
    for epoch in range(start[0], epochs):
        event("on_epoch_begin")
        for number, _ in enumerate(steps_of(network, batches), start=1):
            state.global_step += 1
            state.epoch = epoch + number / len(batches)
            control.should_training_stop = state.global_step == last
            event("on_step_end")
            if control.should_training_stop:
                break
        event("on_epoch_end")
        control.should_training_stop |= state.epoch == stop
        if control.should_training_stop:
            break
    event("on_train_end")


def test_hugging_face_writes_the_same_files_as_the_callback(tmp_path, snapshots_class):
    train(snapshots_class(tmp_path / "hf"), Users())
    fit(Users(), [WeightSnapshots(tmp_path / "lightning")])
    assert same_files(tmp_path / "hf", tmp_path / "lightning")


@pytest.mark.parametrize(
    ("when", "how", "kept"),
    [
        ({}, {}, [(0, 0), (1, 4), (2, 8), (3, 12)]),
        ({}, {"max_steps": 6}, [(0, 0), (1, 4), (1, 6, "partial")]),
        ({}, {"max_steps": 8}, [(0, 0), (1, 4), (2, 8)]),
        ({"every_n_epochs": 2}, {}, [(0, 0), (2, 8), (3, 12)]),
        ({"every_n_epochs": None, "every_n_steps": 6}, {}, [(0, 0), (1, 6, "partial"), (3, 12)]),
        (
            {"epochs": [1]},
            {"max_steps": 6, "load_best_model_at_end": True},
            [(0, 0), (1, 4), (1, 6, "partial")],
        ),
    ],
)
def test_hugging_face_trainings_keep_what_was_asked_for(tmp_path, snapshots_class, when, how, kept):
    train(snapshots_class(tmp_path, **when), Users(), **how)
    assert places(tmp_path) == kept


@pytest.mark.parametrize(
    ("when", "how"),
    [
        ({}, {}),
        ({}, {"max_steps": 6}),
        ({}, {"max_steps": 14}),
        ({"every_n_epochs": 2}, {}),
        ({"every_n_steps": 3}, {}),
        ({"every_n_epochs": None, "every_n_steps": 5}, {"max_steps": 12}),
        ({"epochs": []}, {}),
    ],
)
def test_hugging_face_trainings_say_how_many_snapshots_come(tmp_path, snapshots_class, caplog, when, how):
    with caplog.at_level(logging.INFO, "kdprobe.training.hugging_face"):
        train(snapshots_class(tmp_path, **when), Users(), **how)
    written = len(places(tmp_path))
    needed = f"{written} snapshots will need {written * snapshot_bytes(Users()) / 1e9:.3g} GB in {tmp_path};"
    assert [r.getMessage()[: len(needed)] for r in caplog.records] == [needed]


def test_a_disk_without_room_for_the_last_state_is_told_to_hugging_face_users(
    tmp_path, snapshots_class, monkeypatch
):
    free = namedtuple("Usage", "free")(1000)
    monkeypatch.setattr("shutil.disk_usage", lambda folder: free)
    with pytest.raises(SnapshotError, match=r"^8 snapshots need .* but only 1e-06 GB are free in"):
        train(snapshots_class(tmp_path, every_n_steps=2, on_error="raise"), Users(), max_steps=13)


def test_data_of_unknown_length_are_no_obstacle_for_hugging_face(tmp_path, snapshots_class, caplog):
    callback = snapshots_class(tmp_path)
    args = SimpleNamespace(deepspeed=None, fsdp=None, gradient_accumulation_steps=1)
    numbers = {"epoch": 0.0, "global_step": 0, "max_steps": 9, "num_train_epochs": sys.maxsize}
    state = SimpleNamespace(**numbers, is_world_process_zero=True)
    with caplog.at_level(logging.INFO, "kdprobe.training.hugging_face"):
        callback.on_train_begin(args, state, None, model=Users(), train_dataloader=iter([]))
    assert caplog.messages[0].startswith("The snapshots, of a number not known yet, will need ")


def test_the_best_weights_loaded_at_the_end_are_not_the_last_ones(tmp_path, snapshots_class):
    """Another callback stops the training after its second epoch; then the Trainer may load other weights."""
    for best, kept in ((True, [(0, 0)]), (False, [(0, 0), (2, 8)])):
        callback = snapshots_class(tmp_path / str(best), every_n_epochs=3)
        train(callback, Users(), stop=2, load_best_model_at_end=best)
        assert places(tmp_path / str(best)) == kept


def test_hugging_face_trainings_go_on_in_their_folder_and_do_not_mix(tmp_path, snapshots_class):
    network = Users()
    train(snapshots_class(tmp_path), network, epochs=2)
    train(snapshots_class(tmp_path), network, start=(2, 8))
    assert places(tmp_path) == [(0, 0), (1, 4), (2, 8), (3, 12)]
    with pytest.raises(SnapshotError, match="already holds 4 snapshots of another training"):
        train(snapshots_class(tmp_path), network)


def test_only_the_first_process_writes(tmp_path, snapshots_class):
    train(snapshots_class(tmp_path / "s"), Users(), first=False)
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize("sharding", [{"deepspeed": "zero3.json"}, {"fsdp": True}])
def test_hugging_face_trainings_that_shard_the_weights_are_refused(tmp_path, snapshots_class, sharding):
    with pytest.raises(ConfigError, match="DeepSpeed and FSDP shard the weights"):
        train(snapshots_class(tmp_path), Users(), **sharding)


def test_without_transformers_the_sentence_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    monkeypatch.delitem(sys.modules, "kdprobe.training.hugging_face", raising=False)
    with pytest.raises(
        ConfigError, match=r"needs the package transformers; pip install 'kdprobe\[hugging_face\]'"
    ):
        importlib.import_module("kdprobe.training.hugging_face")


def test_the_trainer_of_transformers_keeps_what_the_loop_above_keeps(tmp_path, caplog):
    """The real one: two batches to a step, five to an epoch, so that an epoch ends with half a step."""
    import transformers

    from kdprobe.training.hugging_face import HuggingFaceSnapshots

    class Network(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = torch.nn.Linear(4, 2)

        def forward(self, inputs, labels):
            logits = self.linear(inputs)
            return {"loss": torch.nn.functional.cross_entropy(logits, labels), "logits": logits}

    data = [{"inputs": inputs, "labels": label} for inputs, label in loader(40).dataset]
    arguments = transformers.TrainingArguments(
        str(tmp_path / "out"),
        per_device_train_batch_size=8,
        gradient_accumulation_steps=2,
        max_steps=8,
        save_strategy="no",
        report_to="none",
        use_cpu=True,
        disable_tqdm=True,
    )
    network, folder = Network(), tmp_path / "s"
    callback = HuggingFaceSnapshots(folder, every_n_steps=4)
    trainer = transformers.Trainer(network, arguments, train_dataset=data, callbacks=[callback])
    with caplog.at_level(logging.INFO, "kdprobe.training.hugging_face"):
        trainer.train()
    assert places(folder) == [(0, 0), (1, 3), (1, 4, "partial"), (2, 6), (2, 8, "partial")]
    assert f"5 snapshots will need {5 * snapshot_bytes(network) / 1e9:.3g} GB" in caplog.text
    last = SnapshotStore(folder).load(SnapshotStore(folder).list()[-1])
    assert torch.equal(last["linear.weight"], network.linear.weight.detach())
