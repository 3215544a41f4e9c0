"""Which probe images count: those measured everywhere and, if asked for, those that the released code keeps."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from kdprobe.analysis.measurement import Measurement
from kdprobe.errors import InputError
from kdprobe.metrics import effective_samples
from kdprobe.records import Record


@dataclass(frozen=True)
class SampleFilter(Record):
    """The released code's choice of images; see `kdprobe.metrics.effective_samples`."""

    from_epoch: int = 40  #: of the analysed stage
    keep: int | None = 50  #: at most that many of each network; None: all


@dataclass(frozen=True, eq=False)
class EffectiveImages(Record):
    """What the sample filter left."""

    images: Tensor  #: (N,) bool: kept by all networks
    by_network: dict[str, int]  #: how many each network kept


def common_images(measurements: Mapping[str, Measurement]) -> Tensor:
    """(N,) bool: images whose estimates are usable at every epoch of every network."""
    usable = torch.stack([m.usable for m in measurements.values()]).all(0)
    if not usable.any():
        outcomes = "; ".join(
            f"{name}: {', '.join(f'{count} {kind}' for kind, count in m.outcomes.items())}"
            for name, m in measurements.items()
        )
        raise InputError(
            f"No probe image could be measured at every epoch of every network ({outcomes}); choose another layer or "
            "other images."
        )
    return usable


def effective_images(
    measurements: Mapping[str, Measurement],
    networks: Sequence[str],
    foreground: Tensor,
    chosen: SampleFilter,
) -> EffectiveImages:
    """Images that the filter keeps for every one of `networks` and that could be measured in all `measurements`.

    foreground: (N, g, g) bool. Each network has its first `keep` images in the order of the probe. Raises InputError if
    none is left, and if no epoch is late enough.
    """
    kept, counts = common_images(measurements), {}
    for name in networks:
        measured = measurements[name]
        own = measured.usable.clone()
        own[measured.usable] = effective_samples(
            measured.entropy[:, measured.usable],
            foreground[measured.usable],
            [epoch - measured.epochs[0] for epoch in measured.epochs],
            from_epoch=chosen.from_epoch,
            keep=chosen.keep,
        )
        counts[name] = int(own.sum())
        kept &= own
    if not kept.any():
        found = ", ".join(f"{name} {count}" for name, count in counts.items())
        raise InputError(
            f"The sample filter leaves no image that all networks keep (each for itself: {found}); measure more images "
            "(measure.images), or leave the filter out (measure.sample_filter none)."
        )
    return EffectiveImages(kept, counts)
