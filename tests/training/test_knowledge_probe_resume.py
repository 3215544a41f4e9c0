"""KnowledgeProbe in trainings that go on from a checkpoint of Lightning's."""

import warnings

import pytest
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from live.subjects import lines
from training.probed import Pupil, places, probe, shuffled, taught

from kdprobe.errors import ConfigError

pytestmark = pytest.mark.filterwarnings(
    "ignore:.*callbacks used to create the checkpoint need to be provided"
)


def in_order():
    """The same batches in every epoch: a resumed Lightning training does not take up the shuffling."""
    data = shuffled().dataset
    return torch.utils.data.DataLoader(data, batch_size=8)


class Still(Pupil):
    """Without random numbers, so that half a training and the other half are a whole one."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__(seed)
        self.net.body.drop.p = 0.0
        self.net.forward = lambda images: self.net.head(self.net.body(images))


def run(folder, epochs: int, *callbacks, **more):
    return taught(
        [probe(folder, **more.pop("probe", {})), *callbacks],
        module=Still(seed=more.pop("weights", 0)),
        epochs=epochs,
        data=in_order(),
        **more,
    )


def saved(tmp_path, epochs: int, **more) -> str:
    """The last checkpoint of a training of so many epochs in `tmp_path`/half."""
    keep = ModelCheckpoint(tmp_path, **({"filename": "c"} | more.pop("save", {})))
    run(tmp_path / "half", epochs, keep, enable_checkpointing=True, **more)
    return keep.best_model_path


@pytest.mark.parametrize("when", [{}, {"every_n_epochs": 3}, {"epochs": [3, 5]}])
@pytest.mark.parametrize("late", [True, False])
def test_the_log_is_that_of_a_training_that_was_not_interrupted(tmp_path, when, late):
    """`late`: the checkpoint is saved at the end of the epoch, else after its validation, before the observation."""
    checkpoint = saved(tmp_path, 3, probe=when, save={"save_on_train_epoch_end": late})
    run(tmp_path / "half", 6, ckpt_path=checkpoint, weights=8, probe=when)
    run(tmp_path / "whole", 6, probe=when)
    assert lines(tmp_path / "half") == lines(tmp_path / "whole")
    assert lines(tmp_path / "half")[-1]["epoch"] == 6


def test_lines_that_are_newer_than_the_checkpoint_make_way(tmp_path):
    checkpoint = saved(tmp_path, 3)
    log = tmp_path / "half" / "metrics.jsonl"
    before = log.read_bytes()
    log.write_bytes(before + before.splitlines(keepends=True)[-1].replace(b'"epoch": 3', b'"epoch": 5'))
    run(tmp_path / "half", 4, ckpt_path=checkpoint)
    assert log.read_bytes().startswith(before)
    assert [epoch for epoch, _ in places(tmp_path / "half")] == [0, 1, 2, 3, 4]


def test_a_checkpoint_holds_the_weights_of_the_last_observation_only_where_they_are_others(tmp_path):
    every = torch.load(saved(tmp_path, 3), weights_only=True)
    second = torch.load(
        saved(tmp_path, 4, probe={"every_n_epochs": 3}, save={"every_n_epochs": 1}), weights_only=True
    )
    (state,) = (value for key, value in every.items() if key.startswith("kdprobe knowledge probe"))
    (other,) = (value for key, value in second.items() if key.startswith("kdprobe knowledge probe"))
    assert state["walk"]["previous"] is None
    assert set(other["walk"]["previous"]) >= {"body.fc1.weight"}


def test_a_checkpoint_without_it_begins_the_curves_anew_and_says_so(tmp_path):
    keep = ModelCheckpoint(tmp_path, filename="c")
    taught([keep], module=Still(), epochs=2, data=in_order(), enable_checkpointing=True)
    with pytest.warns(
        UserWarning, match="holds nothing of the live probe of student: its curves begin at epoch 2"
    ):
        run(tmp_path / "run", 4, ckpt_path=tmp_path / "c.ckpt")
    found = lines(tmp_path / "run")
    assert [line["epoch"] for line in found] == [2, 3, 4]
    assert found[0]["weight_path"] == 0


def test_other_images_are_refused_on_resuming(tmp_path):
    checkpoint = saved(tmp_path, 2)
    with pytest.raises(ConfigError, match="other images or settings"):
        run(tmp_path / "half", 4, ckpt_path=checkpoint, probe={"margin": 0.3})


def test_nothing_is_warned_of_in_a_training_that_goes_on_as_it_should(tmp_path):
    checkpoint = saved(tmp_path, 2)
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*live probe.*")
        run(tmp_path / "half", 4, ckpt_path=checkpoint)
    assert [epoch for epoch, _ in places(tmp_path / "half")] == [0, 1, 2, 3, 4]
