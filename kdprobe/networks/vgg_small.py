"""A small VGG-like network with the taps conv, fc1, fc2 and fc3."""

from collections import OrderedDict
from collections.abc import Sequence

from torch import Tensor, nn

from kdprobe.errors import ConfigError


class VGGSmall(nn.Module):
    """Blocks of conv 3x3, BatchNorm, ReLU and 2x2 max-pooling, then three linear layers; trains in seconds.

    `widths`: channels of each block (the side is halved by each); `fc`: features of fc1 and fc2. The input is
    (N, C, H, W), the output (N, num_classes) logits. Taps: ``conv`` (last block after BatchNorm, before its
    ReLU), ``fc1``, ``fc2`` (before their ReLU), ``fc3`` (logits); ``stage1`` and so on, one for each block (after its
    ReLU, before its pooling), ``stage1_preact`` and so on (after BatchNorm, before that ReLU), ``embedding`` (what fc3
    gets). Linear layers start as in He et al. 2015 (arXiv 1502.01852).
    """

    def __init__(
        self,
        num_classes: int,
        image_shape: Sequence[int],
        widths: Sequence[int] = (16, 32, 64),
        fc: int = 128,
    ) -> None:
        super().__init__()
        channels, height, width = image_shape
        side = min(height, width) // 2 ** len(widths)
        if not widths or side < 1:
            raise ConfigError(
                f"vgg_small halves the side with each of its {len(widths)} blocks, too often for "
                f"{height} x {width} pixels; give `widths` fewer entries, but at least one."
            )
        if min(*widths, fc) < 1:
            raise ConfigError(
                f"vgg_small needs widths and fc above 0, got widths {tuple(widths)} and fc {fc}."
            )
        blocks = OrderedDict()
        for number, out in enumerate(widths, start=1):
            blocks[f"block{number}"] = _block(channels, out)
            channels = out
        self.features = nn.Sequential(blocks)
        flat = channels * (height // 2 ** len(widths)) * (width // 2 ** len(widths))
        self.classifier = nn.Sequential(
            OrderedDict(
                flatten=nn.Flatten(),
                fc1=nn.Linear(flat, fc),
                relu1=nn.ReLU(),
                fc2=nn.Linear(fc, fc),
                relu2=nn.ReLU(),
                fc3=nn.Linear(fc, num_classes),
            )
        )
        for layer in self.classifier:
            if isinstance(layer, nn.Linear):
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
                nn.init.zeros_(layer.bias)
        numbers = range(1, len(widths) + 1)
        self.taps = {
            "conv": f"features.block{len(widths)}.norm",
            "fc1": "classifier.fc1",
            "fc2": "classifier.fc2",
            "fc3": "classifier.fc3",
            **{f"stage{k}": f"features.block{k}.relu" for k in numbers},
            **{f"stage{k}_preact": f"features.block{k}.norm" for k in numbers},
            "embedding": "classifier.relu2",
        }

    def forward(self, images: Tensor) -> Tensor:
        # channels last in memory: a third quicker on processors; in this form it also works inside torch.vmap
        images = images.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2)
        return self.classifier(self.features(images))


def _block(channels: int, out: int) -> nn.Sequential:
    return nn.Sequential(
        OrderedDict(
            conv=nn.Conv2d(channels, out, 3, padding=1, bias=False),
            norm=nn.BatchNorm2d(out),
            relu=nn.ReLU(),
            pool=nn.MaxPool2d(2),
        )
    )


def vgg_small(
    *, num_classes: int, image_shape: Sequence[int], widths: Sequence[int] = (16, 32, 64), fc: int = 128
) -> nn.Module:
    """A small VGG-like network (see `VGGSmall`)."""
    return VGGSmall(num_classes, image_shape, tuple(widths), fc)
