"""What is asked of a data set: the settings that all sets share."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kdprobe.data.choosing import check_count, check_seed, check_split, nearest
from kdprobe.errors import ConfigError
from kdprobe.paths import expanded

FOREGROUNDS = ("native", "central")


@dataclass(frozen=True)
class Asked:
    """The settings that all data sets share; `load_data` says what they mean.

    Raises ConfigError if one of them cannot be used.
    """

    split: str = "train"
    root: str | Path | None = None
    image_size: int | None = None
    classes: int | Sequence[str] | None = None
    images_per_class: int | None = None
    foreground: str = "native"
    seed: int = 0

    def __post_init__(self) -> None:
        check_split(self.split)
        check_seed(self.seed)
        if self.root is not None and not isinstance(self.root, str | Path):
            raise ConfigError(f"root must be the path of a folder, got {self.root!r}.")
        if self.foreground not in FOREGROUNDS:
            raise ConfigError(
                f"foreground must be 'native' or 'central', got {self.foreground!r}."
                f"{nearest(self.foreground, FOREGROUNDS)}"
            )
        for name in ("image_size", "images_per_class"):
            if getattr(self, name) is not None:
                check_count(getattr(self, name), name)

    @property
    def native(self) -> bool:
        """Whether the set's own masks or boxes are wanted."""
        return self.foreground == "native"

    def folder(self, name: str, which: str) -> Path:
        """`root`; without one a ConfigError that says `which` folder the data set `name` needs."""
        if self.root is None:
            raise ConfigError(f"{name} needs `root`: the folder {which}.")
        return expanded(self.root)
