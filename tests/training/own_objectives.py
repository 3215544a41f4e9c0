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


def _pooled(feature):
    """(B, C): the mean of each channel's map; a vector as it is."""
    return feature if feature.ndim == 2 else feature.flatten(2).mean(2)


class Regressors(nn.Module):
    """A 1 x 1 convolution for each of the student's features; maps are averaged before they are compared."""

    def __init__(self, example):
        super().__init__()
        pairs = zip(example["student_features"], example["teacher_features"], strict=True)
        self.maps = nn.ModuleList(nn.Linear(s.shape[1], t.shape[1]) for s, t in pairs)
        self.given = {name: [tuple(v.shape) for v in values] for name, values in example.items()}

    def forward(self, student_features, teacher_features):
        losses = [
            (regressor(_pooled(s)) - _pooled(t)).square().mean(1)
            for regressor, s, t in zip(self.maps, student_features, teacher_features, strict=True)
        ]
        return torch.stack(losses).sum(0)


class Memory(nn.Module):
    """Pulls a projection of each feature to what is remembered of its class; remembers the projections by image."""

    def __init__(self, example, momentum=0.5):
        super().__init__()
        self.momentum = momentum
        self.project = nn.Linear(example["student_feature"].flatten(1).shape[1], 3)
        self.register_buffer("bank", torch.zeros(len(example["train_labels"]), 3))
        self.register_buffer("times", torch.zeros(len(example["train_labels"]), dtype=torch.int64))

    def forward(self, student_feature, labels, indices, train_labels):
        own = self.project(student_feature.flatten(1))
        of_class = (train_labels[None] == labels[:, None]).float()
        means = of_class @ self.bank / of_class.sum(1, keepdim=True)
        if self.training:
            with torch.no_grad():
                self.bank[indices] = self.momentum * self.bank[indices] + (1 - self.momentum) * own
                self.times[indices] += 1
        assert torch.equal(train_labels[indices], labels)
        return (own - means).square().mean(1) + 0.1


def sharpness(student_input_gradient):
    """Squared length of the gradient by the image."""
    return student_input_gradient.flatten(1).square().sum(1)


def gradient_gap(student_input_gradient, teacher_input_gradient):
    """Squared distance of the two gradients by the image."""
    return (student_input_gradient - teacher_input_gradient).flatten(1).square().sum(1)


def feature_gap(student_features, teacher_features):
    """Mean squared distance of the channels' means, over all layers."""
    gaps = [
        (_pooled(s)[:, :3] - _pooled(t)[:, :3]).square().mean(1)
        for s, t in zip(student_features, teacher_features, strict=True)
    ]
    return torch.stack(gaps).sum(0)


def norm_gap(student_features, teacher_norms):
    """Squared distance of the channels' means from the teacher's biases."""
    gaps = [
        (_pooled(s)[:, :3] - norm[0, :3]).square().mean(1) + 0 * norm[1].sum()
        for s, norm in zip(student_features, teacher_norms, strict=True)
    ]
    return torch.stack(gaps).sum(0)
