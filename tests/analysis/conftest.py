import pytest

from kdprobe.analysis.knowledge import count_unit


@pytest.fixture(scope="module")
def counted(unit):
    """What is counted of the module's own unit."""
    return count_unit(unit)
