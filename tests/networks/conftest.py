"""All networks at their own size, without memory for their weights; made once."""

import pytest

from kdprobe.networks import list_networks


@pytest.fixture(scope="session")
def entries():
    return {entry.name: entry for entry in list_networks(num_classes=10)}
