"""Are the standard errors honest? Many estimates with different seeds."""

import dataclasses

import pytest
import torch
from torch import nn

from kdprobe.estimator import PROTOCOLS, Decomposed, EntropyEstimator, Jacobian, Pathwise, Sgd


def net(features):
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 6, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(6, 6, 3, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(96, features),
    ).double()


#: solver, protocol, features, repetitions, Student's t for 95 % with the error's degrees of freedom
CASES = {
    "decomposed": (Decomposed(tolerance=None), "cheng2020", 60, 120, 2.2),
    "decomposed_converged": (Decomposed(tolerance=None), "converged", 60, 120, 2.2),
    "decomposed_distortion": (Decomposed(tolerance=None), "fixed_distortion", 100, 120, 2.2),
    "pathwise": (Pathwise(pairs=32, scale_samples=32), "cheng2020", 20, 100, 2.13),
    "jacobian": (Jacobian(probes=16), "cheng2020", 100, 120, 2.13),
    "sgd": (Sgd(), "cheng2020", 20, 100, 2.13),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_the_standard_error_is_the_spread_over_seeds(case):
    """Of the contrast, within 15 % on average over the cells; 95 % intervals hold the long-run mean as often."""
    solver, name, features, times, quantile = CASES[case]
    protocol = dataclasses.replace(PROTOCOLS[name], samples_per_step=16, steps=60, feature_activation="none")
    model = net(features)
    image = torch.randn(1, 3, 8, 8, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    runs = [
        EntropyEstimator(
            model, "6", protocol=protocol, solver=solver, grid=4, seed=seed, internal_batch_size=256
        ).estimate(image)
        for seed in range(times)
    ]
    entropy = torch.stack([run.entropy[0] for run in runs])
    claimed = torch.stack([run.std_error[0] for run in runs])
    contrast = entropy - entropy.mean((1, 2), keepdim=True)
    ratio = claimed.square().mean(0).sqrt() / contrast.std(0)
    assert 0.85 < ratio.mean() < 1.15, ratio
    held = ((contrast - contrast.mean(0)).abs() < quantile * claimed).double().mean()
    assert 0.90 < held < 0.985, held
    print(case, float(ratio.mean()), float(ratio.min()), float(ratio.max()), float(held))
