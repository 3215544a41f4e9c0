"""A state goes into a model whole, or the difference is named."""

from collections import OrderedDict

import pytest
import torch

from kdprobe.errors import InputError, SnapshotError
from kdprobe.storage import SnapshotStore, load_state


def net(width=4, extra=False):
    layers = [torch.nn.Linear(3, width), torch.nn.BatchNorm1d(width)]
    return torch.nn.Sequential(*layers, *([torch.nn.Linear(width, 2)] if extra else []))


def equal(left, right):
    pairs = zip(left.state_dict().values(), right.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


def test_a_fitting_state_is_copied(tmp_path):
    source, target = net(), net()
    source(torch.randn(5, 3))
    store = SnapshotStore(tmp_path)
    load_state(target, store.load(store.save(source, epoch=1, step=1)))
    assert equal(source, target)


def test_wrappers_on_either_side_do_not_matter():
    source, target = net(), torch.nn.DataParallel(net())
    load_state(target, source.state_dict())
    assert equal(source, target.module)
    plain = net()
    load_state(torch.compile(plain), target.state_dict())
    assert equal(source, plain)


def test_a_child_called_module_stays_itself(tmp_path):
    class Shell(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.module = torch.nn.Linear(2, 2)

    source, target = Shell(), Shell()
    store = SnapshotStore(tmp_path)
    load_state(target, store.load(store.save(source, epoch=0, step=0)))
    assert equal(source, target)


@pytest.mark.parametrize(
    ("state", "says"),
    [
        (
            net(5).state_dict(),
            r"run\.h5 does not fit Sequential: 0\.weight is \(5, 3\), the model has \(4, 3\); 0\.bias",
        ),
        (net(extra=True).state_dict(), r"2\.weight \(2, 4\) is not in the model; 2\.bias"),
        ({"0.weight": torch.zeros(4, 3)}, r"0\.bias \(4,\) is missing; .* \(and 3 more\)"),
        ({}, r"0\.weight \(4, 3\) is missing"),
    ],
)
def test_the_first_differences_are_named_and_nothing_is_copied(state, says):
    target = net()
    before = {name: value.clone() for name, value in target.state_dict().items()}
    with pytest.raises(SnapshotError, match=says):
        load_state(target, state, "run.h5")
    assert all(torch.equal(value, before[name]) for name, value in target.state_dict().items())


def test_a_loaded_state_that_torch_saves_is_an_ordinary_one(tmp_path):
    store = SnapshotStore(tmp_path / "snapshots")
    state = store.load(store.save({"b": torch.ones(2), "a": torch.zeros(1)}, epoch=0, step=0))
    torch.save(state, tmp_path / "weights.pt")
    again = torch.load(tmp_path / "weights.pt", weights_only=True)
    assert type(again) is OrderedDict and list(again) == ["b", "a"]
    assert all(torch.equal(again[name], state[name]) for name in state)


def test_names_that_are_no_texts_are_refused(tmp_path):
    odd = {**net().state_dict(), 3: torch.ones(1)}
    for use in (lambda: load_state(net(), odd), lambda: SnapshotStore(tmp_path).save(odd, epoch=0, step=0)):
        with pytest.raises(SnapshotError, match="names as text, got 3"):
            use()


def test_a_module_is_no_state():
    with pytest.raises(InputError, match="mapping of names to tensors, got Sequential"):
        load_state(net(), net())
