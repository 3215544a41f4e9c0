"""A disk that fails."""

import errno
import os


def unreadable(patch, part):
    """No file whose path holds `part` can be opened."""
    opened = os.open

    def failing(path, *given, **options):
        if part in str(path):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return opened(path, *given, **options)

    patch.setattr(os, "open", failing)
