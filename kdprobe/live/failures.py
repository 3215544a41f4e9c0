"""What becomes of an error in something that only looks on."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

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

    @contextmanager
    def tolerated(self, failed: str = "", but: tuple[type[Exception], ...] = ()) -> Iterator[None]:
        """What fails inside is taken note of, as "`failed`: the error's words", or raised, as errors `but` always are.

        A training that has run for hours must not end because it was looked at, and here run codes whose errors cannot
        be listed: the user's network in evaluation mode, the services behind loggers, a disk that is full. What is
        meant for the interpreter (KeyboardInterrupt, SystemExit) goes through.
        """
        try:
            yield
        except (
            Exception
        ) as error:  # any type, since logger and network are others' code; warned of, or raised
            if self.on_error == "raise" or isinstance(error, but):
                raise
            self.sentences += (f"{failed}: {error}" if failed else f"{error} The training goes on.",)
            warnings.warn(self.sentences[-1], UserWarning, stacklevel=4)
