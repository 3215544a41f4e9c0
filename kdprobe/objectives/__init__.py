"""Distillation losses: pure functions of activations and labels that return one value per sample."""

from kdprobe.objectives.class_wise import class_wise
from kdprobe.objectives.cross_entropy import cross_entropy
from kdprobe.objectives.cwtm import cwtm
from kdprobe.objectives.dkd import dkd, nckd, tckd
from kdprobe.objectives.dkpp import dkpp
from kdprobe.objectives.ensemble_kd import ensemble_kd
from kdprobe.objectives.ensembles import (
    KDCL,
    error_correlation,
    general_weights,
    kdcl_target,
    mean_logits,
    mean_probabilities,
)
from kdprobe.objectives.feature_mse import feature_mse
from kdprobe.objectives.generalised import generalised
from kdprobe.objectives.inputs import labels_known
from kdprobe.objectives.kd import kd
from kdprobe.objectives.kd_mean import kd_mean
from kdprobe.objectives.label_smoothing import label_smoothing, label_smoothing_tfkd
from kdprobe.objectives.logit_regression import logit_regression
from kdprobe.objectives.registry import (
    INPUTS,
    OBJECTIVES,
    find_objective,
    is_connector,
    objective_inputs,
)
from kdprobe.objectives.view_consistency import view_consistency
from kdprobe.objectives.virtual_teacher import virtual_teacher

__all__ = [
    "INPUTS",
    "KDCL",
    "OBJECTIVES",
    "class_wise",
    "cross_entropy",
    "cwtm",
    "dkd",
    "dkpp",
    "ensemble_kd",
    "error_correlation",
    "feature_mse",
    "find_objective",
    "general_weights",
    "generalised",
    "is_connector",
    "kd",
    "kd_mean",
    "kdcl_target",
    "label_smoothing",
    "label_smoothing_tfkd",
    "labels_known",
    "logit_regression",
    "mean_logits",
    "mean_probabilities",
    "nckd",
    "objective_inputs",
    "tckd",
    "view_consistency",
    "virtual_teacher",
]
