"""What is known of every objective that looks inside the networks: the table that their laws are tested from."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from kdprobe.objectives import OBJECTIVES, objective_inputs

#: (channels, height, width) of three layers, the same in student and teacher
SHAPES = ((3, 6, 6), (4, 4, 4), (5, 2, 2))


@dataclass(frozen=True)
class FeatureCase:
    """Facts of one objective at its default options."""

    alone: bool = True  #: the value of an image does not depend on its batch
    scale: bool = True  #: the student's features times a positive number change nothing


FEATURE_CASES = {
    "at": FeatureCase(),
    "at_gradient": FeatureCase(scale=False),
    "at_paper": FeatureCase(),
    "fsp": FeatureCase(scale=False),
    "nst": FeatureCase(),
    "sp": FeatureCase(alone=False),
}


def layers(
    seed: int,
    dtype: torch.dtype = torch.float32,
    batch: int = 4,
    shapes: Sequence[tuple[int, ...]] = SHAPES,
) -> tuple[Tensor, ...]:
    generator = torch.Generator().manual_seed(seed)
    return tuple(torch.randn(batch, *shape, generator=generator).to(dtype) for shape in shapes)


def arguments(name: str, student: tuple[Tensor, ...], teacher: tuple[Tensor, ...]) -> dict:
    """What the objective takes: all layers, the deepest where it takes one, the first in place of an image."""
    values = {"labels": torch.arange(len(student[0])) % 3}
    for whose, features in (("student", student), ("teacher", teacher)):
        values[f"{whose}_features"] = features
        values[f"{whose}_feature"] = features[-1]
        values[f"{whose}_input_gradient"] = features[0]
    return {key: values[key] for key in objective_inputs(OBJECTIVES[name], {})}


def value(name: str, student: tuple[Tensor, ...], teacher: tuple[Tensor, ...]) -> Tensor:
    return OBJECTIVES[name](**arguments(name, student, teacher))


def used(name: str, student: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """Those of the layers that the objective looks at."""
    inputs = objective_inputs(OBJECTIVES[name], {})
    if "student_features" in inputs:
        return student
    return student[-1:] if "student_feature" in inputs else student[:1]
