"""The hint of FitNets: a regressor from a layer of the student to one of the teacher."""

from collections.abc import Mapping

from torch import Tensor, nn

from kdprobe.errors import InputError
from kdprobe.objectives.conv_norm import check_bridge, check_normalised
from kdprobe.objectives.feature_maps import common_size, pooled_alike
from kdprobe.objectives.feature_mse import feature_mse
from kdprobe.objectives.inputs import at_least_float32


class Hint(nn.Module):
    """Mean over the teacher's features of (r(student) - teacher)², r a regressor that learns.

    For vectors (B, C) r is linear. For maps (B, C, H, W) it is one convolution that takes the student's size to the
    teacher's: 3x3 of stride 2 if the student has twice its height and width, 4x4 transposed of stride 2 if it has
    half of them, else with a kernel of 1 + the difference in height and width: 1x1 if there is none, and many weights
    if it is large. Of other sizes, where the student's is smaller in height or width, both are first averaged down
    to the smaller.

    example: a first batch's `student_feature` and `teacher_feature`, from which the shapes are read.
    normalised: r ends in BatchNorm and ReLU, as in RepDistiller and mdistiller, so values of the teacher below 0
        are out of its reach; false: a plain regressor as in the paper.

    forward: features of those shapes, any batch. Returns (B,), ≥ 0, in squared units of the teacher's feature; half
    precision is computed in float32. Raises InputError if one is a map and the other a vector, or batches differ.

    Source: Romero et al., FitNets: Hints for Thin Deep Nets, ICLR 2015, Eq. 3: ½ ‖·‖², a sum over the features where
    this is the mean (that of public code, to which its weight of 100 belongs): with F features the paper's value is
    F/2 of this one. The strided kernels are RepDistiller's; the paper has those of 1 + the difference.
    """

    def __init__(self, example: Mapping[str, Tensor], normalised: bool = False) -> None:
        super().__init__()
        if not isinstance(normalised, bool):
            raise InputError(f"normalised must be true or false, got {normalised!r}.")
        student, teacher = example["student_feature"], example["teacher_feature"]
        _check(student, teacher)
        ours, theirs = student.shape[1], teacher.shape[1]
        regressor = nn.Linear(ours, theirs) if student.ndim == 2 else _convolution(student, teacher)
        norm = nn.BatchNorm1d if student.ndim == 2 else nn.BatchNorm2d
        self.regressor = nn.Sequential(regressor, *((norm(theirs), nn.ReLU()) if normalised else ()))
        self.normalised = normalised

    def forward(self, student_feature: Tensor, teacher_feature: Tensor) -> Tensor:
        _check(student_feature, teacher_feature)
        student, teacher = at_least_float32(student_feature), at_least_float32(teacher_feature)
        if student.ndim == 4 and _pools(student, teacher):
            student, teacher = pooled_alike(student, teacher)
        if self.normalised:
            check_normalised(teacher, self.training)
        return feature_mse(self.regressor(student.to(self.regressor[0].weight.dtype)), teacher)


def _check(student: Tensor, teacher: Tensor) -> None:
    check_bridge(student, teacher, "The features")
    if student.ndim not in (2, 4) or len(student) != len(teacher):
        raise InputError(
            "student_feature and teacher_feature must be maps (batch, channels, height, width) or vectors (batch, "
            f"features) of one batch, got {tuple(student.shape)} and {tuple(teacher.shape)}; choose other layers."
        )


def _half(student: Tensor, teacher: Tensor) -> bool:
    return all(2 * ours == theirs for ours, theirs in zip(student.shape[2:], teacher.shape[2:], strict=True))


def _pools(student: Tensor, teacher: Tensor) -> bool:
    """Whether no convolution takes the student's map to the teacher's size."""
    return common_size(student, teacher) != teacher.shape[2:] and not _half(student, teacher)


def _convolution(student: Tensor, teacher: Tensor) -> nn.Module:
    ours, theirs = student.shape[1], teacher.shape[1]
    if _pools(student, teacher):
        return nn.Conv2d(ours, theirs, 1)
    if _half(student, teacher):
        return nn.ConvTranspose2d(ours, theirs, 4, stride=2, padding=1)
    if _half(teacher, student):
        return nn.Conv2d(ours, theirs, 3, stride=2, padding=1)
    return nn.Conv2d(
        ours, theirs, tuple(1 + a - b for a, b in zip(student.shape[2:], teacher.shape[2:], strict=True))
    )
