"""The errors that kdprobe raises on purpose: one clear sentence each (what, got, what to do)."""


class KdprobeError(Exception):
    """Base of all errors that kdprobe raises on purpose; the command line prints its sentence and exits with 2."""


class InputError(KdprobeError, ValueError):
    """An argument that cannot be used: wrong shape, wrong range, unknown name."""


class ConfigError(InputError):
    """A setting that cannot be used, by name."""


class LayerError(InputError):
    """A layer that does not exist, never fired, fired twice, or whose output cannot be measured."""


class DataError(KdprobeError):
    """Data that are missing or unreadable; the sentence names the path."""


class SnapshotError(KdprobeError):
    """A snapshot that cannot be written or does not fit the model."""


class SnapshotCorruptError(SnapshotError):
    """A file that is damaged, or claims what it must not: never returned as numbers."""


class TrainingError(KdprobeError):
    """A training that cannot go on: the loss is not finite, the teacher changed, nothing learns."""
