"""Mean squared error between features."""

from torch import Tensor

from kdprobe.objectives.inputs import at_least_float32, check_same_shape


def feature_mse(student_feature: Tensor, teacher_feature: Tensor) -> Tensor:
    """Mean over the features of (student - teacher)².

    student_feature, teacher_feature: (B, ...) of one shape. Returns (B,), ≥ 0, in squared units of the
    feature (not scale free); half precision is computed in float32. Raises InputError if the shapes differ.

    Source: Cheng, Rao, Chen, Zhang, Explaining Knowledge Distillation by Quantifying the Knowledge, CVPR
    2020: the student of its experiments imitates one layer of the teacher.
    """
    check_same_shape(student_feature=student_feature, teacher_feature=teacher_feature)
    difference = at_least_float32(student_feature) - at_least_float32(teacher_feature)
    return difference.flatten(1).square().mean(dim=1)
