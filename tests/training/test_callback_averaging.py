"""Raw and averaged weights while Lightning's WeightAveraging is at work."""

import lightning.pytorch as L
import pytest
import torch
from lightning.pytorch.callbacks import EMAWeightAveraging, ModelCheckpoint, WeightAveraging
from training.users import Users, fit, places

from kdprobe.errors import ConfigError
from kdprobe.storage import SnapshotStore
from kdprobe.training import WeightSnapshots

DECAY = 0.75
OPTIONS = [("raw", "before"), ("raw", "after"), ("averaged", "before"), ("averaged", "after")]


def averaging(**options) -> EMAWeightAveraging:
    return EMAWeightAveraging(decay=DECAY, **options)


def contents(folder) -> dict[tuple[int, int], dict[str, torch.Tensor]]:
    store = SnapshotStore(folder)
    return {(s.epoch, s.step): store.load(s) for s in store.list()}


def train(folder, order: str, averages: L.Callback, *, fail=None, **settings) -> WeightSnapshots:
    snapshots = WeightSnapshots(folder, **settings)
    callbacks = [snapshots, averages] if order == "before" else [averages, snapshots]
    fit(Users(fail=fail), callbacks)
    return snapshots


@pytest.fixture(scope="module")
def plain(tmp_path_factory) -> dict:
    """The weights after every step of a training without any averaging."""
    folder = tmp_path_factory.mktemp("plain")
    fit(Users(), [WeightSnapshots(folder, every_n_steps=1)])
    return contents(folder)


def moving_average(plain: dict) -> dict:
    """As textbooks have it, over the weights of every step; the first one starts it."""
    averages, running = {}, None
    for place, state in plain.items():
        values = {name: value.double() for name, value in state.items()}
        if place[1] == 1:
            running = values
        elif running is not None:
            running = {n: DECAY * running[n] + (1 - DECAY) * values[n] for n in values}
        averages[place] = running or values
    return averages


@pytest.mark.parametrize(("weights", "order"), OPTIONS)
@pytest.mark.parametrize("when", [{"every_n_steps": 1}, {"every_n_epochs": 5}])
def test_each_is_what_it_says_whatever_the_order_of_the_callbacks(tmp_path, plain, weights, order, when):
    """The last state too, over which WeightAveraging has written the average by then, or will."""
    train(tmp_path, order, averaging(), weights=weights, **when)
    kept = contents(tmp_path)
    assert list(kept) == (list(plain) if "every_n_steps" in when else [(0, 0), (3, 12)])
    wanted = plain if weights == "raw" else moving_average(plain)
    for place, state in kept.items():
        for name in ("net.model.0.weight", "net.model.1.running_mean", "net.model.2.bias"):
            if weights == "raw":
                assert torch.equal(state[name], wanted[place][name]), (place, name)
            else:
                assert torch.allclose(state[name].double(), wanted[place][name], atol=1e-6), (place, name)
    assert not torch.allclose(
        plain[3, 12]["net.model.0.weight"], moving_average(plain)[3, 12]["net.model.0.weight"].float()
    )
    assert {s.weights for s in SnapshotStore(tmp_path).list()} == {weights}


@pytest.mark.parametrize("order", ["before", "after"])
def test_an_average_that_is_taken_at_the_end_of_an_epoch_is_that_of_this_epoch(tmp_path, plain, order):
    class PerEpoch(WeightAveraging):
        def should_update(self, step_idx=None, epoch_idx=None):
            return epoch_idx is not None

    train(tmp_path, order, PerEpoch(), weights="averaged", module="net.model")
    ends = [plain[k, 4 * k]["net.model.0.weight"].double() for k in (1, 2, 3)]
    kept = contents(tmp_path)
    for k in (1, 2, 3):
        mean = torch.stack(ends[:k]).mean(0)
        assert torch.allclose(kept[k, 4 * k]["0.weight"].double(), mean, atol=1e-6)


def test_both_can_be_kept_side_by_side(tmp_path, plain):
    both = [WeightSnapshots(tmp_path / name, weights=name) for name in ("averaged", "raw")]
    fit(Users(), [both[0], averaging(), both[1]])
    raw, mean = contents(tmp_path / "raw"), contents(tmp_path / "averaged")
    name = "net.model.0.weight"
    assert torch.equal(raw[3, 12][name], plain[3, 12][name])
    assert torch.allclose(mean[3, 12][name].double(), moving_average(plain)[3, 12][name], atol=1e-6)


@pytest.mark.parametrize(("weights", "order"), OPTIONS)
def test_an_exception_in_a_batch_leaves_the_weights_that_were_asked_for(tmp_path, plain, weights, order):
    with pytest.raises(RuntimeError, match="bad batch"):
        train(tmp_path, order, averaging(), weights=weights, fail={7: RuntimeError("bad batch")})
    assert places(tmp_path)[-1] == (1, 6, "partial")
    wanted = plain if weights == "raw" else moving_average(plain)
    name = "net.model.0.weight"
    assert torch.allclose(contents(tmp_path)[1, 6][name].double(), wanted[1, 6][name].double(), atol=1e-6)


@pytest.mark.parametrize(("weights", "order"), OPTIONS)
def test_weights_that_are_exchanged_for_a_validation_are_not_kept(tmp_path, weights, order):
    class Fails(Users):
        def validation_step(self, batch, batch_index):
            if self.global_step == 8:
                raise RuntimeError("bad image")

    snapshots = WeightSnapshots(tmp_path, weights=weights)
    callbacks = [snapshots, averaging()] if order == "before" else [averaging(), snapshots]
    with pytest.warns(UserWarning, match="WeightAveraging had exchanged them"), pytest.raises(RuntimeError):
        fit(Fails(), callbacks)
    assert places(tmp_path) == [(0, 0), (1, 4)]


def test_averaged_weights_need_one_who_averages(tmp_path):
    module = Users()
    with pytest.raises(
        ConfigError, match="needs one WeightAveraging among the callbacks, got 0; add one, or"
    ):
        fit(module, [WeightSnapshots(tmp_path / "s", weights="averaged")])
    with pytest.raises(ConfigError, match="got 2"):
        fit(module, [WeightSnapshots(tmp_path / "s", weights="averaged"), averaging(), WeightAveraging()])
    assert module.trainer.global_step == 0 and [*tmp_path.iterdir()] == []


@pytest.mark.parametrize("weights", ["raw", "averaged"])
def test_the_training_is_the_same_with_and_without(tmp_path, state, same, weights):
    modules = [Users(), Users()]
    fit(modules[0], [averaging()])
    fit(modules[1], [WeightSnapshots(tmp_path, weights=weights), averaging()])
    assert same(state(modules[0]), state(modules[1]))


def test_a_resumed_training_goes_on_with_its_averages(tmp_path, plain):
    first = [averaging(), WeightSnapshots(tmp_path / "s", weights="averaged")]
    checkpoint = ModelCheckpoint(tmp_path, filename="c", every_n_epochs=1)
    fit(Users(), [*first, checkpoint], max_epochs=2, enable_checkpointing=True)
    second = [WeightSnapshots(tmp_path / "s", weights="averaged"), averaging()]
    fit(Users(seed=8), second, ckpt_path=tmp_path / "c.ckpt")
    name = "net.model.0.weight"
    assert places(tmp_path / "s") == [(0, 0), (1, 4), (2, 8), (3, 12)]
    wanted = moving_average(plain)[3, 12][name]
    assert torch.allclose(contents(tmp_path / "s")[3, 12][name].double(), wanted, atol=1e-6)
