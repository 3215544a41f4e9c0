"""AlexNet and the VGGs of the paper: torchvision's, with the taps conv, fc1, fc2 and fc3."""

from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import nn

from kdprobe.networks.head import check_head
from kdprobe.networks.initialisation import initialise_in_parts
from kdprobe.networks.pretrained import take_pretrained
from kdprobe.networks.sizes import check_image_shape

#: The released code draws an untrained VGG-16 in one sequence, and features and classifier of the others apart.
_ONE_SEQUENCE = ("vgg16",)


def _build(
    name: str,
    num_classes: int,
    image_shape: Sequence[int],
    dropout: float,
    fc: int,
    pretrained: bool | str | Path,
) -> nn.Module:
    check_image_shape(name, image_shape)
    check_head(name, dropout, fc)
    import torchvision.models

    with torch.device("meta"):  # the layers alone: all their weights are drawn below
        model = getattr(torchvision.models, name)(weights=None, dropout=dropout)
        linear = [k for k, layer in enumerate(model.classifier) if isinstance(layer, nn.Linear)]
        widths = (model.classifier[linear[0]].in_features, fc, fc, num_classes)
        for k, before, after in zip(linear, widths, widths[1:], strict=False):
            model.classifier[k] = nn.Linear(before, after)
    model.to_empty(device=torch.get_default_device())
    last = max(k for k, layer in enumerate(model.features) if isinstance(layer, nn.Conv2d))
    model.taps = {
        "conv": f"features.{last}",
        **{f"fc{number}": f"classifier.{k}" for number, k in enumerate(linear, start=1)},
        **_stages(model.features),
        "embedding": f"classifier.{linear[-1] - 1}",
    }
    model.convolutional_part = ("features",)
    if pretrained:
        initialise_in_parts([model.classifier])
        take_pretrained(model, name, pretrained)
    elif name in _ONE_SEQUENCE:
        initialise_in_parts([model])
    else:
        initialise_in_parts([model.features], [model.classifier])
    return model


def _stages(features: nn.Sequential) -> dict[str, str]:
    """A stage ends at every max-pooling, before which come a convolution and its ReLU."""
    pools = [k for k, layer in enumerate(features) if isinstance(layer, nn.MaxPool2d)]
    return {
        **{f"stage{number}": f"features.{k - 1}" for number, k in enumerate(pools, start=1)},
        **{f"stage{number}_preact": f"features.{k - 2}" for number, k in enumerate(pools, start=1)},
    }


def _network(name: str, title: str) -> Callable[..., nn.Module]:
    def build(
        *,
        num_classes: int,
        image_shape: Sequence[int],
        dropout: float = 0.5,
        fc: int = 4096,
        pretrained: bool | str | Path = False,
    ) -> nn.Module:
        return _build(name, num_classes, image_shape, dropout, fc, pretrained)

    build.__name__ = name
    embedding = "fc2 after its ReLU" if name == "alexnet" else "fc2 after ReLU and dropout"
    build.__doc__ = f"""{title}, torchvision's.

    Taps: ``conv`` (the last convolution), ``fc1``, ``fc2`` (all before their ReLU), ``fc3`` (logits); ``stage1`` and so
    on, one for each max-pooling (what it gets: the value after a ReLU), ``stage1_preact`` and so on (before that ReLU),
    ``embedding`` (what fc3 gets: {embedding}). `fc`: features of fc1 and fc2; `pretrained`: see
    `take_pretrained`. Initial weights: see `initialise_in_parts`.
    """
    return build


ALEXNET_VGG: dict[str, Callable[..., nn.Module]] = {
    "alexnet": _network("alexnet", "AlexNet (Krizhevsky 2014, arXiv 1404.5997)"),
    "vgg11": _network("vgg11", "VGG-11 (Simonyan and Zisserman 2015, arXiv 1409.1556, configuration A)"),
    "vgg16": _network("vgg16", "VGG-16 (Simonyan and Zisserman 2015, arXiv 1409.1556, configuration D)"),
    "vgg19": _network("vgg19", "VGG-19 (Simonyan and Zisserman 2015, arXiv 1409.1556, configuration E)"),
}
