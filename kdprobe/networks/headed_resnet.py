"""The ResNets of the paper: torchvision's layers, two more convolutions, and three fully connected layers."""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import nn

from kdprobe.networks.head import check_head
from kdprobe.networks.initialisation import initialise_in_parts
from kdprobe.networks.pretrained import take_pretrained
from kdprobe.networks.sizes import check_image_shape

_BODY = ("conv1", "bn1", "relu", "maxpool", "layer1", "layer2", "layer3", "layer4")


def _added(width: int) -> nn.Sequential:
    """Two 3x3 convolutions of the same width; with biases, as in the released code."""
    return nn.Sequential(
        OrderedDict(
            conv1=nn.Conv2d(width, width, 3, padding=1),
            norm1=nn.BatchNorm2d(width),
            relu1=nn.ReLU(),
            conv2=nn.Conv2d(width, width, 3, padding=1),
            norm2=nn.BatchNorm2d(width),
            relu2=nn.ReLU(),
        )
    )


def _classifier(width: int, fc: int, num_classes: int, dropout: float) -> nn.Sequential:
    return nn.Sequential(
        OrderedDict(
            fc1=nn.Linear(width, fc),
            relu1=nn.ReLU(),
            dropout1=nn.Dropout(dropout),
            fc2=nn.Linear(fc, fc),
            relu2=nn.ReLU(),
            dropout2=nn.Dropout(dropout),
            fc3=nn.Linear(fc, num_classes),
        )
    )


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
    from kdprobe.networks.summed_blocks import summed_resnet  # with torchvision, which takes a second

    with torch.device("meta"):  # the layers alone: all their weights are drawn below
        plain = summed_resnet(name)
        width = plain.fc.in_features
        model = nn.Sequential(
            OrderedDict(
                **{layer: getattr(plain, layer) for layer in _BODY},
                added=_added(width),
                avgpool=nn.AdaptiveAvgPool2d(1),
                flatten=nn.Flatten(),
                classifier=_classifier(width, fc, num_classes, dropout),
            )
        )
    model.to_empty(device=torch.get_default_device())
    model.taps = {
        "conv": "added.norm2",
        **{layer: f"classifier.{layer}" for layer in ("fc1", "fc2", "fc3")},
        **{f"stage{k}": f"layer{k}" for k in (1, 2, 3, 4)},
        **{
            f"stage{k}_preact": f"layer{k}.{len(plain.get_submodule(f'layer{k}')) - 1}.sum"
            for k in (1, 2, 3, 4)
        },
        "embedding": "classifier.dropout2",
    }
    model.convolutional_part = _BODY
    body = [model.get_submodule(layer) for layer in _BODY]
    if pretrained:
        initialise_in_parts([model.added], [model.classifier])
        take_pretrained(model, name, pretrained)
    else:
        initialise_in_parts(body, [model.added], [model.classifier])
    return model


def _network(name: str, title: str, width: int) -> Callable[..., nn.Module]:
    def build(
        *,
        num_classes: int,
        image_shape: Sequence[int],
        dropout: float = 0.5,
        fc: int = width,
        pretrained: bool | str | Path = False,
    ) -> nn.Module:
        return _build(name, num_classes, image_shape, dropout, fc, pretrained)

    build.__name__ = name
    build.__doc__ = f"""{title} (He et al. 2016, arXiv 1512.03385), torchvision's, with the head of the paper.

    After layer4 come two 3x3 convolutions of the same width with BatchNorm and ReLU, average pooling, and three linear
    layers with ReLU and dropout. Taps: ``conv`` (second added convolution after BatchNorm), ``fc1``, ``fc2`` (all
    before their ReLU), ``fc3`` (logits); ``stage1`` to ``stage4`` (layer1 to layer4, after their last ReLU; the
    added convolutions come later), ``stage1_preact`` to ``stage4_preact`` (before it), ``embedding`` (what fc3
    gets: fc2 after ReLU and dropout). `fc`: features of fc1 and fc2; `pretrained`: see `take_pretrained`. Initial
    weights: see `initialise_in_parts`.
    """
    return build


HEADED_RESNETS: dict[str, Callable[..., nn.Module]] = {
    "resnet18": _network("resnet18", "ResNet-18", 4096),
    "resnet50": _network("resnet50", "ResNet-50", 2048),
    "resnet101": _network("resnet101", "ResNet-101", 2048),
    "resnet152": _network("resnet152", "ResNet-152", 2048),
}
