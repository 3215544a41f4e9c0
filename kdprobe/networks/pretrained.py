"""Pretrained convolutional weights: torchvision's, or from a file."""

import hashlib
from pathlib import Path
from typing import Any

import torch
from torch import nn

from kdprobe.errors import ConfigError, SnapshotError
from kdprobe.networks.weights import load_convolutional_weights
from kdprobe.paths import expanded

#: Those that ``pretrained=True`` meant when the released code was written.
_WEIGHTS = "IMAGENET1K_V1"


def take_pretrained(model: nn.Module, name: str, pretrained: bool | str | Path) -> None:
    """Loads the convolutional part of a pretrained plain network; the rest of `model` stays as it is.

    pretrained: the path of a file (see `load_convolutional_weights`), or True: torchvision's weights IMAGENET1K_V1 of
        the network `name`, from torch's cache or fetched into it (``TORCH_HOME``).

    What was loaded and what was left out is kept as ``model.pretrained``, a `PartialWeights`.

    Raises ConfigError if `pretrained` is neither, SnapshotError if the file is missing, cannot be fetched or does not
    fit, SnapshotCorruptError if it cannot be read.
    """
    if isinstance(pretrained, str | Path):
        path = Path(pretrained)
    elif pretrained is True:
        path = _fetched(name)
    else:
        raise ConfigError(
            f"{name} takes pretrained as true, false or the path of a weight file, got {pretrained!r}."
        )
    model.pretrained = load_convolutional_weights(model, path)


def pretrained_provenance(name: str, pretrained: bool | str | Path) -> dict[str, Any]:
    """Which weights `pretrained` means, JSON-able: URL, or path and sha256 of the file (None if it is missing)."""
    if isinstance(pretrained, bool):
        return {"torchvision": _WEIGHTS, "url": _url(name)}
    path = expanded(pretrained)
    if not path.is_file():
        return {"path": str(path), "sha256": None}
    with path.open("rb") as file:
        return {"path": str(path), "sha256": hashlib.file_digest(file, "sha256").hexdigest()}


def _url(name: str) -> str:
    import torchvision.models

    return torchvision.models.get_model_weights(name)[_WEIGHTS].url


def _fetched(name: str) -> Path:
    """Where torchvision's file lies in torch's cache; fetched if it is not there yet, its sha256 checked."""
    url = _url(name)
    path = Path(torch.hub.get_dir()) / "checkpoints" / url.rpartition("/")[2]
    if path.is_file():
        return path
    digest = path.stem.rpartition("-")[2]  # the first digits of the sha256, by torchvision's convention
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.hub.download_url_to_file(url, str(path), hash_prefix=digest, progress=False)
    except (OSError, RuntimeError) as error:  # no network or no place; or another sha256
        raise SnapshotError(
            f"The pretrained weights of {name} could not be fetched from {url} ({error}); put that file at {path}, "
            "give the path of one as the option pretrained, or false to start afresh."
        ) from error
    return path
