"""Whole modules of quick runs."""

import pytest
from experiment.quick import trained_only, untried


@pytest.fixture(scope="module")
def runs_untried():
    with pytest.MonkeyPatch.context() as patch:
        untried(patch)
        yield


@pytest.fixture(scope="module")
def runs_trained_only():
    with pytest.MonkeyPatch.context() as patch:
        trained_only(patch)
        yield
