"""Some of the tensors only: which ones, by patterns, and never taken for all of them."""

import pytest
import torch

from kdprobe.errors import InputError, SnapshotError
from kdprobe.storage import SnapshotStore, load_state


def net():
    return torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4), torch.nn.Linear(4, 2))


@pytest.mark.parametrize(
    ("include", "exclude", "kept"),
    [
        ("0.*", None, ["0.weight", "0.bias"]),
        (["0.weight", "2.w?ight"], None, ["0.weight", "2.weight"]),
        (None, "1.*", ["0.weight", "0.bias", "2.weight", "2.bias"]),
        ("*.weight", ["[01].*"], ["2.weight"]),
        (["*.BIAS", "2.bias"], (), ["2.bias"]),
    ],
)
def test_patterns_choose_tensors_by_name(tmp_path, include, exclude, kept):
    model = net()
    store = SnapshotStore(tmp_path, include=include, exclude=exclude)
    snapshot = store.save(model, epoch=1, step=2)
    loaded = store.load(snapshot)
    assert list(loaded) == kept
    assert all(torch.equal(loaded[name], model.state_dict()[name]) for name in kept)
    assert store.list() == [snapshot]
    assert (snapshot.include, snapshot.exclude) == (store.include, store.exclude) != ((), ())


def test_the_names_are_those_without_wrappers(tmp_path):
    store = SnapshotStore(tmp_path, include="0.*")
    assert list(store.load(store.save(torch.nn.DataParallel(net()), epoch=0, step=0))) == [
        "0.weight",
        "0.bias",
    ]


def test_patterns_that_leave_out_nothing_leave_no_trace(tmp_path):
    model = net()
    all_of_it = SnapshotStore(tmp_path / "a", include="*", exclude="none").save(model, epoch=1, step=2)
    plain = SnapshotStore(tmp_path / "b").save(model, epoch=1, step=2)
    assert all_of_it.path.read_bytes() == plain.path.read_bytes()
    assert (all_of_it.include, all_of_it.exclude) == ((), ())


def test_one_name_of_a_tied_tensor_may_be_left_out(tmp_path):
    weight = torch.ones(2)
    store = SnapshotStore(tmp_path, exclude="out")
    loaded = store.load(store.save({"in": weight, "out": weight}, epoch=0, step=0))
    assert list(loaded) == ["in"] and torch.equal(loaded["in"], weight)


@pytest.mark.parametrize(
    ("include", "exclude", "says"),
    [("conv*", None, "include='conv\\*'"), (["0.*"], ["*"], "include='0\\.\\*' and exclude='\\*'")],
)
def test_patterns_that_leave_nothing_are_named(tmp_path, include, exclude, says):
    store = SnapshotStore(tmp_path / "s", include=include, exclude=exclude)
    with pytest.raises(InputError, match=rf"Of 9 tensors \(0\.weight, .* none is left by {says}"):
        store.save(net(), epoch=0, step=0)
    assert not store.folder.exists()
    store.save({}, epoch=0, step=0)  # nothing there is not nothing left


@pytest.mark.parametrize("wrong", [3, [3], [""], ""])
def test_what_is_no_pattern_is_named(tmp_path, wrong):
    with pytest.raises(InputError, match="exclude as patterns of tensor names"):
        SnapshotStore(tmp_path, exclude=wrong)


def test_a_model_does_not_take_a_part_for_the_whole(tmp_path):
    model = net()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    store = SnapshotStore(tmp_path, exclude=["1.*", "2.bias"])
    snapshot = store.save(net(), epoch=1, step=2)
    state = SnapshotStore(tmp_path).load(snapshot.path)
    with pytest.raises(SnapshotError) as caught:
        load_state(model, state, source=snapshot.path.name)
    assert str(caught.value) == (
        "epoch-00001_step-000000002.h5 holds only the tensors left by exclude='1.*', '2.bias' and does not fit "
        "Sequential: 1.weight (4,) is missing; 1.bias (4,) is missing; 1.running_mean (4,) is missing (and 3 more). "
        "Save all tensors, or pass what is there to load_state_dict(..., strict=False)."
    )
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    left = model.load_state_dict(state, strict=False)
    assert not left.unexpected_keys and torch.equal(model[0].weight, state["0.weight"])


def test_a_part_fits_the_part(tmp_path):
    source, target = net(), net()
    store = SnapshotStore(tmp_path, include="0.*")
    state = {
        name.removeprefix("0."): value
        for name, value in store.load(store.save(source, epoch=0, step=0)).items()
    }
    load_state(target[0], state)
    assert torch.equal(target[0].weight, source[0].weight)


def test_the_same_step_with_other_patterns_is_another_state(tmp_path):
    model = net()
    SnapshotStore(tmp_path, include="0.*").save(model, epoch=1, step=2)
    with pytest.raises(SnapshotError, match="exists with other weights"):
        SnapshotStore(tmp_path).save(model, epoch=1, step=2)
