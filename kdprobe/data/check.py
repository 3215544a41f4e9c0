"""Load a data set and look at it: what is there, what is missing, what can be used."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kdprobe.data.choosing import SPLITS
from kdprobe.data.images import LabelledImages
from kdprobe.data.load import about_data, load_data
from kdprobe.data.probe import ProbeFitness, fit_for_probe, in_turn
from kdprobe.errors import DataError


@dataclass(frozen=True, eq=False)
class SplitCheck:
    """One split of a data set as it was found."""

    split: str
    data: LabelledImages | None  #: None if the split cannot be used
    problem: str  #: why not, or ""
    fit: ProbeFitness | None = None  #: which images can be probe images; None without foreground


@dataclass(frozen=True, eq=False)
class DataCheck:
    """A data set as it was found."""

    name: str
    root: str | None
    splits: tuple[SplitCheck, ...]
    foreground_share: tuple[float, float]  #: lowest and highest share of a probe image
    about: str = ""  #: the data set's own words on its layout and options

    @property
    def usable(self) -> bool:
        """Whether every split can be loaded."""
        return not any(split.problem for split in self.splits)


def check_data(
    name: str,
    root: str | Path | None = None,
    *,
    foreground_share: tuple[float, float] = (0.05, 0.6),
    grid: int = 16,
    rule: str = "majority",
    images_per_class: int | None = None,
    **keywords: Any,
) -> DataCheck:
    """Load both splits of a data set (`name`, `root`, `keywords`: see `load_data`) and look at them.

    `foreground_share`, `grid`, `rule`: see `select_probe`. As in an experiment, `images_per_class` is of the
    training split alone. Data that are missing or unusable are part of the result; ConfigError for settings
    that cannot be used.
    """
    splits: list[SplitCheck] = []
    for split in SPLITS:
        most = images_per_class if split == "train" else None
        try:
            data = load_data(name, split=split, root=root, images_per_class=most, **keywords)
            _check_same_classes([found.data for found in splits if found.data is not None], data)
        except DataError as error:
            splits.append(SplitCheck(split, None, str(error)))
            continue
        if data.foregrounds is None:
            splits.append(SplitCheck(split, data, ""))
            continue
        fit = fit_for_probe(data, foreground_share=foreground_share, grid=grid, rule=rule)
        splits.append(SplitCheck(split, data, "", fit))
    where = None if root is None else str(root)
    return DataCheck(name, where, tuple(splits), foreground_share, about_data(name))


def _check_same_classes(before: Sequence[LabelledImages], data: LabelledImages) -> None:
    for other in before:
        if other.classes != data.classes:
            raise DataError(
                f"Split {data.split!r} has the classes {', '.join(data.classes)}, split {other.split!r} "
                f"{', '.join(other.classes)}: a label must mean the same in both."
            )


def sheet_images(data: LabelledImages, count: int) -> list[int]:
    """Places of at most `count` images of `data`, the classes in turn, sorted by class."""
    places = in_turn(np.arange(len(data)), data.labels.numpy(), seed=0)[:count]
    return sorted(places, key=lambda i: (int(data.labels[i]), data.ids[i]))
