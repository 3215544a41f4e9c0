"""How much of the input's information a layer discards, cell by cell.

A protocol says which sigma is reported, a solver says how it is found.
"""

from kdprobe.estimator.estimator import EntropyEstimator
from kdprobe.estimator.protocols import PROTOCOLS, Protocol, find_protocol
from kdprobe.estimator.solvers import SOLVERS, Decomposed, Jacobian, Pathwise, Sgd, find_solver
from kdprobe.estimator.taps import capture, layer_path, modules_below, parameters_below, truncated_forward

__all__ = [
    "PROTOCOLS",
    "SOLVERS",
    "Decomposed",
    "EntropyEstimator",
    "Jacobian",
    "Pathwise",
    "Protocol",
    "Sgd",
    "capture",
    "find_protocol",
    "find_solver",
    "layer_path",
    "modules_below",
    "parameters_below",
    "truncated_forward",
]
