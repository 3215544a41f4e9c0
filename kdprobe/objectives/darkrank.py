"""DarkRank: the order in which the other images of a batch lie around each image."""

from itertools import permutations
from math import inf

import torch
from torch import Tensor

from kdprobe.errors import InputError
from kdprobe.objectives.feature_maps import unit_rows
from kdprobe.objectives.inputs import is_number
from kdprobe.objectives.relations import diagonal, distances, rows_of

_LONGEST = 6  # of which there are 720 orders


def darkrank_hard(
    student_feature: Tensor,
    teacher_feature: Tensor,
    alpha: float = 3.0,
    beta: float = 3.0,
    length: int = 4,
    normalise: bool = True,
) -> Tensor:
    """Minus the log likelihood that the student gives to the teacher's order of the nearest `length` images.

    Around image i, image j has the score s_j = -alpha d_ij^beta, d the Euclidean distance. An order is drawn as one
    image after the other, each with probability softmax(s) among those left (Plackett, Luce): of the teacher's
    nearest images, nearest first, -Σ_m (s_m - log Σ_{n ≥ m} exp s_n). The mean over the batch is the loss of the code
    released with RKD.

    student_feature, teacher_feature: (B, ...) of one batch, flattened; their widths may differ. alpha, beta: > 0;
    length: a whole number from 2 on, all others if there are fewer; normalise: each image's features divided by their
    length, as the networks of that code end, False: as they are. Returns (B,), nats, > 0 and not 0 where student
    equals teacher: the infimum is 0, for an order without doubt. With one or two images nothing can be ordered: 0.
    Images of equal distance are ordered as in the batch; distances are at least 1e-6. Half precision is computed in
    float32. Raises InputError if the batches differ or an option is out of range.

    Source: Chen, Wang, Zhang, DarkRank, AAAI 2018, hard transfer; alpha, beta and length of the code released with
    Park et al., CVPR 2019. The authors' own code ranks the whole batch, with scores -(c d²)^p.
    """
    scores, _ = _ranked(student_feature, teacher_feature, alpha, beta, length, normalise)
    return -_log_likelihood(scores)


def darkrank_soft(
    student_feature: Tensor,
    teacher_feature: Tensor,
    alpha: float = 3.0,
    beta: float = 3.0,
    length: int = 4,
    normalise: bool = True,
) -> Tensor:
    """KL(orders of the teacher ‖ orders of the student), over all orders of the teacher's nearest `length` images.

    The images and the probability P(π) = Π_m exp s_π(m) / Σ_{n ≥ m} exp s_π(n) of each of their length! orders π are
    those of `darkrank_hard`, s from the student's or the teacher's own distances. As each factor is a softmax over the
    images left, the P(π) of all orders sum to 1, so Σ_π P_t (log P_t - log P_s) is a KL divergence; taking the one
    order that is likeliest for the teacher as certain leaves -log P_s of it: `darkrank_hard`.

    Inputs and options as `darkrank_hard`, length at most 6 (720 orders). Returns (B,), nats, ≥ 0 up to rounding and 0
    where the scores are equal up to a constant per image, and for one or two images. Half precision is computed in
    float32. Raises InputError if the batches differ or an option is out of range.

    Source: Chen, Wang, Zhang, DarkRank, AAAI 2018, soft transfer, and its released code, which writes the
    cross-entropy (this value plus the teacher's entropy), takes it over half of the batch and passes no gradient to
    the image around which the others are ordered.
    """
    if is_number(length) and length > _LONGEST:
        raise InputError(
            f"length must be at most {_LONGEST} for darkrank_soft, which looks at all length! orders, got {length}; "
            "darkrank_hard takes any."
        )
    student, teacher = _ranked(student_feature, teacher_feature, alpha, beta, length, normalise)
    orders = torch.tensor(
        list(permutations(range(student.shape[1]))), dtype=torch.int64, device=student.device
    )
    log_q, log_p = (_log_likelihood(scores[:, orders]) for scores in (student, teacher))
    return (log_p.exp() * (log_p - log_q)).sum(dim=1)


def _ranked(
    student_feature: Tensor, teacher_feature: Tensor, alpha: float, beta: float, length: int, normalise: bool
) -> tuple[Tensor, Tensor]:
    """Student's and teacher's scores (B, n) of the teacher's nearest images, the nearest first."""
    for name, value in (("alpha", alpha), ("beta", beta)):
        if not (is_number(value) and 0 < value < inf):
            raise InputError(f"{name} must be a number above 0, got {value!r}; 3 is usual.")
    if isinstance(length, bool) or not isinstance(length, int) or length < 2:
        raise InputError(f"length must be a whole number from 2 on, got {length!r}; 4 is usual.")
    rows = rows_of(student_feature, teacher_feature)
    student, teacher = (distances(unit_rows(each) if normalise else each) for each in rows)
    count = min(length, max(len(student) - 1, 0))
    order = teacher.masked_fill(diagonal(teacher), inf).argsort(dim=1, stable=True)[:, :count]
    of_student, of_teacher = (-alpha * apart.gather(1, order) ** beta for apart in (student, teacher))
    return of_student, of_teacher


def _log_likelihood(scores: Tensor) -> Tensor:
    """(...): log probability of drawing the images in the order of their `scores` (..., n)."""
    count = scores.shape[-1]
    drawn = torch.ones(count, count, dtype=torch.bool, device=scores.device).tril(-1)
    left = scores.unsqueeze(-2).expand(*scores.shape, count).masked_fill(drawn, -inf)
    return scores.sum(dim=-1) - left.logsumexp(dim=-1).sum(dim=-1)
