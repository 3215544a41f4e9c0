"""Before anything imports torch: one thread (the tests use tiny networks, on which more threads only wait)."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real photographs named by KDPROBE_DATA; without it the tests that need them are skipped."""
    folder = os.environ.get("KDPROBE_DATA")
    if not folder:
        # Their owners do not allow the photographs to be passed on with the code: a clone has none. CI has them.
        pytest.skip(
            "KDPROBE_DATA is not set: photographs that may not be passed on with the code are not at hand"
        )
    return Path(folder)
