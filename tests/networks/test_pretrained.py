"""Pretrained convolutional weights for fresh fully connected layers."""

from urllib.error import URLError

import pytest
import torch
import torchvision

from kdprobe.errors import ConfigError, SnapshotCorruptError, SnapshotError
from kdprobe.networks import build_network

SHAPE = (3, 63, 63)


def alexnet(**options):
    return build_network("alexnet", num_classes=5, image_shape=SHAPE, seed=2, fc=8, **options)


@pytest.fixture(scope="module")
def plain():
    """The state dict of another AlexNet, its classifier cut to a few numbers."""
    torch.manual_seed(9)
    state = torchvision.models.alexnet(num_classes=1).features.state_dict()
    state = {f"features.{name}": value for name, value in state.items()}
    return {**state, "classifier.1.weight": torch.zeros(3, 2), "classifier.1.bias": torch.zeros(3)}


def check_taken(model, plain):
    scratch = alexnet()
    for name, value in model.state_dict().items():
        assert torch.equal(
            value, plain[name] if name.startswith("features.") else scratch.state_dict()[name]
        ), name
    assert not torch.equal(scratch.features[0].weight, plain["features.0.weight"])


@pytest.mark.parametrize("new_format", [True, False])
def test_a_file_gives_its_convolutions_and_the_linear_layers_start_as_without_it(tmp_path, plain, new_format):
    file = tmp_path / "plain.pth"
    torch.save(
        plain, file, _use_new_zipfile_serialization=new_format
    )  # torchvision's files are of both formats
    model = alexnet(pretrained=str(file))
    check_taken(model, plain)
    assert model.pretrained.path == str(file)
    assert model.pretrained.left_out == ("classifier.1.weight", "classifier.1.bias")


def test_true_takes_torchvisions_file_from_torchs_cache(tmp_path, plain, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr("torch.hub.download_url_to_file", None)  # nothing is fetched
    (tmp_path / "hub" / "checkpoints").mkdir(parents=True)
    torch.save(plain, tmp_path / "hub" / "checkpoints" / "alexnet-owt-7be5be79.pth")
    check_taken(alexnet(pretrained=True), plain)


def test_true_fetches_torchvisions_file_into_that_cache_and_has_its_digest_checked(
    tmp_path, plain, monkeypatch
):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    asked = []

    def fetch(url, path, hash_prefix, progress):
        asked.append((url, hash_prefix))
        torch.save(plain, path)

    monkeypatch.setattr("torch.hub.download_url_to_file", fetch)
    check_taken(alexnet(pretrained=True), plain)
    check_taken(alexnet(pretrained=True), plain)
    assert asked == [("https://download.pytorch.org/models/alexnet-owt-7be5be79.pth", "7be5be79")]


@pytest.mark.parametrize("failure", [URLError("no network"), RuntimeError("invalid hash value")])
def test_without_a_network_one_sentence_names_url_place_and_option(tmp_path, monkeypatch, failure):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))

    def fetch(*_, **__):
        raise failure

    monkeypatch.setattr("torch.hub.download_url_to_file", fetch)
    with pytest.raises(SnapshotError) as error:
        alexnet(pretrained=True)
    message = str(error.value)
    assert "https://download.pytorch.org/models/alexnet-owt-7be5be79.pth" in message
    assert str(tmp_path / "hub" / "checkpoints" / "alexnet-owt-7be5be79.pth") in message
    assert "option pretrained" in message and "alexnet" in message and "\n" not in message


def test_files_that_cannot_be_used_are_refused(tmp_path, plain):
    with pytest.raises(SnapshotError, match="No weight file"):
        alexnet(pretrained=tmp_path / "nowhere.pth")
    (tmp_path / "page.pth").write_text("<html>")
    with pytest.raises(SnapshotCorruptError, match=r"page\.pth"):
        alexnet(pretrained=tmp_path / "page.pth")
    with pytest.raises(ConfigError, match="alexnet takes pretrained as true, false or the path"):
        alexnet(pretrained=3)
