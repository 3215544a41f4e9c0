"""What is known of every objective: the table that the laws are tested from."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from oracles import objectives_logits as oracle
from torch import Tensor

from kdprobe.objectives import OBJECTIVES, objective_inputs

#: where an objective of logits takes its target from
TARGETS = ("teacher_logits", "partner_logits", "view_logits", "ensemble_logits", "teacher_feature")


@dataclass(frozen=True)
class Case:
    """Facts of one objective at its default options."""

    rests: bool = False  #: zero, with zero gradient, where the student equals its target
    floor: Callable | None = None  #: (target row, label) -> smallest value that any student can get
    shift: bool = True  #: a constant added to a row of the student changes nothing
    alone: bool = True  #: the value of an image does not depend on its batch
    draws: bool = False  #: the value depends on the state of a generator
    twice: bool = False  #: needs at least two classes
    single: bool = False  #: with two classes it has nothing left to say


def smoothed(true: float, wrong: float) -> Callable:
    def entropy(_, label: int, classes: int) -> float:
        target = [true if k == label else wrong / (classes - 1) for k in range(classes)]
        return -sum(p * torch.tensor(p).double().log().item() for p in target if p)

    return entropy


CASES = {
    "class_wise": Case(rests=True),
    "cross_entropy": Case(),
    "cwtm": Case(alone=False),
    "dkd": Case(rests=True, twice=True),
    "dkpp": Case(draws=True, twice=True, alone=False),
    "ensemble_kd": Case(rests=True),
    "feature_mse": Case(rests=True, shift=False),
    "generalised": Case(floor=lambda row, *_: oracle.entropy(row)),
    "kd": Case(rests=True),
    "kd_mean": Case(rests=True),
    "label_smoothing": Case(
        floor=lambda _, label, c: smoothed(0.9 + 0.1 / c, 0.1 * (c - 1) / c)(_, label, c)
    ),
    "label_smoothing_tfkd": Case(floor=smoothed(0.9, 0.1), twice=True),
    "logit_regression": Case(rests=True, shift=False),
    "nckd": Case(rests=True, twice=True, single=True),
    "tckd": Case(rests=True, twice=True),
    "view_consistency": Case(rests=True),
    "virtual_teacher": Case(floor=lambda *_: 0.0, twice=True),
}


def labels_for(student: Tensor) -> Tensor:
    return torch.arange(len(student)) * 2 % student.shape[1]


def arguments(name: str, student: Tensor, target: Tensor, seed: int = 0) -> dict:
    """What the objective takes: the student as its logits or feature, `target` for whatever it compares with."""
    values = {"student_logits": student, "student_feature": student, "labels": labels_for(student)}
    values |= dict.fromkeys(TARGETS, target)
    values["generator"] = torch.Generator().manual_seed(seed)
    return {key: values[key] for key in objective_inputs(OBJECTIVES[name], {})}


def value(name: str, student: Tensor, target: Tensor, seed: int = 0) -> Tensor:
    return OBJECTIVES[name](**arguments(name, student, target, seed))


def pair(dtype: torch.dtype = torch.float32, classes: int = 6, batch: int = 4, seed: int = 3) -> tuple:
    """Student and target of about the size of trained logits."""
    generator = torch.Generator().manual_seed(seed)
    return tuple((2 * torch.randn(batch, classes, generator=generator)).to(dtype) for _ in range(2))
