"""ResNets for 32 x 32 images and the same networks without skip connections."""

from collections import OrderedDict
from collections.abc import Callable, Sequence

from torch import Tensor, nn
from torch.nn import functional as F

from kdprobe.errors import ConfigError
from kdprobe.networks.initialisation import initialise_convolution
from kdprobe.networks.sizes import check_image_shape

_THIN = (16, 16, 32, 64)  # channels of the stem and of the three stages
_WIDE = (32, 64, 128, 256)


class PaddedShortcut(nn.Module):
    """Every `stride`-th pixel, and `more` channels of zeros: a shortcut without weights (option A of He et al.)."""

    def __init__(self, stride: int, more: int) -> None:
        super().__init__()
        self.stride, self.more = stride, more

    def forward(self, x: Tensor) -> Tensor:
        return F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, 0, self.more))


class Sum(nn.Module):
    """The sum of two values, as a module of its own so that it can be tapped before the ReLU that follows."""

    def forward(self, residual: Tensor, shortcut: Tensor) -> Tensor:
        return residual + shortcut


def _shortcut(kind: str, channels: int, width: int, stride: int) -> nn.Module:
    if stride == 1 and channels == width:
        return nn.Identity()
    if kind == "pad":
        return PaddedShortcut(stride, width - channels)
    return nn.Sequential(nn.Conv2d(channels, width, 1, stride, bias=False), nn.BatchNorm2d(width))


class Block(nn.Module):
    """Two 3x3 convolutions with BatchNorm and a shortcut around them; without `shortcut`, the convolutions alone."""

    def __init__(self, channels: int, width: int, stride: int, shortcut: str | None) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, width, 3, stride, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(width)
        self.relu1 = nn.ReLU()
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(width)
        self.shortcut = _shortcut(shortcut, channels, width, stride) if shortcut else None
        self.sum = Sum() if shortcut else None
        self.relu2 = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        shortcut = None if self.sum is None else self.shortcut(x)  # so norm2 is the last norm before the sum
        out = self.norm2(self.conv2(self.relu1(self.norm1(self.conv1(x)))))
        return self.relu2(out if self.sum is None else self.sum(out, shortcut))


def _stage(channels: int, width: int, blocks: int, stride: int, shortcut: str | None) -> nn.Sequential:
    first = Block(channels, width, stride, shortcut)
    return nn.Sequential(first, *(Block(width, width, 1, shortcut) for _ in range(blocks - 1)))


def _build(
    name: str,
    depth: int,
    widths: Sequence[int],
    num_classes: int,
    image_shape: Sequence[int],
    shortcut: str | None,
) -> nn.Module:
    check_image_shape(name, image_shape)
    blocks = (depth - 2) // 6
    stem, first, second, third = widths
    model = nn.Sequential(
        OrderedDict(
            stem=nn.Sequential(
                nn.Conv2d(image_shape[0], stem, 3, padding=1, bias=False), nn.BatchNorm2d(stem), nn.ReLU()
            ),
            stage1=_stage(stem, first, blocks, 1, shortcut),
            stage2=_stage(first, second, blocks, 2, shortcut),
            stage3=_stage(second, third, blocks, 2, shortcut),
            pool=nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()),
            fc=nn.Linear(third, num_classes),
        )
    )
    model.apply(initialise_convolution)
    before_relu = f"{blocks - 1}.{'sum' if shortcut else 'norm2'}"
    model.taps = {
        "stem": "stem",
        **{f"stage{k}": f"stage{k}" for k in (1, 2, 3)},
        **{f"stage{k}_preact": f"stage{k}.{before_relu}" for k in (1, 2, 3)},
        "pool": "pool",
        "logits": "fc",
        "embedding": "pool",
    }
    return model


_TAPS = """Taps: ``stem``, ``stage1`` to ``stage3`` (after their last ReLU), ``stage1_preact`` to ``stage3_preact``
    (before it), ``pool`` (global average; also called ``embedding``: what the last layer gets), ``logits``.
    Convolutions start Kaiming-normal (fan out)."""


def _residual(
    name: str, depth: int, widths: Sequence[int], default: str, source: str
) -> Callable[..., nn.Module]:
    def build(*, num_classes: int, image_shape: Sequence[int], shortcut: str = default) -> nn.Module:
        if shortcut not in ("pad", "conv"):
            raise ConfigError(
                f"{name} has the shortcuts pad and conv, got {shortcut!r}; without any it is {_plain_name(name)}."
            )
        return _build(name, depth, widths, num_classes, image_shape, shortcut)

    build.__name__ = name
    build.__doc__ = f"""ResNet of {depth} layers with {", ".join(map(str, widths[1:]))} channels ({source}).

    `shortcut`: where the width grows, ``pad`` (zeros, no weights; He et al.) or ``conv`` (1x1 convolution and
    BatchNorm; the networks of the distillation tables that follow CRD, arXiv 1910.10699).
    {_TAPS}
    """
    return build


def _without_skips(name: str, depth: int, widths: Sequence[int]) -> Callable[..., nn.Module]:
    def build(*, num_classes: int, image_shape: Sequence[int]) -> nn.Module:
        return _build(name, depth, widths, num_classes, image_shape, None)

    build.__name__ = name
    build.__doc__ = f"""{name.replace("plain", "resnet")} without its skip connections (arXiv 2006.16589).

    {_TAPS}
    """
    return build


def _plain_name(name: str) -> str:
    return name.replace("resnet", "plain")


CIFAR_RESNETS: dict[str, Callable[..., nn.Module]] = {
    **{
        f"resnet{depth}": _residual(f"resnet{depth}", depth, _THIN, "pad", "arXiv 1512.03385, section 4.2")
        for depth in (20, 32, 56, 110)
    },
    **{
        f"resnet{depth}x4": _residual(
            f"resnet{depth}x4", depth, _WIDE, "conv", "four times as wide, arXiv 1910.10699"
        )
        for depth in (8, 32)
    },
}
PLAIN: dict[str, Callable[..., nn.Module]] = {
    **{f"plain{depth}": _without_skips(f"plain{depth}", depth, _THIN) for depth in (20, 32, 56, 110)},
    **{f"plain{depth}x4": _without_skips(f"plain{depth}x4", depth, _WIDE) for depth in (8, 32)},
}
