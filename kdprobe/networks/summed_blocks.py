"""torchvision's residual blocks with the sum as a module of its own, so that it can be tapped before the ReLU.

In torchvision's blocks one ReLU module runs two or three times and the sum is no module: neither has a single value.
Names of weights, values and gradients are torchvision's.
"""

from typing import Any

from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock, Bottleneck, ResNet

from kdprobe.networks.cifar_resnet import Sum

_BLOCKS = {
    "resnet18": (2, 2, 2, 2),
    "resnet50": (3, 4, 6, 3),
    "resnet101": (3, 4, 23, 3),
    "resnet152": (3, 8, 36, 3),
}


class _Summed:
    """`residual` and a shortcut around it."""

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self.sum = Sum()

    def forward(self, x: Tensor) -> Tensor:
        shortcut = x if self.downsample is None else self.downsample(x)
        return self.relu(self.sum(self.residual(x), shortcut))


class SummedBasicBlock(_Summed, BasicBlock):
    """Two 3x3 convolutions with BatchNorm."""

    def residual(self, x: Tensor) -> Tensor:
        out = self.relu(self.bn1(self.conv1(x)))
        return self.bn2(self.conv2(out))


class SummedBottleneck(_Summed, Bottleneck):
    """Convolutions 1x1, 3x3 and 1x1 with BatchNorm."""

    def residual(self, x: Tensor) -> Tensor:
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.relu(self.bn2(self.conv2(out)))
        return self.bn3(self.conv3(out))


def summed_resnet(name: str) -> nn.Module:
    """torchvision's untrained network `name` of these blocks."""
    return ResNet(SummedBasicBlock if name == "resnet18" else SummedBottleneck, list(_BLOCKS[name]))
