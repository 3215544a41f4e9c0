"""What objectives hold in memory beside the networks, said before a training starts."""

import warnings
from collections.abc import Mapping
from typing import Any

import torch

from kdprobe.experiment.config import ExperimentConfig
from kdprobe.experiment.forecast import size
from kdprobe.experiment.setup import device
from kdprobe.external import users_code
from kdprobe.objectives import find_objective
from kdprobe.recipes import Stage, Term

_AVAILABLE = "MemAvailable:"


def memory_note(
    config: ExperimentConfig, name: str, stage: Stage, term: Term, takes: Mapping[str, Any]
) -> str | None:
    """What `term` of `stage` holds for the network `name` (and its peers), in a sentence; None if it does not say.

    `takes`: its inputs for a few images. With a warning if that is more than is free. Raises ConfigError if the
    objective's memory_bytes refuses them or an option, or gives no number.
    """
    counts = getattr(find_objective(term.objective), "memory_bytes", None)
    if counts is None:
        return None
    failed = f"{name}: in its stage {stage.name!r} {term.objective} cannot be computed"
    with users_code(failed, after=" (while its memory was counted)"):
        each = int(counts(takes, config.training.batch_size, **term.options))
    need, where = each * (1 + len(stage.peers)), device(config)
    free = free_memory(where)
    sentence = (
        f"{name}: in its stage {stage.name!r} {term.objective} holds {size(need)} of memory beside the networks and "
        f"their activations{'' if free is None else f' ({size(free)} free)'}."
    )
    if free is not None and need > free:
        warnings.warn(
            f"{sentence} That is more than is free; take smaller batches, smaller layers or a smaller memory.",
            UserWarning,
            stacklevel=2,
        )
    return sentence


def free_memory(where: torch.device) -> int | None:
    """Bytes free on that device; None if the system does not say."""
    if where.type == "cuda":
        held = torch.cuda.memory_reserved(where) - torch.cuda.memory_allocated(where)
        return torch.cuda.mem_get_info(where)[0] + held
    try:
        with open("/proc/meminfo", encoding="ascii") as lines:
            return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(_AVAILABLE))
    except (OSError, StopIteration):
        return None
