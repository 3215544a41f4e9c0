"""Attention transfer by input gradients."""

from torch import Tensor

from kdprobe.objectives.inputs import at_least_float32, check_same_shape


def at_gradient(student_input_gradient: Tensor, teacher_input_gradient: Tensor) -> Tensor:
    """‖g_s - g_t‖², summed over pixels and channels; g is the gradient of the cross-entropy by the image.

    student_input_gradient, teacher_input_gradient: (B, C, H, W), of the sum of the images' cross-entropies, so of
    each image's own, not of the mean over the batch (which would be smaller by B); where BatchNorm takes the batch's
    statistics, that of the other images is in it, too. The student's with its graph, as training goes through it
    a second time. Returns (B,), ≥ 0, in nats² per squared input unit, 0 where both are equal; half precision is
    computed in float32. Raises InputError if the shapes differ.

    Source: Zagoruyko, Komodakis, Paying More Attention to Attention, ICLR 2017, section 3.2, without its factor
    β/2. Squared, as the gradient that the paper gives for it, β (g_s - g_t) times the second derivative, is that of
    the square; from memory: not checked against the text.
    """
    check_same_shape(
        student_input_gradient=student_input_gradient, teacher_input_gradient=teacher_input_gradient
    )
    difference = at_least_float32(student_input_gradient) - at_least_float32(teacher_input_gradient)
    return difference.flatten(1).square().sum(dim=1)
