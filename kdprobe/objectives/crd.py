"""Contrastive representation distillation, with its embeddings and memories."""

import math
from collections.abc import Mapping

import torch
from torch import Generator, Tensor, nn
from torch.nn.functional import softplus

from kdprobe.errors import InputError
from kdprobe.objectives.feature_maps import unit_rows
from kdprobe.objectives.inputs import check_range, is_number

_EPS = 1e-7  # of the released code


class Contrastive(nn.Module):
    """Tells an image's features in the other network from those of images of other classes (noise contrastive).

    Student and teacher each have an embedding (linear to `width`, then length 1) that learns, and a memory of the
    embeddings of all N training images. The student's embedding v of image i is the anchor for the teacher's memory
    m: with P_n = exp(v·m_n / temperature) / Z, and `negatives` = K images n drawn from the other classes, the loss is
    -log(P_i / (P_i + K/N + 1e-7)) - Σ_n log((K/N) / (P_n + K/N + 1e-7)); the same with the teacher's embedding as
    anchor for the student's memory is added. Z = N times the mean of exp(v·m / temperature) over the first batch's
    images and draws, then fixed. After each step in training mode the memory of the batch's images becomes
    momentum m + (1 - momentum) v, divided by its length.

    Draws are with replacement, from `generator`, the same whatever the device: so K may be larger than the number of
    images of other classes (an image is then drawn several times), and the loss counts every image as often as it was
    drawn. That is kept as a table (B, N): all N images are compared with each anchor.

    Parameters: the two embeddings. Buffers: both memories (N, width), uniform in ±√(3 / width) at first, log Z of both
    and the number of batches seen.

    Source: Tian, Krishnan, Isola, Contrastive Representation Distillation, ICLR 2020, and its released code
    (RepDistiller, mode "exact"), whose mean over a batch is the mean of the values here. It draws without replacement
    where there are K other images.
    """

    def __init__(
        self,
        example: Mapping[str, Tensor],
        width: int = 128,
        negatives: int = 16384,
        temperature: float = 0.07,
        momentum: float = 0.5,
    ) -> None:
        """example: the inputs of `forward` for a first batch; width, negatives: whole numbers from 1 on; temperature:
        > 0; momentum: 0 ... 1. Raises InputError if one is not, or if all training images are of one class."""
        super().__init__()
        _check_sizes(width, negatives)
        if not (is_number(temperature) and 0 < temperature < math.inf):
            raise InputError(f"The temperature must be above 0, got {temperature!r}; 0.07 is usual.")
        check_range("momentum", momentum, 0, 1)
        of_all = example["train_labels"]
        if of_all.ndim != 1 or not len(of_all) or int(of_all.min()) == int(of_all.max()):
            raise InputError(
                "Contrastive tells images of different classes apart, so train_labels must be (N,) with two classes "
                f"at least, got {len(of_all.unique())} in the shape {tuple(of_all.shape)}; "
                "take data of several classes."
            )
        self.negatives, self.temperature, self.momentum = negatives, temperature, momentum
        count, bound = len(of_all), math.sqrt(3 / width)
        self.student_embedding = nn.Linear(example["student_feature"][0].numel(), width)
        self.teacher_embedding = nn.Linear(example["teacher_feature"][0].numel(), width)
        self.register_buffer("student_memory", torch.empty(count, width).uniform_(-bound, bound))
        self.register_buffer("teacher_memory", torch.empty(count, width).uniform_(-bound, bound))
        self.register_buffer("log_z", torch.zeros(2))  # student's and teacher's anchors
        self.register_buffer("batches", torch.zeros((), dtype=torch.int64))
        self._z_is_known = False  # what `batches` says from the second batch on, without asking a GPU
        self.register_load_state_dict_post_hook(lambda own, _keys: setattr(own, "_z_is_known", False))

    def forward(
        self,
        student_feature: Tensor,
        teacher_feature: Tensor,
        indices: Tensor,
        labels: Tensor,
        train_labels: Tensor,
        generator: Generator,
    ) -> Tensor:
        """(B,), > 0, nats: the sum of both directions for each image.

        student_feature, teacher_feature: (B, ...), flattened; indices: (B,), each image's place among the N training
        images, none twice; labels: (B,) its class; train_labels: (N,) all classes; generator: for the draws. Half
        precision is computed in the embeddings' precision. In evaluation mode nothing is remembered. Raises InputError
        if the shapes do not fit those of the first batch.
        """
        self._check(student_feature, teacher_feature, indices, labels, train_labels)
        student = self._embedded(self.student_embedding, student_feature)
        teacher = self._embedded(self.teacher_embedding, teacher_feature)
        indices = indices.to(student.device)
        drawn = draws(labels, train_labels, self.negatives, generator).to(student)
        first, of_student = self._contrast(student, self.teacher_memory, self.log_z[0], indices, drawn)
        second, of_teacher = self._contrast(teacher, self.student_memory, self.log_z[1], indices, drawn)
        if self.training and len(student):
            self.student_memory = self._remembered(self.student_memory, indices, student)
            self.teacher_memory = self._remembered(self.teacher_memory, indices, teacher)
            self.log_z = torch.stack([first, second])
            self.batches = self.batches + 1
            self._z_is_known = True
        return of_student + of_teacher

    def _embedded(self, embedding: nn.Linear, feature: Tensor) -> Tensor:
        return unit_rows(embedding(feature.flatten(1).to(embedding.weight.dtype)))

    def _contrast(
        self, anchors: Tensor, memory: Tensor, log_z: Tensor, indices: Tensor, drawn: Tensor
    ) -> tuple[Tensor, Tensor]:
        """log Z, and the loss (B,) of `anchors` (B, width) against `memory`, computed from logarithms."""
        scores = anchors @ memory.mT / self.temperature
        own = (anchors * memory[indices]).sum(dim=1) / self.temperature
        if not self._z_is_known:
            log_z = torch.where(self.batches > 0, log_z, self._first_log_z(scores, own, drawn))
        noise = self.negatives / len(memory)
        level = math.log(noise + _EPS) + log_z
        of_negative = softplus(scores - level) + math.log1p(_EPS / noise)
        return log_z, softplus(level - own) + (drawn * of_negative).sum(dim=1)

    @torch.no_grad()
    def _first_log_z(self, scores: Tensor, own: Tensor, drawn: Tensor) -> Tensor:
        """log(N times the mean of exp(score) over each image's own and its draws)."""
        if not len(own):
            return own.new_zeros(())
        of_all = torch.cat([own.unsqueeze(1), scores + drawn.log()], dim=1).logsumexp(dim=(0, 1))
        return of_all + math.log(drawn.shape[1] / (len(own) * (self.negatives + 1)))

    @torch.no_grad()
    def _remembered(self, memory: Tensor, indices: Tensor, embedded: Tensor) -> Tensor:
        """A new memory: backward still needs the old one."""
        mixed = self.momentum * memory[indices] + (1 - self.momentum) * embedded
        return memory.index_copy(0, indices, unit_rows(mixed))

    def _check(
        self, student: Tensor, teacher: Tensor, indices: Tensor, labels: Tensor, of_all: Tensor
    ) -> None:
        if (
            not len(student) == len(teacher) == len(indices) == len(labels)
            or indices.ndim != 1
            or labels.ndim != 1
        ):
            raise InputError(
                "student_feature, teacher_feature, indices and labels must be of one batch, got the shapes "
                f"{tuple(student.shape)}, {tuple(teacher.shape)}, {tuple(indices.shape)} and {tuple(labels.shape)}; "
                "give both networks the same images."
            )
        if len(of_all) != len(self.student_memory):
            raise InputError(
                f"The memories are of {len(self.student_memory)} training images, got train_labels of {len(of_all)}; "
                "build Contrastive for these images."
            )

    @staticmethod
    def memory_bytes(
        inputs: Mapping[str, Tensor], batch_size: int, width: int = 128, negatives: int = 16384, **_: float
    ) -> int:
        """Bytes beside the networks: two memories, old and new during a step, the draws, and tables (B, N)."""
        _check_sizes(width, negatives)
        count = len(inputs["train_labels"])
        return 4 * 4 * count * width + 40 * batch_size * negatives + 4 * 10 * batch_size * count


def _check_sizes(width: int, negatives: int) -> None:
    for name, value in (("width", width), ("negatives", negatives)):
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise InputError(f"{name} must be a whole number from 1 on, got {value!r}.")


def draws(labels: Tensor, train_labels: Tensor, count: int, generator: Generator) -> Tensor:
    """(B, N): how often each training image is among `count` draws, with replacement, from the classes that are not
    that of the row's label."""
    of_all, order = train_labels.to(labels.device).long().sort(stable=True)
    labels = labels.long()
    start = torch.searchsorted(of_all, labels).unsqueeze(1)
    size = torch.searchsorted(of_all, labels, right=True).unsqueeze(1) - start
    chance = torch.rand(
        len(labels), count, generator=generator, dtype=torch.float64, device=generator.device
    ).to(of_all.device)
    place = (chance * (len(of_all) - size)).long()
    place = place + size * (place >= start)
    cell = order[place] + len(of_all) * torch.arange(len(labels), device=of_all.device).unsqueeze(1)
    table = torch.zeros(len(labels) * len(of_all), device=of_all.device)
    return table.scatter_add_(0, cell.flatten(), table.new_ones(cell.numel())).view(len(labels), len(of_all))
