"""Architectures; each offers `taps` (name -> module path), read by duck typing."""

from kdprobe.networks.build import NETWORKS, build_network, network_provenance
from kdprobe.networks.weights import load_weights

__all__ = ["NETWORKS", "build_network", "load_weights", "network_provenance"]
