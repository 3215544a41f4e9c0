"""`load_data`: one door to all data sets."""

import inspect
from collections.abc import Callable, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from kdprobe.data.asked import Asked
from kdprobe.data.choosing import nearest
from kdprobe.data.cifar import cifar10, cifar100
from kdprobe.data.cluttered_digits import cluttered_digits
from kdprobe.data.cub_200_2011 import cub_200_2011
from kdprobe.data.ilsvrc2013_det import ilsvrc2013_det
from kdprobe.data.image_folder import image_folder
from kdprobe.data.images import LabelledImages
from kdprobe.data.label_noise import check_label_noise, with_wrong_labels
from kdprobe.data.leeds_butterfly import leeds_butterfly
from kdprobe.data.oxford_pet import oxford_pet
from kdprobe.data.pascal_voc_2012 import pascal_voc_2012
from kdprobe.data.tiny_imagenet import tiny_imagenet
from kdprobe.errors import ConfigError, DataError
from kdprobe.external import is_reference, load_function

#: name -> loader, which takes what was asked of all sets and the options of its own
DATA_SETS: dict[str, Callable[..., LabelledImages]] = {
    "cluttered_digits": cluttered_digits,
    "cub_200_2011": cub_200_2011,
    "pascal_voc_2012": pascal_voc_2012,
    "ilsvrc2013_det": ilsvrc2013_det,
    "oxford_pet": oxford_pet,
    "cifar10": cifar10,
    "cifar100": cifar100,
    "tiny_imagenet": tiny_imagenet,
    "leeds_butterfly": leeds_butterfly,
    "image_folder": image_folder,
}


def load_data(
    name: str,
    *,
    split: str = "train",
    root: str | Path | None = None,
    image_size: int | None = None,
    classes: int | Sequence[str] | None = None,
    images_per_class: int | None = None,
    foreground: str = "native",
    seed: int = 0,
    label_noise: float = 0.0,
    **options: Any,
) -> LabelledImages:
    """Load one split of a data set.

    Parameters
    ----------
    name: one of `DATA_SETS`, or ``file.py:function`` (called with these keywords; returns LabelledImages).
    split: "train" or "test".
    root: the folder of the data, where the set needs one.
    image_size: side of the square images in pixels; None: the set's own default.
    classes: None for all, n for the first n in sorted order, or a list of names.
    images_per_class: at most that many per class, chosen by `seed`; None: all.
    foreground: "native" (the set's masks or boxes) or "central" (the central 75 % of each side).
    seed: decides which images are chosen or, in a made-up set, what they show.
    label_noise: share of the training images, 0 ... 1, that get the label of another class, drawn by `seed`; the
        test split keeps its labels. Recorded in `describe()`.
    options: further options of the one set.

    Raises ConfigError for settings that cannot be used, DataError for data that are missing or unusable.
    """
    asked = Asked(split, root, image_size, classes, images_per_class, foreground, seed)
    check_label_noise(label_noise)
    loader = _loader(name)
    _check_options(name, loader, options)
    data = loader(asked, **options) if name in DATA_SETS else loader(**vars(asked), **options)
    if not isinstance(data, LabelledImages):
        raise DataError(f"{name} returned {type(data).__name__}; it must return kdprobe.data.LabelledImages.")
    if foreground == "central" and data.foreground_kind != "central":
        data = data.with_central_foreground()
    if label_noise > 0 and split == "train":
        data = with_wrong_labels(data, float(label_noise), seed)
    return data


def about_data(name: str) -> str:
    """What the docstring of the data set `name` says: layout and options. ConfigError if there is no such set."""
    return inspect.getdoc(_loader(name)) or ""


def _loader(name: str) -> Callable[..., LabelledImages]:
    if name in DATA_SETS:
        return DATA_SETS[name]
    if is_reference(name):
        return load_function(name)
    raise ConfigError(
        f"No data set {name!r}; known are {', '.join(DATA_SETS)}, or name your own as file.py:function."
        f"{nearest(name, list(DATA_SETS))}"
    )


def _check_options(name: str, loader: Callable, options: dict[str, Any]) -> None:
    parameters = dict(inspect.signature(loader).parameters)
    common = [field.name for field in fields(Asked)]
    if name in DATA_SETS:
        parameters.pop("asked")
    elif any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
        return
    elif missing := [c for c in common if c not in parameters]:
        raise ConfigError(
            f"{name} must accept the keyword {missing[0]!r}; let it take {', '.join(common)} or **options."
        )
    for option in options:
        if option not in parameters:
            known = dict.fromkeys((*common, "label_noise", *parameters))
            raise ConfigError(
                f"{name} has no option {option!r}; its options are {', '.join(known)}.{nearest(option, list(known))}"
            )
