"""What is known of every objective on the relations of a batch's images: the table that their laws are tested from."""

from dataclasses import dataclass

import torch
from torch import Tensor

from kdprobe.objectives import OBJECTIVES, objective_inputs


@dataclass(frozen=True)
class RelationCase:
    """Facts of one objective at its default options. What is said of the student's features holds of the teacher's."""

    least: int  #: images that a batch needs to have any relation of that kind
    rests: bool = True  #: zero, with zero gradient, where the student equals its teacher
    scale: bool = True  #: all features times one positive number change nothing
    lengths: bool = False  #: neither do those of each image times a positive number of its own
    shift: bool = False  #: nor one vector added to all images


RELATION_CASES = {
    "darkrank_hard": RelationCase(least=3, rests=False, lengths=True),
    "darkrank_soft": RelationCase(least=3, lengths=True),
    "information_flow": RelationCase(least=2, scale=False),
    "pkt": RelationCase(least=2, lengths=True),
    "rkd_angle": RelationCase(least=3, shift=True),
    "rkd_distance": RelationCase(least=3, shift=True),
}


def rows(
    seed: int, dtype: torch.dtype = torch.float32, batch: int = 6, width: int = 5, scale: float = 1.0
) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return (scale * torch.randn(batch, width, generator=generator, dtype=torch.float64)).to(dtype)


def arguments(name: str, student: Tensor, teacher: Tensor) -> dict:
    """What the objective takes; where it takes several layers, a part of the features stands before them."""
    given = {"student_feature": student, "teacher_feature": teacher}
    given |= {
        "student_features": (student[:, :3], student),
        "teacher_features": (teacher[:, :3], teacher),
    }
    return {key: given[key] for key in objective_inputs(OBJECTIVES[name], {})}


def value(name: str, student: Tensor, teacher: Tensor, **options) -> Tensor:
    return OBJECTIVES[name](**arguments(name, student, teacher), **options)
