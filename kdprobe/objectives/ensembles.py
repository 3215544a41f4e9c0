"""Several networks' logits as one target."""

import math

import torch
from torch import Tensor

from kdprobe.errors import InputError
from kdprobe.objectives.cross_entropy import cross_entropy
from kdprobe.objectives.inputs import at_least_float32, check_labels
from kdprobe.objectives.simplex import best_mixture, without_label

KDCL = ("naive", "linear", "min_logit", "general")


def mean_logits(logits: Tensor) -> Tensor:
    """Mean of the networks' logits: softmax of it is the renormalised geometric mean of their probabilities.

    logits: (K, B, C) of K ≥ 1 networks. Returns (B, C); half precision is computed in float32. Raises InputError
    if the shape cannot be used.
    """
    return _checked(logits).mean(dim=0)


def mean_probabilities(logits: Tensor) -> Tensor:
    """Logarithm of the arithmetic mean of the networks' probabilities, taken at temperature 1.

    logits: (K, B, C) of K ≥ 1 networks. Returns (B, C), log probabilities: logits of a target that another
    temperature may soften further; half precision is computed in float32. Raises InputError if the shape cannot be
    used.

    Source: Hinton, Vinyals, Dean, arXiv 1503.02531, which names both means for the soft targets of an ensemble.
    """
    logits = _checked(logits)
    return torch.log_softmax(logits, dim=2).logsumexp(dim=0) - math.log(len(logits))


def kdcl_target(logits: Tensor, labels: Tensor, how: str, weights: Tensor | None = None) -> Tensor:
    """The logits that networks trained together (KDCL) all learn from. No gradient goes through.

    logits: (K, B, C) of K ≥ 1 networks; labels: (B,) integers in 0 ... C-1. Returns (B, C), for each image,
    with how "naive": the logits of the network with the smallest cross-entropy, the first of equals;
    "linear": the convex combination Σ w_k z_k with the smallest cross-entropy, never larger than naive's;
    "min_logit": per class the smallest of the networks' z_c - z_label, so that the label stands at 0; its
    cross-entropy is never larger than naive's;
    "general": Σ w_k z_k, with one set of `weights` (K,) for all images, from `general_weights`, or, as long as
    there are none, the mean.
    Half precision is computed in float32. Raises InputError if shapes, labels, `how` or `weights` do not fit.

    Source: Guo et al., Online Knowledge Distillation via Collaborative Learning, CVPR 2020 (KDCL), section 3,
    from memory: the equations could not be checked against its text.
    """
    logits = _checked(logits).detach()
    check_labels(labels, logits[0])
    if how not in KDCL:
        raise InputError(f"how must be one of {', '.join(KDCL)}, got {how!r}.")
    if weights is not None and how != "general":
        raise InputError(f"Only how='general' takes weights, got them with {how!r}; leave them out.")
    if how == "general":
        return mean_logits(logits) if weights is None else _mixed(logits, weights)
    if how == "linear":
        return torch.einsum("bk,kbc->bc", best_mixture(logits, labels).to(logits.dtype), logits)
    if how == "min_logit":
        return without_label(logits, labels).amin(dim=0)
    losses = torch.stack([cross_entropy(network, labels) for network in logits])
    return logits[losses.argmin(dim=0), torch.arange(logits.shape[1], device=logits.device)]


def error_correlation(logits: Tensor, labels: Tensor) -> Tensor:
    """(K, K), float64: the mean over the images of <p_k - y, p_l - y>, y being the label's one-hot vector.

    logits: (K, B, C) of K ≥ 1 networks; labels: (B,) integers in 0 ... C-1, B ≥ 1. The matrix of several batches
    is their mean weighted with B. Raises InputError if shapes or labels do not fit.
    """
    logits = _checked(logits).detach().double()
    check_labels(labels, logits[0])
    if not logits.shape[1]:
        raise InputError("error_correlation needs at least one image, got none.")
    true = labels.unsqueeze(1) == torch.arange(logits.shape[2], device=logits.device)
    errors = torch.softmax(logits, dim=2) - true.to(logits.dtype)
    return torch.einsum("kbc,lbc->kl", errors, errors) / logits.shape[1]


def general_weights(correlation: Tensor) -> Tensor:
    """(K,), float64, sum 1: the w that make wᵀ C w smallest, which is the squared error of the averaged networks.

    correlation: (K, K), from `error_correlation` on images that the networks do not learn from. Returns
    C⁻¹ 1 / (1ᵀ C⁻¹ 1); weights may be negative. Where C has no inverse (networks that err alike, or never) the
    shortest of all best w. Raises InputError if the shape is not square.

    Source: KDCL, as for `kdcl_target`, which takes it from Zhou, Wu, Tang, Ensembling Neural Networks, 2002.
    """
    if correlation.ndim != 2 or correlation.shape[0] != correlation.shape[1] or not len(correlation):
        raise InputError(
            f"correlation must have the shape (networks, networks), got {tuple(correlation.shape)}."
        )
    correlation, count = correlation.double(), len(correlation)
    # w = 1/K + P v, the columns of P spanning Σ w = 0: then v is free, and a pseudo-inverse picks the shortest
    uniform = torch.full_like(correlation[0], 1 / count)
    plane = torch.linalg.svd(torch.ones_like(correlation[:1])).Vh[1:].T
    floor = 1e-12 * float(correlation.diagonal().max())
    inverse = torch.linalg.pinv(plane.T @ correlation @ plane, atol=floor, rtol=0.0, hermitian=True)
    return uniform - plane @ (inverse @ (plane.T @ (correlation @ uniform)))


def _checked(logits: Tensor) -> Tensor:
    if logits.ndim != 3 or not len(logits):
        raise InputError(
            f"logits must have the shape (networks, batch, classes) with at least one network, got "
            f"{tuple(logits.shape)}."
        )
    return at_least_float32(logits)


def _mixed(logits: Tensor, weights: Tensor) -> Tensor:
    if weights.shape != logits.shape[:1]:
        raise InputError(
            f"weights must be {len(logits)} numbers, one per network, got the shape {tuple(weights.shape)}."
        )
    return torch.einsum("k,kbc->bc", weights.to(logits), logits)
