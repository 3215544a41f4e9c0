"""A teacher teaches and does not learn."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager

import torch
from torch import nn

from kdprobe.errors import TrainingError
from kdprobe.estimator.taps import untouched
from kdprobe.recipes import Recipe
from kdprobe.training.teaching import TeachingNetwork, route

CHANGED = (
    "The teacher's weights or buffers changed while it taught; a network that updates itself in eval mode cannot be a "
    "teacher."
)


def state_digest(model: nn.Module) -> str:
    """sha256 (hex) over names, types, shapes and bytes of all parameters and buffers of `model`."""
    digest = hashlib.sha256()
    for name, tensor in model.state_dict().items():
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


@contextmanager
def frozen_teacher(teacher: nn.Module | None, student: nn.Module, device: torch.device) -> Iterator[None]:
    """`teacher` on `device`, in eval mode and without gradients inside; afterwards flags and device are back.

    Raises TrainingError if the teacher shares weights with the student, or if its state has changed inside.
    """
    if teacher is None:
        yield
        return
    learned = {p.data_ptr() for p in student.parameters()} - {0}
    shared = [name for name, p in teacher.named_parameters() if p.data_ptr() in learned]
    if shared:
        raise TrainingError(
            f"Teacher and student share the weights {shared[0]}; give the student a network of its own."
        )
    home = next((p.device for p in teacher.parameters()), device)
    before = state_digest(teacher)
    try:
        with untouched(teacher):
            teacher.to(device)
            yield
    finally:
        teacher.to(home)
    if state_digest(teacher) != before:
        raise TrainingError(CHANGED)


@contextmanager
def frozen_teachers(
    recipe: Recipe, known: Mapping[str, TeachingNetwork], learners: Sequence[nn.Module], device: torch.device
) -> Iterator[None]:
    """`frozen_teacher` for every network that teaches some stage of `recipe` as it ended, each once; `learners` are
    all that learn."""
    finals = {}
    for stage in recipe.stages:
        for source in stage.teachers:
            network = known[source.network]
            if route(source, network) == (network.last,):
                finals[id(network.model)] = network.model
    with ExitStack() as stack:
        for model in finals.values():
            stack.enter_context(frozen_teacher(model, nn.ModuleList(learners), device))
        yield
