"""Objectives by name, and what each of them wants to be given."""

import inspect
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from inspect import Parameter
from typing import Any

from torch import nn

from kdprobe.errors import ConfigError
from kdprobe.external import is_reference, load_function
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
from kdprobe.objectives.feature_mse import feature_mse
from kdprobe.objectives.fsp import fsp
from kdprobe.objectives.generalised import generalised
from kdprobe.objectives.hint import Hint
from kdprobe.objectives.information_flow import information_flow
from kdprobe.objectives.kd import kd
from kdprobe.objectives.kd_mean import kd_mean
from kdprobe.objectives.label_smoothing import label_smoothing, label_smoothing_tfkd
from kdprobe.objectives.logit_regression import logit_regression
from kdprobe.objectives.nst import nst
from kdprobe.objectives.ofd import Overhaul
from kdprobe.objectives.pkt import pkt
from kdprobe.objectives.review_kd import Review
from kdprobe.objectives.rkd import rkd_angle, rkd_distance
from kdprobe.objectives.sp import sp
from kdprobe.objectives.view_consistency import view_consistency
from kdprobe.objectives.virtual_teacher import virtual_teacher

#: what a training step can hand to an objective; an objective takes what it needs by these parameter names
INPUTS = (
    "student_logits",
    "teacher_logits",
    "student_feature",
    "teacher_feature",
    "labels",
    "partner_logits",  # the student's outputs for another image of the same class, without gradient
    "view_logits",  # the student's outputs for another augmented view of the image, without gradient
    "ensemble_logits",  # what the networks trained together say as one, without gradient
    "generator",  # a torch.Generator of the step's own, for objectives that draw
    "student_features",  # a tuple of the values of the stage's `features`, shallow to deep
    "teacher_features",  # the same of the teacher, without gradient
    "teacher_norms",  # for each of `features` (2, C): bias and |weight| of its last BatchNorm
    "student_input_gradient",  # (B, C, H, W): of the image's cross-entropy by the image, with graph
    "teacher_input_gradient",  # the same of the teacher, without gradient
    "indices",  # (B,) int64: which of the training images they are, from 0
    "train_labels",  # (N,) int64: the labels of all training images
)

OBJECTIVES: dict[str, Callable] = {
    "ab": ActivationBoundary,
    "at": at,
    "at_gradient": at_gradient,
    "at_paper": at_paper,
    "class_wise": class_wise,
    "crd": Contrastive,
    "cross_entropy": cross_entropy,
    "cwtm": cwtm,
    "darkrank_hard": darkrank_hard,
    "darkrank_soft": darkrank_soft,
    "dkd": dkd,
    "dkpp": dkpp,
    "ensemble_kd": ensemble_kd,
    "feature_mse": feature_mse,
    "fsp": fsp,
    "generalised": generalised,
    "hint": Hint,
    "information_flow": information_flow,
    "kd": kd,
    "kd_mean": kd_mean,
    "label_smoothing": label_smoothing,
    "label_smoothing_tfkd": label_smoothing_tfkd,
    "logit_regression": logit_regression,
    "nckd": nckd,
    "nst": nst,
    "ofd": Overhaul,
    "pkt": pkt,
    "review_kd": Review,
    "rkd_angle": rkd_angle,
    "rkd_distance": rkd_distance,
    "sp": sp,
    "tckd": tckd,
    "view_consistency": view_consistency,
    "virtual_teacher": virtual_teacher,
}


def find_objective(name: str) -> Callable:
    """The objective called `name` in OBJECTIVES, or the user's own ``file.py:function`` (or class).

    Raises ConfigError if there is none.
    """
    if is_reference(name):
        return load_function(name)
    if name not in OBJECTIVES:
        near = get_close_matches(name, OBJECTIVES, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(OBJECTIVES)}"
        raise ConfigError(f"No objective {name!r}: {hint} (or name your own as file.py:function).")
    return OBJECTIVES[name]


def is_connector(objective: Callable) -> bool:
    """True for a class: an objective with parameters of its own, built as ``cls(example, **options)``."""
    return inspect.isclass(objective)


def objective_inputs(objective: Callable, options: Mapping[str, Any]) -> tuple[str, ...]:
    """Those of INPUTS that `objective` takes, in the order of its signature; `options` fill the rest of it.

    A connector (a class, child of torch.nn.Module) takes its inputs in `forward` and its options in `__init__`,
    beside `example`: the inputs of a first batch by name, from which it reads the shapes.
    What an objective holds in memory beside the networks it may say itself: an attribute `memory_bytes(inputs,
    batch_size, **options)` gives the bytes, from its inputs for a few images and the size of the training's batches.
    Raises ConfigError if an option is unknown to the objective, or a parameter without default is left open.
    """
    name = getattr(objective, "__name__", repr(objective))
    if is_connector(objective):
        called, built = _connector_parameters(name, objective)
    else:
        called = built = list(inspect.signature(objective).parameters.values())
    _check_options(name, built, options)
    if any(p.kind is p.POSITIONAL_ONLY for p in called):
        raise ConfigError(
            f"The objective {name} must take its inputs by name; remove the / in its signature."
        )
    inputs = tuple(p.name for p in _named(called) if p.name in INPUTS)
    if not any(given.startswith("student") for given in inputs):
        raise ConfigError(
            f"The objective {name} looks at nothing of the student; it must take student_logits or "
            "student_feature, or another input that is the student's."
        )
    return inputs


def _connector_parameters(name: str, cls: type) -> tuple[list[Parameter], list[Parameter]]:
    """Parameters of `forward`, and of `__init__` without `example`."""
    if not issubclass(cls, nn.Module):
        raise ConfigError(f"The objective {name} is a class; it must be a child of torch.nn.Module.")
    called = list(inspect.signature(cls.forward).parameters.values())[1:]
    built = list(inspect.signature(cls.__init__).parameters.values())[1:]
    if not built or built[0].name != "example":
        raise ConfigError(
            f"The objective {name} is a class; its __init__ must take `example` (a first batch's inputs by name) "
            "before its options."
        )
    for p in _named(built[1:]):
        if p.name in INPUTS:
            raise ConfigError(
                f"The objective {name} takes {p.name!r} in its __init__; take it in forward, or from `example`."
            )
    for p in _named(called):
        if p.name not in INPUTS and p.default is p.empty:
            raise ConfigError(
                f"The objective {name} needs a value for {p.name!r} in forward, which takes only inputs "
                f"({', '.join(INPUTS)}); options go to its __init__."
            )
    return called, built[1:]


def _check_options(name: str, built: list[Parameter], options: Mapping[str, Any]) -> None:
    own_options = [p.name for p in _named(built) if p.name not in INPUTS]
    takes_any = any(p.kind is p.VAR_KEYWORD for p in built)
    for option in options:
        if option in INPUTS or (option not in own_options and not takes_any):
            known = ", ".join(own_options) or "none"
            raise ConfigError(f"The objective {name} has no option {option!r}; its options: {known}.")
    for p in _named(built):
        if p.name not in INPUTS and p.name not in options and p.default is p.empty:
            raise ConfigError(
                f"The objective {name} needs a value for {p.name!r}: give it as an option, or use one of the "
                f"inputs {', '.join(INPUTS)}."
            )


def _named(parameters: list[Parameter]) -> list[Parameter]:
    return [p for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
