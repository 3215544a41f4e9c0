"""A user's own objectives, one of them with parameters."""

import torch
from torch import nn


class Hint(nn.Module):
    """A linear map of the student's feature is to be the teacher's; `frozen`: the map stays as it is."""

    def __init__(self, example, frozen=False):
        super().__init__()
        student, teacher = (
            example[name].flatten(1).shape[1] for name in ("student_feature", "teacher_feature")
        )
        self.map = nn.Linear(student, teacher)
        self.drop = nn.Dropout(0.5)
        self.map.requires_grad_(not frozen)
        self.given = sorted(example)
        self.rows = len(example["student_feature"])

    def forward(self, student_feature, teacher_feature):
        return (self.map(self.drop(student_feature.flatten(1))) - teacher_feature.flatten(1)).square().mean(1)


class Scaled(nn.Module):
    """Cross-entropy of logits times a number that learns."""

    def __init__(self, example):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, student_logits, labels):
        return nn.functional.cross_entropy(self.scale * student_logits, labels, reduction="none")


def noisy(student_logits, generator):
    noise = torch.rand(student_logits.shape, generator=generator)
    return (student_logits - noise).square().mean(1)


def against_partner(student_logits, partner_logits):
    return (student_logits - partner_logits).square().mean(1)
