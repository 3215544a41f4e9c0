"""Distillation losses: pure functions of activations and labels that return one value per sample."""

from kdprobe.objectives.cross_entropy import cross_entropy
from kdprobe.objectives.feature_mse import feature_mse
from kdprobe.objectives.kd import kd
from kdprobe.objectives.registry import INPUTS, OBJECTIVES, find_objective, objective_inputs

__all__ = [
    "INPUTS",
    "OBJECTIVES",
    "cross_entropy",
    "feature_mse",
    "find_objective",
    "kd",
    "objective_inputs",
]
