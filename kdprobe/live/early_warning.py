"""Whether the layer is turning from the foreground to the background."""

from collections import deque
from typing import Any

from torch import Tensor

from kdprobe.errors import ConfigError
from kdprobe.live.counting import Counted, CountRules
from kdprobe.metrics import paired_difference
from kdprobe.metrics.inference import MIN_IMAGES
from kdprobe.records import Interval

_COUNTS = ("n_foreground", "n_background")


def checked_look_back(look_back: int | None) -> int | None:
    """`look_back`, if it is a whole number from 1 on, or None; else ConfigError."""
    if look_back is not None and (type(look_back) is not int or look_back < 1):
        raise ConfigError(
            f"look_back must be a whole number of observations from 1 on, or None, got {look_back!r}."
        )
    return look_back


class EarlyWarning:
    """Compares every epoch with the one observed `look_back` observations before, image by image.

    It speaks where background concepts have risen and foreground concepts have fallen, each by a 95 % interval of the
    paired difference (`paired_difference`, the estimator's noise included) that excludes 0. Where nothing changes on
    the average it speaks in about 3 % of the comparisons at worst, when what one count loses the other gains, image by
    image (by simulation with 8 images whose changes are normal; 8 % if these are as skewed as an exponential law), and
    in far fewer if the two err independently. A comparison is made at every look: over many, expect a false one. The
    initial weights are compared with nothing, nor are fewer than 6 images.
    """

    def __init__(self, look_back: int, rules: CountRules) -> None:
        self._rules = rules
        self._seen: deque[tuple[int, dict[str, Tensor]]] = deque(maxlen=look_back)
        self._on = False
        self.onset = False  #: whether the last look was the first to say something, after silence

    def look(self, now: Counted) -> str | None:
        """The sentence, if there is one."""
        self.onset = False
        if now.epoch == 0:
            return None
        counts = {name: now.values[name] for name in _COUNTS}
        sentence = None
        if len(self._seen) == self._seen.maxlen:
            then, before = self._seen[0]
            fell, rose = (self._change(counts[name], before[name]) for name in _COUNTS)
            if min(fell.n, rose.n) >= MIN_IMAGES and fell.high < 0 < rose.low:
                sentence = (
                    f"Since epoch {then} background concepts have risen by {_shown(rose)} cells an image, while "
                    f"foreground concepts changed by {_shown(fell)}: the layer may be turning to the background."
                )
        self.onset = sentence is not None and not self._on
        self._on = sentence is not None
        self._seen.append((now.epoch, counts))
        return sentence

    def state_dict(self) -> dict[str, Any]:
        return {"seen": [[epoch, dict(counts)] for epoch, counts in self._seen], "on": self._on}

    def load_state_dict(self, kept: dict[str, Any]) -> None:
        self._seen.clear()
        self._seen.extend((epoch, dict(counts)) for epoch, counts in kept["seen"])
        self._on = kept["on"]

    def _change(self, now: Tensor, then: Tensor) -> Interval:
        return paired_difference(
            now[0],
            then[0],
            seed=self._rules.seed,
            student_noise=now[1:],
            baseline_noise=then[1:],
            resamples=self._rules.resamples,
        )


def _shown(change: Interval) -> str:
    return f"{change.value:+.1f} [{change.low:+.1f}, {change.high:+.1f}]"
