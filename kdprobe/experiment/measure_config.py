"""The settings of a measurement in an experiment. Imports no torch."""

from dataclasses import dataclass

from kdprobe.errors import ConfigError

_CHOICES = {
    "cell_rule": ("majority", "any", "released"),
    "scope": ("dataset", "image"),
    "empty": ("skip", "zero"),
    "weights": ("dependent", "layer", "all"),
    "sample_filter": ("none", "released"),
    "path": ("epochs", "steps"),
    "initial": (False, True, "rho"),
    "path_lag": (0, 1),
    "spread": ("std", "var"),
    "teacher": ("all", "last"),
}


@dataclass(frozen=True)
class MeasureConfig:
    """What is measured and how concepts are counted.

    Args:
        layer: a tap of the network (conv, fc1, fc2, fc3) or a dotted module path.
        images: number of probe images, from the training split, un-augmented.
        probe_seed: which images these are; null: the experiment's seed. With a number, experiments of all seeds that
            train on the same images are measured on the same ones.
        foreground_share: lowest and highest share of foreground pixels of a probe image.
        grid: cells along each side.
        protocol: which sigma is reported: cheng2020, cheng2020_resnet, fixed_distortion or converged.
        solver: how it is found: decomposed, pathwise, jacobian or sgd (as published, slow; not for converged).
        tolerance: nats, mean standard error of an image's cells at which decomposed stops; null: after one round.
        internal_batch_size: rows of one pass; auto (or null): found from the network and the image size.
        cell_rule: when a cell is foreground: majority, any or released.
        margin: b in nats: a concept lies more than this below the baseline entropy.
        scope: background of the whole data set or of each image as baseline: dataset or image.
        empty: what an image without concepts does to lambda and rho: skip or zero.
        path: how the learning distance runs: from kept epoch to kept epoch (epochs), or over all optimiser steps
            (steps, as in the released code; needs training.path_length).
        initial: whether the initial weights (epoch 0) enter the learning distance and rho, as in the released code;
            rho: rho alone, as there for ResNets.
        path_lag: 1 looks the learning distance up one kept epoch too early, as the released code does for ResNets; not
            together with initial true.
        spread: which spread of the learning distance decides the second hypothesis: std, or var (released code).
        sample_filter: none or released (only images on which every network discards more on the background).
        filter_from_epoch: the epoch of the analysed stage from which on the filter looks.
        filter_keep: at most that many images of each network pass the filter; null: all.
        weights: which weights make the learning distance: dependent, layer or all.
        teacher: which epochs of the teacher are measured: all or last.
        redraws: noisy copies of the maps that enter the intervals.
        resamples: of the bootstrap over images.
    """

    layer: str = "fc1"
    images: int = 32
    probe_seed: int | None = None
    foreground_share: tuple[float, float] = (0.05, 0.6)
    grid: int = 16
    protocol: str = "cheng2020"
    solver: str = "decomposed"
    tolerance: float | None = 0.02
    internal_batch_size: int | str | None = None
    cell_rule: str = "majority"
    margin: float = 0.2
    scope: str = "dataset"
    empty: str = "skip"
    path: str = "epochs"
    initial: bool | str = False
    path_lag: int = 0
    spread: str = "std"
    sample_filter: str = "none"
    filter_from_epoch: int = 40
    filter_keep: int | None = 50
    weights: str = "dependent"
    teacher: str = "all"
    redraws: int = 50
    resamples: int = 2000

    def __post_init__(self) -> None:
        for name, known in _CHOICES.items():
            if getattr(self, name) not in known:
                raise ConfigError(
                    f"measure.{name} must be one of {', '.join(map(str, known))}, got {getattr(self, name)!r}."
                )
        if self.path_lag and self.initial is True:
            raise ConfigError(
                "measure.path_lag 1 takes the epoch before the peak, and epoch 0 has none; set measure.initial rho (as "
                "the released code for its ResNets) or false."
            )
        if not 0 < self.margin < float("inf"):
            raise ConfigError(f"measure.margin must be above 0 nats (usual: 0.2), got {self.margin!r}.")
        if self.tolerance is not None and not 0 < self.tolerance < float("inf"):
            raise ConfigError(
                f"measure.tolerance must be above 0 nats (usual: 0.02), or null, got {self.tolerance!r}."
            )
        size = self.internal_batch_size
        if size not in (None, "auto") and (isinstance(size, bool | str) or size < 1):
            raise ConfigError(
                f"measure.internal_batch_size must be a whole number from 1 on, or auto, got {size!r}."
            )
        least_of = {"images": 1, "grid": 1, "redraws": 2, "resamples": 10, "filter_from_epoch": 0}
        for name, least in {**least_of, "filter_keep": 1}.items():
            if getattr(self, name) is not None and getattr(self, name) < least:
                raise ConfigError(f"measure.{name} must be at least {least}, got {getattr(self, name)!r}.")
