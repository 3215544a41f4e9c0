"""The path length per optimiser step, against a plain loop over the weights of every step."""

import pytest
import torch
from lightning.pytorch.callbacks import EMAWeightAveraging, ModelCheckpoint
from training.users import ByHand, Users, fit

from kdprobe.errors import ConfigError
from kdprobe.metrics import weight_path
from kdprobe.storage import SnapshotStore, read_jsonl
from kdprobe.training import WeightSnapshots

LAYER = "net.model.0"
SEVERAL = ["net.model.0.weight", "net.model.0.bias", "net.model.2.weight"]


@pytest.fixture(scope="module")
def steps(tmp_path_factory) -> list[tuple[int | None, dict[str, torch.Tensor]]]:
    """Of a training without path length, as `per_step` has them."""
    store = SnapshotStore(tmp_path_factory.mktemp("steps"))
    fit(Users(), [WeightSnapshots(store, every_n_steps=1)])
    return per_step(store)


def per_step(store: SnapshotStore) -> list[tuple[int | None, dict[str, torch.Tensor]]]:
    """The weights after every step, with the epoch of those that end one."""
    return [(None if s.partial else s.epoch, store.load(s)) for s in store.list()]


def plain_sum(steps: list, names: list[str]) -> dict[int, float]:
    """epoch -> length of the path up to its end."""

    def norm(values: list) -> float:
        return sum(float(v.double().square().sum()) for v in values) ** 0.5

    total, lengths, before = 0.0, {0: 0.0}, None
    for epoch, state in steps:
        if before is None:
            scale = norm([state[n] for n in names])
        else:
            total += norm([state[n].double() - before[n].double() for n in names])
            lengths[epoch] = total / scale
        lengths.pop(None, None)
        before = state
    return lengths


@pytest.mark.parametrize(("path_length", "names"), [(LAYER, [f"{LAYER}.weight"]), (SEVERAL, SEVERAL)])
def test_it_is_the_sum_over_all_steps_in_units_of_the_first_norm(tmp_path, steps, path_length, names):
    callback = WeightSnapshots(tmp_path, path_length=path_length)
    fit(Users(), [callback])
    wanted = plain_sum(steps, names)
    assert list(wanted) == [0, 1, 2, 3] and wanted[3] > 0.1
    assert callback.path_length_by_epoch == pytest.approx(wanted, rel=1e-6)


def test_it_is_longer_than_the_path_from_epoch_to_epoch(tmp_path, steps):
    callback = WeightSnapshots(tmp_path, path_length=LAYER)
    fit(Users(), [callback])
    store = SnapshotStore(tmp_path)
    by_epoch = weight_path([store.load(s) for s in store.list()], [f"{LAYER}.weight"])
    for epoch in (1, 2, 3):
        assert callback.path_length_by_epoch[epoch] > 1.001 * by_epoch[epoch]


def test_with_accumulated_gradients_a_step_is_counted_once(tmp_path):
    both = [
        WeightSnapshots(tmp_path / "steps", every_n_steps=1),
        WeightSnapshots(tmp_path / "s", path_length=LAYER),
    ]
    fit(Users(), both, accumulate_grad_batches=3)
    steps = per_step(SnapshotStore(tmp_path / "steps"))
    assert len(steps) == 1 + 2 * 3
    assert both[1].path_length_by_epoch == pytest.approx(plain_sum(steps, [f"{LAYER}.weight"]), rel=1e-6)


def test_every_step_of_a_batch_with_several_is_counted(tmp_path):
    module, callback = ByHand(), WeightSnapshots(tmp_path, path_length=LAYER)
    fit(module, [callback], max_epochs=2)
    assert len(module.trace) == 1 + 2 * 2 * 4
    wanted = plain_sum([(None if k % 8 else k // 8, {"w": w}) for k, w in enumerate(module.trace)], ["w"])
    assert callback.path_length_by_epoch == pytest.approx(wanted, rel=1e-6)


def test_averaged_snapshots_have_the_path_of_the_raw_weights(tmp_path, steps):
    callback = WeightSnapshots(tmp_path, weights="averaged", path_length=LAYER)
    fit(Users(), [callback, EMAWeightAveraging(decay=0.5)])
    assert callback.path_length_by_epoch == pytest.approx(plain_sum(steps, [f"{LAYER}.weight"]), rel=1e-6)


def test_the_log_has_a_line_for_every_epoch(tmp_path):
    callback = WeightSnapshots(
        tmp_path / "s",
        1,
        2,
        first_step=8,
        module="net.model",
        path_length="0",
        log_path=tmp_path / "path.jsonl",
    )
    fit(Users(), [callback], max_epochs=2)
    assert [*read_jsonl(tmp_path / "path.jsonl")] == [
        {"epoch": k, "stage": 1, "step": 4 * k, "path_length": length, "parameters": ["0.weight"]}
        for k, length in callback.path_length_by_epoch.items()
        if k > 2
    ]
    assert list(callback.path_length_by_epoch) == [2, 3, 4] and callback.path_length_by_epoch[2] == 0


def test_a_log_that_cannot_be_written_is_a_failure_like_others(tmp_path):
    (tmp_path / "file").write_text("")
    callback = WeightSnapshots(tmp_path / "s", path_length=LAYER, log_path=tmp_path / "file" / "path.jsonl")
    with pytest.warns(UserWarning, match="path.jsonl"):
        fit(Users(), [callback], max_epochs=2)
    assert len(callback.failures) == 2 and callback.failed_epochs == ()
    assert list(callback.path_length_by_epoch) == [0, 1, 2]


@pytest.mark.filterwarnings("ignore:.*callbacks used to create the checkpoint", "ignore:.*is not resumable")
@pytest.mark.parametrize("save", [{"every_n_epochs": 1}, {"every_n_train_steps": 8}])
def test_a_resumed_training_measures_on(tmp_path, steps, save):
    checkpoint = ModelCheckpoint(tmp_path, filename="c", **save)
    first = WeightSnapshots(tmp_path / "s", path_length=LAYER)
    fit(Users(), [first, checkpoint], max_epochs=2, enable_checkpointing=True)
    second = WeightSnapshots(tmp_path / "s", path_length=LAYER)
    fit(Users(seed=3), [second], ckpt_path=tmp_path / "c.ckpt")
    wanted = plain_sum(steps, [f"{LAYER}.weight"])
    assert second.path_length_by_epoch[3] == pytest.approx(wanted[3], rel=1e-6)
    assert second.path_length_by_epoch[1] == first.path_length_by_epoch[1]


def test_a_checkpoint_without_it_is_said(tmp_path):
    trainer = fit(Users(), [WeightSnapshots(tmp_path / "s")], max_epochs=1)
    trainer.save_checkpoint(tmp_path / "c.ckpt")
    callback = WeightSnapshots(tmp_path / "s", path_length=LAYER)
    with pytest.warns(
        UserWarning, match=r"holds no path_length of net.model.0.weight: it is measured from epoch 1"
    ):
        fit(Users(), [callback], max_epochs=2, ckpt_path=tmp_path / "c.ckpt")
    assert list(callback.path_length_by_epoch) == [1, 2]


def test_a_second_training_starts_at_zero(tmp_path):
    callback = WeightSnapshots(tmp_path / "a", path_length=LAYER)
    fit(Users(), [callback], max_epochs=2)
    lengths = callback.path_length_by_epoch
    callback._writer.store = SnapshotStore(tmp_path / "b")
    fit(Users(), [callback], max_epochs=2)
    assert callback.path_length_by_epoch == lengths


@pytest.mark.parametrize(
    ("path_length", "sentence"),
    [
        (
            "fc9",
            r"Users has no parameter 'fc9.weight' for path_length; it has, for example, scale, zero, net",
        ),
        (["net.model.0.bias", "bias"], "Users has no parameter 'bias' for path_length"),
        (["zero"], "zero: all zero at the start, no unit of path_length; name other parameters"),
    ],
)
def test_parameters_without_a_path_are_refused_before_the_first_step(tmp_path, path_length, sentence):
    module = Users()
    module.zero = torch.nn.Parameter(torch.zeros(2))
    with pytest.raises(ConfigError, match=sentence):
        fit(module, [WeightSnapshots(tmp_path, path_length=path_length)])
    assert module.trainer.global_step == 0


def test_the_training_is_the_same_with_and_without(tmp_path, state, same):
    modules = [Users(), Users()]
    fit(modules[0], [])
    fit(modules[1], [WeightSnapshots(tmp_path, path_length=SEVERAL)])
    assert same(state(modules[0]), state(modules[1]))
