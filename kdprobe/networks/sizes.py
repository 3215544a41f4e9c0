"""Image sizes: those that an architecture was made for, and the least that it can take."""

from collections.abc import Sequence
from typing import NamedTuple

from kdprobe.errors import ConfigError


class Sizes(NamedTuple):
    """Sides of square images, in pixels."""

    own: int  #: the one it was made for
    least: int  #: below it a feature map has no pixel left
    rgb: bool = True  #: whether the first convolution is for three channels only
    any_size: bool = False  #: whether it is as much at home at other sizes


SIZES: dict[str, Sizes] = {
    # how small it may be depends on its widths, and is checked there
    "vgg_small": Sizes(32, 1, rgb=False, any_size=True),
    "alexnet": Sizes(227, 63),
    **dict.fromkeys(("vgg11", "vgg16", "vgg19"), Sizes(224, 32)),
    **dict.fromkeys(("resnet18", "resnet50", "resnet101", "resnet152"), Sizes(224, 32)),
    **dict.fromkeys(
        (
            f"{family}{size}"
            for family in ("resnet", "plain")
            for size in ("20", "32", "56", "110", "8x4", "32x4")
        ),
        Sizes(32, 4, rgb=False),
    ),
    **dict.fromkeys(("wrn_16_2", "wrn_40_1", "wrn_40_2"), Sizes(32, 4, rgb=False)),
}


def native_size(name: str) -> int | None:
    """Side in pixels of the square images that the network `name` was made for.

    None where the data decide: for vgg_small, which takes any size as it is, and for networks of one's own.
    """
    return SIZES[name].own if name in SIZES and not SIZES[name].any_size else None


def check_image_shape(name: str, image_shape: Sequence[int]) -> None:
    """Raises ConfigError if the network `name` cannot take images (C, H, W); any size from its least on is taken."""
    own, least, rgb, _ = SIZES[name]
    channels, height, width = image_shape
    if (rgb and channels != 3) or min(height, width) < least:
        raise ConfigError(
            f"{name} needs {'RGB ' if rgb else ''}images of at least {least} x {least} pixels (its own size is "
            f"{own} x {own}), got image_shape {tuple(image_shape)}; set image_size to {own}, or take a network for "
            "smaller images, such as vgg_small."
        )
