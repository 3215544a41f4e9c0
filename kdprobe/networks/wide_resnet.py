"""Wide residual networks for 32 x 32 images."""

from collections import OrderedDict
from collections.abc import Callable, Sequence

from torch import Tensor, nn

from kdprobe.networks.initialisation import initialise_convolution
from kdprobe.networks.sizes import check_image_shape


class PreactivatedBlock(nn.Module):
    """BatchNorm, ReLU and 3x3 convolution, twice, and a shortcut around them; nothing follows the sum."""

    def __init__(self, channels: int, width: int, stride: int) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm2d(channels)
        self.relu1 = nn.ReLU()
        self.conv1 = nn.Conv2d(channels, width, 3, stride, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(width)
        self.relu2 = nn.ReLU()
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.shortcut = nn.Conv2d(channels, width, 1, stride, bias=False) if channels != width else None

    def forward(self, x: Tensor) -> Tensor:
        active = self.relu1(self.norm1(x))
        out = self.conv2(self.relu2(self.norm2(self.conv1(active))))
        return out + (x if self.shortcut is None else self.shortcut(active))


def _stage(channels: int, width: int, blocks: int, stride: int) -> nn.Sequential:
    first = PreactivatedBlock(channels, width, stride)
    return nn.Sequential(first, *(PreactivatedBlock(width, width, 1) for _ in range(blocks - 1)))


def _network(depth: int, widen: int) -> Callable[..., nn.Module]:
    name = f"wrn_{depth}_{widen}"

    def build(*, num_classes: int, image_shape: Sequence[int]) -> nn.Module:
        check_image_shape(name, image_shape)
        blocks = (depth - 4) // 6
        model = nn.Sequential(
            OrderedDict(
                stem=nn.Conv2d(image_shape[0], 16, 3, padding=1, bias=False),
                stage1=_stage(16, 16 * widen, blocks, 1),
                stage2=_stage(16 * widen, 32 * widen, blocks, 2),
                stage3=_stage(32 * widen, 64 * widen, blocks, 2),
                norm=nn.BatchNorm2d(64 * widen),
                relu=nn.ReLU(),
                pool=nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()),
                fc=nn.Linear(64 * widen, num_classes),
            )
        )
        model.apply(initialise_convolution)
        nn.init.zeros_(model.fc.bias)
        model.taps = {
            **{stage: stage for stage in ("stem", "stage1", "stage2", "stage3")},
            "stage1_preact": "stage2.0.norm1",
            "stage2_preact": "stage3.0.norm1",
            "stage3_preact": "norm",
            "pool": "pool",
            "logits": "fc",
            "stage1_rectified": "stage2.0.relu1",
            "stage2_rectified": "stage3.0.relu1",
            "stage3_rectified": "relu",
            "embedding": "pool",
        }
        return model

    build.__name__ = name
    build.__doc__ = f"""Wide residual network of {depth} layers, {widen} times as wide (arXiv 1605.07146).

    Taps: ``stem``, ``stage1`` to ``stage3`` (sums, neither normalised nor rectified), ``stage1_preact`` to
    ``stage3_preact`` (the same after the next BatchNorm, before its ReLU), ``pool`` (global average; also called
    ``embedding``: what the last layer gets), ``logits``, ``stage1_rectified`` to ``stage3_rectified`` (after that ReLU:
    what the next stage, or the pooling, gets). Convolutions start Kaiming-normal (fan out).
    """
    return build


WIDE_RESNETS: dict[str, Callable[..., nn.Module]] = {
    f"wrn_{depth}_{widen}": _network(depth, widen) for depth, widen in ((16, 2), (40, 1), (40, 2))
}
