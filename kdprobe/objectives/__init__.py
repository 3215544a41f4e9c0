"""Distillation losses: pure functions of activations and labels that return one value per sample."""

from kdprobe.objectives.ab import ActivationBoundary
from kdprobe.objectives.at import at, at_paper
from kdprobe.objectives.at_gradient import at_gradient
from kdprobe.objectives.class_wise import class_wise
from kdprobe.objectives.crd import Contrastive
from kdprobe.objectives.cross_entropy import cross_entropy
from kdprobe.objectives.cwtm import cwtm
from kdprobe.objectives.darkrank import darkrank_hard, darkrank_soft
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
from kdprobe.objectives.fsp import fsp
from kdprobe.objectives.generalised import generalised
from kdprobe.objectives.hint import Hint
from kdprobe.objectives.information_flow import information_flow
from kdprobe.objectives.inputs import labels_known
from kdprobe.objectives.kd import kd
from kdprobe.objectives.kd_mean import kd_mean
from kdprobe.objectives.label_smoothing import label_smoothing, label_smoothing_tfkd
from kdprobe.objectives.logit_regression import logit_regression
from kdprobe.objectives.nst import nst
from kdprobe.objectives.ofd import Overhaul, relu_margin
from kdprobe.objectives.pkt import pkt
from kdprobe.objectives.registry import (
    INPUTS,
    OBJECTIVES,
    find_objective,
    is_connector,
    objective_inputs,
)
from kdprobe.objectives.review_kd import Review, hcl
from kdprobe.objectives.rkd import rkd_angle, rkd_distance
from kdprobe.objectives.sp import sp
from kdprobe.objectives.view_consistency import view_consistency
from kdprobe.objectives.virtual_teacher import virtual_teacher

__all__ = [
    "INPUTS",
    "KDCL",
    "OBJECTIVES",
    "ActivationBoundary",
    "Contrastive",
    "Hint",
    "Overhaul",
    "Review",
    "at",
    "at_gradient",
    "at_paper",
    "class_wise",
    "cross_entropy",
    "cwtm",
    "darkrank_hard",
    "darkrank_soft",
    "dkd",
    "dkpp",
    "ensemble_kd",
    "error_correlation",
    "feature_mse",
    "find_objective",
    "fsp",
    "general_weights",
    "generalised",
    "hcl",
    "information_flow",
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
    "nst",
    "objective_inputs",
    "pkt",
    "relu_margin",
    "rkd_angle",
    "rkd_distance",
    "sp",
    "tckd",
    "view_consistency",
    "virtual_teacher",
]
