"""Names that packages import on first use."""

from importlib import import_module

import pytest

PACKAGES = {
    "kdprobe": "_HOMES",
    "kdprobe.experiment": "_LAZY",
    "kdprobe.live": "_LAZY",
    "kdprobe.training": "_LAZY",
}


@pytest.mark.parametrize("package", PACKAGES)
def test_every_name_that_is_promised_is_there(package):
    module = import_module(package)
    homes = getattr(module, PACKAGES[package])
    assert {*homes} <= {*module.__all__} == {*dir(module)}
    for name, home in homes.items():
        assert getattr(module, name) is getattr(import_module(home), name)
    assert all(hasattr(module, name) for name in module.__all__)


@pytest.mark.parametrize("package", PACKAGES)
def test_another_name_is_refused_as_python_does(package):
    name = "EntropyEstimater"
    with pytest.raises(AttributeError, match=f"^module '{package}' has no attribute '{name}'$"):
        getattr(import_module(package), name)
