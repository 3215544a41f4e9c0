"""Weights from a file."""

import pytest
import torch
from torch import nn

from kdprobe.errors import SnapshotCorruptError, SnapshotError
from kdprobe.networks import build_network, load_weights


def network(seed=0, **options):
    return build_network(
        "vgg_small", num_classes=3, image_shape=(3, 16, 16), seed=seed, **{"widths": (4,), "fc": 8, **options}
    )


def same(a, b):
    return all(torch.equal(v, b.state_dict()[k]) for k, v in a.state_dict().items())


@pytest.mark.parametrize(
    "wrap",
    [
        lambda state: state,
        lambda state: {"state_dict": state, "epoch": 3},
        lambda state: {f"module._orig_mod.{k}": v for k, v in state.items()},
    ],
)
def test_weights_come_back(tmp_path, wrap):
    teacher, student = network(1), network(2)
    assert not same(teacher, student)
    torch.save(wrap(teacher.state_dict()), tmp_path / "teacher.pt")
    assert load_weights(student, tmp_path / "teacher.pt") is student
    assert same(teacher, student)


def test_what_does_not_fit_is_named_and_nothing_is_loaded(tmp_path):
    torch.save(network(1, fc=9).state_dict(), tmp_path / "teacher.pt")
    student = network(2)
    with pytest.raises(SnapshotError) as error:
        load_weights(student, tmp_path / "teacher.pt")
    message = str(error.value)
    assert "classifier.fc1.weight: network (8, 256), file (9, 256)" in message and "teacher.pt" in message
    assert same(student, network(2))


def test_missing_and_additional_tensors_are_named(tmp_path):
    state = network(1).state_dict()
    state["head.weight"] = state.pop("classifier.fc3.bias")
    torch.save(state, tmp_path / "teacher.pt")
    with pytest.raises(SnapshotError) as error:
        load_weights(network(), tmp_path / "teacher.pt")
    assert "classifier.fc3.bias: network (3,), file nothing" in str(error.value)
    assert "head.weight: network nothing, file (3,)" in str(error.value)


def test_files_that_are_no_weights(tmp_path):
    with pytest.raises(SnapshotError, match="No weight file"):
        load_weights(network(), tmp_path / "nowhere.pt")
    (tmp_path / "text.pt").write_text("no weights")
    with pytest.raises(SnapshotCorruptError, match=r"text\.pt"):
        load_weights(network(), tmp_path / "text.pt")
    torch.save([1, 2], tmp_path / "list.pt")
    with pytest.raises(SnapshotError, match="state dict"):
        load_weights(network(), tmp_path / "list.pt")
    (tmp_path / "weights.bin").write_bytes(b"x")
    with pytest.raises(SnapshotError, match=r"\.safetensors"):
        load_weights(network(), tmp_path / "weights.bin")


def test_a_file_that_would_run_code_is_refused(tmp_path):
    torch.save(nn.Linear(2, 2), tmp_path / "module.pt")  # a pickled module, not plain weights
    with pytest.raises(SnapshotCorruptError, match="plain weights"):
        load_weights(network(), tmp_path / "module.pt")
