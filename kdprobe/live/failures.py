"""What becomes of an error in something that only looks on."""

import warnings
from collections.abc import Callable

from kdprobe.errors import ConfigError

ON_ERROR = ("warn", "raise")


class Failures:
    """With "warn", a failure becomes a warning and a sentence in `sentences`; with "raise", the error is raised.

    Raises ConfigError for another word.
    """

    def __init__(self, on_error: str) -> None:
        if on_error not in ON_ERROR:
            raise ConfigError(f"on_error must be one of {', '.join(ON_ERROR)}, got {on_error!r}.")
        self.on_error = on_error
        self.sentences: tuple[str, ...] = ()

    def attempt(self, action: Callable[[], None]) -> None:
        """Does `action`, which writes down what was seen."""
        try:
            action()
        # A disk that is full, a log that somebody has locked, a page that cannot be made: the training that is being
        # looked at must not end for any of it.
        except Exception as error:
            self.passed(error, f"{error} The training goes on.")

    def passed(self, error: Exception, sentence: str) -> None:
        """Takes note of `error` by the `sentence`, or raises it."""
        if self.on_error == "raise":
            raise error
        self.sentences += (sentence,)
        warnings.warn(sentence, UserWarning, stacklevel=4)
