"""Before anything imports torch: one thread (the tests use tiny networks, on which more threads only wait)."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator:
    """Thousands of tests and their modules live to the end: they are not looked through for garbage again and again."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.collect()
        gc.freeze()
        gc.enable()


def pytest_sessionfinish() -> None:
    gc.unfreeze()  # the end tidies up as ever


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real photographs named by KDPROBE_DATA; without it the tests that need them are skipped."""
    folder = os.environ.get("KDPROBE_DATA")
    if not folder:
        pytest.skip(  # not a failure: who has no right to a copy of the photographs can run all the rest
            "KDPROBE_DATA is not set: it names the folder of the photographs, whose owners do not allow them to be "
            "passed on with the code (CI has them)"
        )
    return Path(folder)


@pytest.fixture(scope="session")
def browser() -> Iterator:
    """A headless Chromium, one for all tests; without it the tests of the pages are skipped, and say how to get it."""
    from browser import programs, started

    if programs() is None:
        pytest.skip(  # not a failure: a browser is a system package, which no Python test extra can bring
            "no browser: only a real one shows what a page does, and pip cannot install it; these tests run where "
            "Debian's packages chromium and chromium-driver are (CI installs them), and download nothing themselves"
        )
    with started() as found:
        yield found
