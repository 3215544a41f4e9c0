"""Architectures; each offers `taps` (name -> module path), read by duck typing."""

from kdprobe.networks.build import NETWORKS, build_network, list_networks, network_provenance
from kdprobe.networks.listing import NetworkEntry
from kdprobe.networks.sizes import native_size
from kdprobe.networks.weights import PartialWeights, load_convolutional_weights, load_weights

__all__ = [
    "NETWORKS",
    "NetworkEntry",
    "PartialWeights",
    "build_network",
    "list_networks",
    "load_convolutional_weights",
    "load_weights",
    "native_size",
    "network_provenance",
]
