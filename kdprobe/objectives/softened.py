"""Steps that the objectives on softened outputs share."""

import torch
from torch import Tensor

from kdprobe.objectives.inputs import at_least_float32, check_temperature


def softened_kl(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """T² KL(softmax(teacher / T) ‖ softmax(student / T)) of logits (B, C), summed over the classes: (B,)."""
    check_temperature(temperature)
    log_q = torch.log_softmax(at_least_float32(student) / temperature, dim=1)
    log_p = torch.log_softmax(at_least_float32(teacher) / temperature, dim=1)
    return temperature**2 * (log_p.exp() * (log_p - log_q)).sum(dim=1)


def others(chosen: Tensor, classes: int) -> Tensor:
    """(B, C-1): the class numbers of each row without its `chosen` one (B,), ascending."""
    rest = torch.arange(classes - 1, device=chosen.device).expand(len(chosen), -1)
    return rest + (rest >= chosen.unsqueeze(1))


def of_class(values: Tensor, labels: Tensor) -> Tensor:
    """(B,): out of `values` (B, C) that of each row's label."""
    return values.gather(1, labels.long().unsqueeze(1)).squeeze(1)
