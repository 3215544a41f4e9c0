"""Weights from a file."""

import pytest
import torch
from torch import nn

from kdprobe.errors import ConfigError, SnapshotCorruptError, SnapshotError
from kdprobe.networks import build_network, load_convolutional_weights, load_weights


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


def convolutional(seed=0, **options):
    model = network(seed, **options)
    model.convolutional_part = ("features",)
    return model


def test_the_convolutional_part_alone_is_taken_and_the_rest_is_named(tmp_path):
    plain, model = network(1, fc=9), convolutional(2)
    torch.save(plain.state_dict(), tmp_path / "plain.pth")
    taken = load_convolutional_weights(model, tmp_path / "plain.pth")
    assert same(plain.features, model.features) and same(network(2).classifier, model.classifier)
    classifier = tuple(f"classifier.fc{k}.{kind}" for k in (1, 2, 3) for kind in ("weight", "bias"))
    assert taken.left_out == taken.fresh == classifier
    assert set(taken.loaded) == {name for name in model.state_dict() if name.startswith("features.")}
    assert taken.sentence() == (
        f"Took features (6 tensors) from {tmp_path / 'plain.pth'}, left out classifier (6 tensors); "
        "classifier (6 tensors) start fresh."
    )


def test_a_file_of_an_old_version_without_counters_fits(tmp_path):
    state = {k: v for k, v in network(1).state_dict().items() if not k.endswith("num_batches_tracked")}
    torch.save(state, tmp_path / "plain.pth")
    model = convolutional(2)
    load_convolutional_weights(model, tmp_path / "plain.pth")
    assert same(network(1).features, model.features)


def test_a_convolutional_part_that_does_not_fit_is_named_and_nothing_is_loaded(tmp_path):
    torch.save(network(1, widths=(5,)).state_dict(), tmp_path / "plain.pth")
    model = convolutional(2)
    with pytest.raises(SnapshotError) as error:
        load_convolutional_weights(model, tmp_path / "plain.pth")
    assert "features.block1.conv.weight: network (4, 3, 3, 3), file (5, 3, 3, 3)" in str(error.value)
    assert same(network(2), model)
    del model.convolutional_part
    with pytest.raises(ConfigError, match="convolutional_part"):
        load_convolutional_weights(model, tmp_path / "plain.pth")


def test_whole_weights_that_do_not_fit_but_for_the_convolutions_lead_to_the_option(tmp_path):
    torch.save(network(1, fc=9).state_dict(), tmp_path / "plain.pth")
    with pytest.raises(SnapshotError, match=r"its convolutional part does: .* pretrained"):
        load_weights(convolutional(2), tmp_path / "plain.pth")
    for other in (network(2), convolutional(2, widths=(5,))):  # no such part; one that does not fit either
        with pytest.raises(SnapshotError, match="the options that it was trained with"):
            load_weights(other, tmp_path / "plain.pth")
