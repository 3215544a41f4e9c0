"""The connectors that come with kdprobe, built and in evaluation mode: a table that their laws are tested from."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from kdprobe.objectives import OBJECTIVES, objective_inputs

NAMES = ("ab", "hint", "ofd", "review_kd")
#: of student and teacher: maps whose channels and sizes differ in one way or another, then a vector
STUDENT = ((3, 6, 6), (4, 4, 4), (5, 2, 2), (5,))
TEACHER = ((2, 6, 6), (4, 2, 2), (3, 4, 4), (6,))


def layers(
    shapes: Sequence[tuple[int, ...]], seed: int, dtype: torch.dtype = torch.float32, batch: int = 4
) -> tuple[Tensor, ...]:
    generator = torch.Generator().manual_seed(seed)
    return tuple(torch.randn(batch, *shape, generator=generator).to(dtype) for shape in shapes)


def norms_of(teacher: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """Mean and deviation of each channel as BatchNorm may have them; the first is never below 0, the second is flat."""
    found = []
    for values in teacher:
        norm = torch.linspace(-1, 1, 2 * values.shape[1], dtype=values.dtype).reshape(2, -1)
        norm[1] = norm[1].abs()
        norm[:, 0] = torch.tensor([5.0, 0.5])
        norm[1, 1] = 0.0
        found.append(norm)
    return tuple(found)


def given(name: str, student: tuple[Tensor, ...], teacher: tuple[Tensor, ...], layer: int = 0) -> dict:
    """What the connector takes; one that takes a single layer gets that with the index `layer`."""
    values = {
        "student_features": student,
        "teacher_features": teacher,
        "teacher_norms": norms_of(teacher),
        "student_feature": student[layer],
        "teacher_feature": teacher[layer],
    }
    return {key: values[key] for key in objective_inputs(OBJECTIVES[name], {})}


def connector(
    name: str, *arguments: dict, dtype: torch.dtype = torch.float32, seed: int = 0, **options
) -> nn.Module:
    """In evaluation mode, BatchNorm's statistics, weights and biases drawn."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        built = OBJECTIVES[name](*arguments, **options)
        for module in built.modules():
            if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
                nn.init.normal_(module.weight, 1, 0.3)
                nn.init.normal_(module.bias, 0, 0.3)
                nn.init.normal_(module.running_mean, 0, 0.3)
                nn.init.uniform_(module.running_var, 0.5, 2)
    return built.to(dtype).eval()


def ready(name: str, dtype: torch.dtype = torch.float32, layer: int = 0, **options) -> nn.Module:
    """`connector` for the shapes of this file."""
    arguments = given(name, layers(STUDENT, 0, dtype, 2), layers(TEACHER, 1, dtype, 2), layer)
    return connector(name, arguments, dtype=dtype, **options)
