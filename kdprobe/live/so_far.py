"""What one observation hands to the next: the way of the weights, the concepts learned, the last counts."""

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from kdprobe.errors import ConfigError
from kdprobe.live.counting import CountRules, Counts
from kdprobe.live.early_warning import EarlyWarning
from kdprobe.metrics import WeightWalk


class SoFar:
    """The memory of a live probe; it ends in `state_dict` and begins again in `load_state_dict`.

    foreground: (N, g, g) bool. names: the parameters whose way is measured. look_back: as `EarlyWarning` takes it;
    None: no early warning. `probe` says which probe this is: images and settings.
    """

    def __init__(
        self, foreground: Tensor, rules: CountRules, names: Sequence[str], look_back: int | None, probe: str
    ) -> None:
        self.epoch: int | None = None  #: the last one observed
        self.walk = WeightWalk(names)
        self.counts = Counts(foreground, rules)
        self.warning = None if look_back is None else EarlyWarning(look_back, rules)
        self._probe = probe

    def state_dict(self, parameters: Mapping[str, Tensor] | None = None) -> dict[str, Any]:
        """Numbers, texts and tensors; without the weights of the last observation if they are `parameters`."""
        there = parameters is not None and self.walk.stands_at(parameters)
        return {
            "probe": self._probe,
            "epoch": self.epoch,
            "walk": self.walk.state_dict(weights=not there),
            "counts": self.counts.state_dict(),
            "warning": None if self.warning is None else self.warning.state_dict(),
        }

    def load_state_dict(self, kept: Mapping[str, Any], parameters: Mapping[str, Tensor]) -> None:
        """Goes on where `kept` was taken. Raises ConfigError for the state of another probe."""
        if kept["probe"] != self._probe:
            raise ConfigError(
                "The checkpoint holds the state of a live probe with other images or settings; go on with the same "
                "ones, or in a new folder from a checkpoint without it."
            )
        self.epoch = kept["epoch"]
        self.walk.load_state_dict(kept["walk"], parameters)
        self.counts.load_state_dict(kept["counts"])
        if self.warning is not None:
            self.warning.load_state_dict(kept["warning"])
