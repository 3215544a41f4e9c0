"""The settings of the live probe in an experiment. Imports no torch."""

from dataclasses import dataclass

from kdprobe.errors import ConfigError


@dataclass(frozen=True)
class LiveConfig:
    """The live probe: concepts counted while the networks are trained, in live.html and kdprobe watch. It observes
    only: weights, and all that is measured afterwards, are the same without it.

    Args:
        images: the first n of the probe images are looked at, with a small budget; 0: none, no live probe.
        every_n_epochs: after which epochs: every n-th; the first and the last of each stage always.
        pictures: number of images whose concept maps are shown.
        look_back: warn when background concepts have risen and foreground concepts fallen since so many looks ago;
            null: never. It needs 6 images.
    """

    images: int = 8
    every_n_epochs: int = 1
    pictures: int = 2
    look_back: int | None = 2

    def __post_init__(self) -> None:
        for name, least in {"images": 0, "every_n_epochs": 1, "pictures": 0, "look_back": 1}.items():
            value = getattr(self, name)
            if value is None and name == "look_back":
                continue
            if not isinstance(value, int) or isinstance(value, bool) or value < least:
                raise ConfigError(f"live.{name} must be a whole number from {least} on, got {value!r}.")
