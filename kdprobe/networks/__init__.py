"""Architectures; each offers `taps` (name -> module path), read by duck typing."""

from kdprobe.networks.build import NETWORKS, build_network, list_networks, network_provenance
from kdprobe.networks.listing import NetworkEntry
from kdprobe.networks.roles import ROLES, layers_of
from kdprobe.networks.sizes import native_size
from kdprobe.networks.weights import PartialWeights, load_convolutional_weights, load_weights

__all__ = [
    "NETWORKS",
    "ROLES",
    "NetworkEntry",
    "PartialWeights",
    "build_network",
    "layers_of",
    "list_networks",
    "load_convolutional_weights",
    "load_weights",
    "native_size",
    "network_provenance",
]
