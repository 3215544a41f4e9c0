import pytest
import torch
from oracles.entropy import recursion

from kdprobe.errors import ConfigError
from kdprobe.estimator import PROTOCOLS, Protocol, find_protocol
from kdprobe.estimator.descent import Descent, entropy_of, refresh_steps


def descend(protocol, energy, scale):
    descent = Descent(protocol, torch.tensor(scale, dtype=torch.float64), energy.shape[-1])
    while descent.active.any():
        descent.step(energy)
    return descent


@pytest.mark.parametrize("name", ["cheng2020", "cheng2020_resnet"])
@pytest.mark.parametrize("spread", [0.0, 0.5, 2.0, 6.0])
def test_against_plain_loops(name, spread):
    """Spread 6 drives cells into the clamp; the second image with its tiny scale needs (and misses with) more steps."""
    protocol = PROTOCOLS[name]
    generator = torch.Generator().manual_seed(int(spread * 10))
    energy = (spread * torch.randn(2, 4, 4, generator=generator, dtype=torch.float64)).exp()
    scale = [1e-4 * float(energy[0].sum()), 4e-5 * float(energy[1].sum())]
    descent = descend(protocol, energy, scale)
    for image in range(2):
        fixed = energy[image].tolist()
        expected = recursion(lambda _s, fixed=fixed: fixed, scale[image], 4, weight=protocol.entropy_weight)
        torch.testing.assert_close(
            entropy_of(descent.best_sigma[image]),
            torch.tensor(expected, dtype=torch.float64),
            rtol=0,
            atol=1e-12,
        )


def test_extra_steps_only_for_images_that_need_them():
    energy = torch.ones(2, 4, 4, dtype=torch.float64)
    descent = Descent(PROTOCOLS["cheng2020"], torch.tensor([16e-4, 16e-4 / 3], dtype=torch.float64), 4)
    for _ in range(60):
        descent.step(energy)
    assert descent.active.tolist() == [False, True]
    assert descent.reached.tolist() == [True, False]
    rested = descent.sigma[0].clone()
    while descent.active.any():
        descent.step(energy)
    assert descent.step_count == 80
    assert torch.equal(descent.sigma[0], rested)


def test_step_size_scales_with_the_number_of_cells():
    fine = descend(PROTOCOLS["cheng2020"], torch.ones(1, 16, 16, dtype=torch.float64), [256e-4])
    coarse = descend(PROTOCOLS["cheng2020"], torch.ones(1, 2, 2, dtype=torch.float64), [4e-4])
    torch.testing.assert_close(fine.best_sigma.mean(), coarse.best_sigma.mean())
    assert int(fine.best_step[0]) == int(coarse.best_step[0])


def test_variance_is_that_of_many_noisy_descents():
    protocol = PROTOCOLS["cheng2020"]
    generator = torch.Generator().manual_seed(0)
    energy = torch.randn(1, 3, 3, generator=generator, dtype=torch.float64).exp()
    scale, noise = torch.tensor([1e-4 * float(energy.sum())], dtype=torch.float64), 0.2
    followed = Descent(protocol, scale, 3)
    while followed.active.any():
        followed.step(energy, (noise * energy) ** 2)
    many = Descent(protocol, scale.expand(4000), 3)
    while many.active.any():
        draw = torch.randn(4000, 3, 3, generator=generator, dtype=torch.float64)
        many.step(energy * (1 + noise * draw))
    # the iterates compared are those of one fixed step, so that only the noise differs
    fixed = Descent(Protocol("fixed", steps=40, extra_steps=0, target_entropy=9.0), scale.expand(4000), 3)
    expected = Descent(Protocol("fixed", steps=40, extra_steps=0, target_entropy=9.0), scale, 3)
    while fixed.active.any():
        draw = torch.randn(4000, 3, 3, generator=generator, dtype=torch.float64)
        fixed.step(energy * (1 + noise * draw))
        expected.step(energy, (noise * energy) ** 2)
    ratio = fixed.sigma.var(0) / expected.variance[0]
    assert ((ratio > 0.85) & (ratio < 1.15)).all(), ratio


def test_refreshes_cover_the_way_to_the_target():
    steps = refresh_steps(PROTOCOLS["cheng2020"], 8)
    assert steps[0] == 0
    assert len(steps) == 8
    # Flat energies: the mean entropy passes -2.8 near step 40 at weight 7, near 55 at weight 6.
    assert 30 <= steps[-1] <= 40
    assert 44 <= refresh_steps(PROTOCOLS["cheng2020_resnet"], 8)[-1] <= 54


def test_unknown_protocol_and_impossible_fields():
    with pytest.raises(ConfigError, match="cheng2020"):
        find_protocol("cheng")
    with pytest.raises(ConfigError, match="sigma_min"):
        Protocol("mine", sigma_start=2.0)
    with pytest.raises(ConfigError, match="relu or none"):
        Protocol("mine", feature_activation="tanh")
