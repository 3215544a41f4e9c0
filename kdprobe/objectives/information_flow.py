"""Information flow: who is whose neighbour in the batch, layer by layer."""

from collections.abc import Mapping

import torch
from torch import Tensor

from kdprobe.errors import InputError
from kdprobe.objectives.relations import (
    as_probabilities,
    cosine_kernel,
    gram,
    rows_of,
    squared_distances,
)

_EPS = 1e-6  # of the released code
LAYERS = {"all": slice(None), "last": slice(-1, None), "but_last": slice(None, -1)}


def information_flow(
    student_features: tuple[Tensor, ...], teacher_features: tuple[Tensor, ...], layers: str = "all"
) -> Tensor:
    """Σ over layers and two kernels of the mean over j of (p_ij - q_ij) log(p_ij / q_ij): Jeffreys divergence / B.

    p (teacher) and q (student) say how likely image j is as a neighbour of image i: a kernel of the two images'
    features, divided by its sum over all j, image i itself included as in the released code. Kernels: (1 + cosine) / 2,
    at least 1e-6 so that the logarithm exists, and Student's t, 1 / (1 + √(d² + 1e-6)), d the Euclidean distance. The
    mean over the batch is that code's loss. Maps are flattened as they are, as that code does with its small networks
    (it averages those of its ResNet-18 down to 4 x 4 or 2 x 2 pixels first, and compares it at its pooled vector only).

    student_features, teacher_features: as many layers, each (B, ...) of one batch; widths may differ. layers: "all" of
    them, "last": the deepest, "but_last": all others. Returns (B,), nats / B, ≥ 0; 0 where both kernels' probabilities
    are equal, under another rotation or shared shift of Student's t alone, and for a single image. Not free of scale:
    Student's t compares distances with 1. Half precision is computed in float32. A row of zeros has the cosine 0 with
    all and gets no gradient from it. Raises InputError if layers, batches or the option do not fit.

    Source: Passalis, Tzelepi, Tefas, Heterogeneous Knowledge Distillation using Information Flow Modeling, CVPR 2020,
    and its released code. That the divergence stands for the paper's mutual information between features and
    (unknown) labels is the paper's argument; its equations could not be checked against the text.
    """
    chosen = _chosen(student_features, teacher_features, layers)
    return torch.stack([_divergence(*rows) for rows in chosen]).sum(dim=0)


def _flow_bytes(inputs: Mapping[str, tuple[Tensor, ...]], batch_size: int, layers: str = "all") -> int:
    """Bytes of `information_flow` at its largest: the flattened features once more, in float64 for the distances."""
    pairs = _chosen(inputs["student_features"], inputs["teacher_features"], layers)
    widths = [(student.shape[1], teacher.shape[1]) for student, teacher in pairs]
    kept = sum(20 * student for student, _ in widths)
    return batch_size * (kept + 16 * max(max(pair) for pair in widths))


information_flow.memory_bytes = _flow_bytes


def _chosen(
    student_features: tuple[Tensor, ...], teacher_features: tuple[Tensor, ...], layers: str
) -> list[tuple[Tensor, Tensor]]:
    """The rows (B, D) of student and teacher at each of the `layers`."""
    if layers not in LAYERS:
        raise InputError(f"layers must be one of {', '.join(LAYERS)}, got {layers!r}.")
    count, other = len(student_features), len(teacher_features)
    if count != other or not count:
        raise InputError(
            f"student_features and teacher_features must be as many layers, at least one, got {count} and {other}; "
            "name as many layers of the student as of the teacher."
        )
    rows = [
        rows_of(student, teacher, of=f"_features[{layer}]")
        for layer, (student, teacher) in enumerate(zip(student_features, teacher_features, strict=True))
    ][LAYERS[layers]]
    if not rows:
        raise InputError("layers: but_last leaves none of a single layer; name more, or take layers: last.")
    return rows


def _divergence(student: Tensor, teacher: Tensor) -> Tensor:
    """(B,): of the rows of one layer, both kernels together."""
    both = zip(_kernels(student), _kernels(teacher), strict=True)
    return sum(
        _jeffreys(as_probabilities(of_teacher), as_probabilities(of_student))
        for of_student, of_teacher in both
    )


def _kernels(rows: Tensor) -> tuple[Tensor, Tensor]:
    """The cosine kernel and Student's t of the rows: (B, B) each."""
    apart = (squared_distances(gram(rows)).clamp(min=0.0) + _EPS).sqrt()
    return cosine_kernel(rows, _EPS).clamp(min=_EPS), (1 / (1 + apart)).to(rows.dtype)


def _jeffreys(p: Tensor, q: Tensor) -> Tensor:
    return ((p - q) * (p.log() - q.log())).mean(dim=1)
