"""Networks with stages, as the recipes' roles ask for them."""

import torch
from torch import nn


class StagedNet(nn.Module):
    """Stages of convolution, BatchNorm and in-place ReLU, each of half the side of the one before; a linear layer.

    `widths`: channels of the stages.
    """

    def __init__(self, seed: int = 0, widths: tuple[int, ...] = (3, 4, 5)) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            channels, stages = 3, []
            for k, width in enumerate(widths):
                conv = nn.Conv2d(channels, width, 3, stride=1 if k == 0 else 2, padding=1)
                norm = nn.BatchNorm2d(width)
                nn.init.normal_(norm.weight)
                nn.init.normal_(norm.bias)
                stages.append(nn.Sequential(conv, norm, nn.ReLU(inplace=True)))
                channels = width
            self.stages = nn.Sequential(*stages)
            self.pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
            self.fc = nn.Linear(channels, 3)
        numbers = range(1, len(widths) + 1)
        self.taps = {
            **{f"stage{k}": f"stages.{k - 1}" for k in numbers},
            **{f"stage{k}_preact": f"stages.{k - 1}.1" for k in numbers},
            "embedding": "pool",
        }

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.fc(self.pool(self.stages(images)))

    def by_hand(self, images: torch.Tensor) -> dict[str, torch.Tensor]:
        """The value of every tap, by calls on the weights, with the BatchNorms as they are in evaluation mode."""
        values, x = {}, images
        for k, (conv, norm, _) in enumerate(self.stages, 1):
            x = nn.functional.conv2d(x, conv.weight, conv.bias, conv.stride, conv.padding)
            shape = (1, -1, 1, 1)
            spread = (norm.running_var + norm.eps).sqrt()
            x = (x - norm.running_mean.view(shape)) / spread.view(shape)
            x = x * norm.weight.view(shape) + norm.bias.view(shape)
            values[f"stage{k}_preact"] = x
            x = x.clamp(min=0)
            values[f"stage{k}"] = x
        values["embedding"] = x.mean((2, 3))
        return values
