"""Image sizes that a network cannot take, and what it says then."""

import pytest

from kdprobe.errors import ConfigError
from kdprobe.networks import NETWORKS, build_network, native_size
from kdprobe.networks.sizes import SIZES


def test_every_network_has_its_sizes():
    assert set(SIZES) == set(NETWORKS)
    assert native_size("alexnet") == 227 and native_size("my_models.py:mine") is None


@pytest.mark.parametrize("name", sorted(set(SIZES) - {"vgg_small"}))
def test_an_image_too_small_is_refused_with_the_networks_name_and_sizes(name):
    own, least, *_ = SIZES[name]
    with pytest.raises(ConfigError) as error:
        build_network(name, num_classes=2, image_shape=(3, least, least - 1))
    message = str(error.value)
    assert message.startswith(f"{name} needs ")
    assert f"{least} x {least} pixels" in message and f"{own} x {own}" in message
    assert f"(3, {least}, {least - 1})" in message


@pytest.mark.parametrize("name", ["alexnet", "vgg16", "resnet50"])
def test_networks_for_colour_images_refuse_others(name):
    with pytest.raises(ConfigError, match=f"{name} needs RGB images"):
        build_network(name, num_classes=2, image_shape=(1, 227, 227))


def test_a_network_that_takes_images_as_they_are_has_no_native_size():
    """It would shrink data sets of larger images if their size followed it."""
    assert native_size("vgg_small") is None and native_size("vgg16") == 224 and native_size("resnet20") == 32
