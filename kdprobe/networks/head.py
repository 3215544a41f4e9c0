"""The settings that all fully connected heads share."""

from kdprobe.errors import ConfigError


def check_head(name: str, dropout: float, fc: int) -> None:
    """Raises ConfigError unless 0 <= `dropout` < 1 and `fc`, the features of fc1 and fc2, is a whole number above 0."""
    if isinstance(fc, bool) or not isinstance(fc, int) or fc < 1:
        raise ConfigError(
            f"{name} needs fc, the features of fc1 and fc2, as a whole number above 0, got {fc!r}."
        )
    if isinstance(dropout, bool) or not isinstance(dropout, int | float) or not 0 <= dropout < 1:
        raise ConfigError(f"{name} needs dropout from 0 to below 1, got {dropout!r}.")
