"""What connectors between layers of different width are made of."""

from torch import Tensor, nn

from kdprobe.errors import InputError
from kdprobe.objectives.feature_maps import checked_maps


class ConvNorm(nn.Sequential):
    """Convolution without bias, from `channels` to `out` with a `kernel` of 1 or 3, and BatchNorm.

    Maps (B, channels, H, W) of any kind are computed in that of the weights; returns (B, out, H, W). The weights start
    Kaiming-normal (fan out). Raises InputError in training if BatchNorm has a single value for each channel.
    """

    def __init__(self, channels: int, out: int, kernel: int = 1) -> None:
        convolution = nn.Conv2d(channels, out, kernel, padding=kernel // 2, bias=False)
        nn.init.kaiming_normal_(convolution.weight, mode="fan_out", nonlinearity="relu")
        super().__init__(convolution, nn.BatchNorm2d(out))

    def forward(self, maps: Tensor) -> Tensor:
        check_normalised(maps, self.training)
        return super().forward(maps.to(self[0].weight.dtype))


def check_normalised(values: Tensor, training: bool) -> None:
    """Raise InputError if BatchNorm in `training` would see one value per channel of `values` (B, C, ...)."""
    if training and values[:, 0].numel() == 1:
        raise InputError(
            "The connector's BatchNorm needs more than one value of each channel, got the shape "
            f"{tuple(values.shape)}; take batches of at least two images."
        )


def check_bridge(student: Tensor, teacher: Tensor, name: str) -> None:
    """Raise InputError if of two values called `name` one is a map (B, C, H, W) and the other a vector (B, C)."""
    if student.ndim != teacher.ndim:
        raise InputError(
            f"{name} of student and teacher must both be maps (batch, channels, height, width) or both vectors (batch, "
            f"features), got {tuple(student.shape)} and {tuple(teacher.shape)}; choose layers of one kind."
        )


def paired_layers(
    student_features: tuple[Tensor, ...], teacher_features: tuple[Tensor, ...]
) -> list[tuple[Tensor, Tensor]]:
    """Layer by layer the student's and the teacher's maps as from `checked_maps`; vectors (B, C) become (B, C, 1, 1).

    Raises InputError too if a vector stands beside a map.
    """
    for layer, pair in enumerate(zip(student_features, teacher_features, strict=False)):
        check_bridge(*pair, f"features[{layer}]")
    return checked_maps(
        tuple(_as_maps(each) for each in student_features), tuple(_as_maps(each) for each in teacher_features)
    )


def _as_maps(values: Tensor) -> Tensor:
    return values[:, :, None, None] if values.ndim == 2 else values
