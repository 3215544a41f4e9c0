"""The entropy estimator in slow, plain form: loops, closed forms and brute force. Never imports kdprobe."""

import math

import torch


def cell_of(pixel: int, side: int, grid: int) -> int:
    """The cell of a pixel, as torch's nearest upsampling assigns it (asked of torch itself)."""
    cells = torch.arange(grid, dtype=torch.float32)[None, None]
    return int(torch.nn.functional.interpolate(cells, size=side, mode="nearest")[0, 0, pixel])


def recursion(
    energy_at, feature_scale: float, grid: int, weight=7.0, steps=60, extra=20, factor=1.5, target=-2.8
):
    """The protocol of the released code in plain Python: sigma as nested lists, one step after the other.

    `energy_at(sigma)` gives a_i. Returns the entropies of the iterate whose mean is nearest the target.
    """
    cells = grid * grid
    rate = 1e-4 * cells / 256
    sigma = [[0.01] * grid for _ in range(grid)]
    best, best_gap, passed = None, math.inf, False

    def entropies():
        return [[math.log(s) + 0.5 * math.log(2 * math.pi * math.e) for s in row] for row in sigma]

    for step in range(steps + extra + 1):
        current = entropies()
        mean = sum(map(sum, current)) / cells
        if abs(mean - target) < best_gap:
            best, best_gap = current, abs(mean - target)
        passed = passed or mean >= target
        if (step == steps and passed) or step == steps + extra:
            return best
        now = weight * factor if step >= steps else weight
        energy = energy_at(sigma)
        for i in range(grid):
            for j in range(grid):
                s = sigma[i][j]
                gradient = 2 * s * energy[i][j] / feature_scale - now / (cells * s)
                sigma[i][j] = min(max(s - rate * gradient, 0.001), 1.0)
    raise AssertionError("unreachable")


def distortion_recursion(energy, grid: int, weight=5.0, steps=100, target=1.5, start=0.01):
    """The recursion stopped by distortion, for linear f: V = sum_i a_i sigma_i², and sigma_f² is V at the start.

    Looks at the iterate before every step. Returns entropies and number of the one whose V / sigma_f² is nearest.
    """
    cells = grid * grid
    scale = start**2 * sum(map(sum, energy))
    sigma = [[start] * grid for _ in range(grid)]
    trail = []
    for _ in range(steps):
        value = sum(energy[i][j] * sigma[i][j] ** 2 for i in range(grid) for j in range(grid)) / scale
        trail.append((abs(value - target), [row[:] for row in sigma]))
        for i in range(grid):
            for j in range(grid):
                s = sigma[i][j]
                gradient = 2 * s * energy[i][j] / scale - weight / (cells * s)
                sigma[i][j] = min(max(s - 1e-4 * cells / 256 * gradient, 0.001), 1.0)
    best = min(range(steps), key=lambda number: trail[number][0])
    return [[math.log(s) + 0.5 * math.log(2 * math.pi * math.e) for s in row] for row in trail[best][1]], best


def loss(sigma, energy, feature_scale: float, weight: float) -> float:
    """The objective where V = sum_i a_i sigma_i², sigma and a as nested lists."""
    cells = len(sigma) * len(sigma[0])
    value = 0.0
    for row, energies in zip(sigma, energy, strict=True):
        for s, a in zip(row, energies, strict=True):
            value += a * s * s / feature_scale - weight / cells * (
                math.log(s) + 0.5 * math.log(2 * math.pi * math.e)
            )
    return value


def cell_sums(pixels: torch.Tensor, grid: int) -> torch.Tensor:
    """(C, H, W) -> (g, g), pixel by pixel."""
    _, height, width = pixels.shape
    sums = torch.zeros(grid, grid, dtype=torch.float64)
    for y in range(height):
        for x in range(width):
            sums[cell_of(y, height, grid), cell_of(x, width, grid)] += float(pixels[:, y, x].sum())
    return sums


def mean_product(gradients: list[torch.Tensor], grid: int) -> torch.Tensor:
    """Mean over all ordered pairs of different gradients (C, H, W) of their product, summed over each cell."""
    products = [
        cell_sums(one * other, grid)
        for i, one in enumerate(gradients)
        for j, other in enumerate(gradients)
        if i != j
    ]
    return torch.stack(products).mean(0)


def shift_energies(change, jacobians, offset, sigma) -> torch.Tensor:
    """Cross-fitted mean shift of one group of pairs, by loops: (g, g).

    change (2, P, D), jacobians (2, P, D, C, H, W), offset (2, P, C, H, W): at the points and at their partners. Every
    pair's E[J (sigma e)_i] meets the mean shift of all other pairs.
    """
    grid, pairs = len(sigma), change.shape[1]
    total = torch.zeros(grid, grid, dtype=torch.float64)
    for pair in range(pairs):
        others = [(change[0, k] + change[1, k]) / 2 for k in range(pairs) if k != pair]
        shift = sum(others) / len(others)
        for side in range(2):
            pulled = sum(m * column for m, column in zip(shift, jacobians[side, pair], strict=True))
            total += cell_sums(pulled * offset[side, pair], grid)
    return total / (2 * pairs) / sigma**2


def linear_energies(matrix: torch.Tensor, shape: tuple[int, int, int], grid: int) -> list[list[float]]:
    """a_i = sum of ‖J_p‖² over the pixels p of cell i and the channels, for f(x) = matrix @ x."""
    channels, height, width = shape
    columns = matrix.reshape(-1, channels, height, width)
    energy = [[0.0] * grid for _ in range(grid)]
    for y in range(height):
        for x in range(width):
            share = sum(float(columns[:, c, y, x].square().sum()) for c in range(channels))
            energy[cell_of(y, height, grid)][cell_of(x, width, grid)] += share
    return energy


def upsample(sigma: torch.Tensor, size) -> torch.Tensor:
    return torch.nn.functional.interpolate(sigma[None, None], size=size, mode="nearest")[0, 0]


def distortion(function, image: torch.Tensor, sigma: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
    """V(sigma) = E‖f(x + sigma e) - f(x)‖² over the given noise (S, C, H, W); sigma (g, g)."""
    pixels = upsample(sigma, image.shape[-2:])
    with torch.no_grad():
        return (function(image + pixels * noise) - function(image[None])).square().sum(1).mean()


def energies_by_differences(function, image, sigma, noise, step=0.02) -> torch.Tensor:
    """a_i = dV/dlog sigma_i / (2 sigma_i²) by central differences of V with common noise, cell by cell."""
    energy = torch.zeros_like(sigma)
    for i in range(sigma.shape[0]):
        for j in range(sigma.shape[1]):
            up, down = sigma.clone(), sigma.clone()
            up[i, j] *= math.exp(step)
            down[i, j] *= math.exp(-step)
            change = distortion(function, image, up, noise) - distortion(function, image, down, noise)
            energy[i, j] = change / (2 * step) / (2 * sigma[i, j] ** 2)
    return energy


def quadratic_energies(forms, image, sigma, step=1e-4):
    """a_i and the share of the mean shift in V, for f_k(x) = xᵀ A_k x with symmetric A_k (forms (D, n, n)).

    With S = diag(sigma_p²): V = sum_k 4 xᵀ A S A x + 2 tr(A S A S) + (tr A S)², the last being the mean shift; its
    derivative is taken by central differences of this closed form.
    """

    def value(cells):
        s = upsample(cells, image.shape[-2:]).expand(image.shape).reshape(-1) ** 2
        x = image.reshape(-1)
        linear = 4 * ((forms @ x) ** 2 * s).sum()
        square = 2 * (forms**2 * s[:, None] * s).sum()
        shift = ((torch.diagonal(forms, dim1=1, dim2=2) * s).sum(1) ** 2).sum()
        return linear + square + shift, shift

    energy = torch.zeros_like(sigma)
    for i in range(sigma.shape[0]):
        for j in range(sigma.shape[1]):
            up, down = sigma.clone(), sigma.clone()
            up[i, j] *= math.exp(step)
            down[i, j] *= math.exp(-step)
            energy[i, j] = (value(up)[0] - value(down)[0]) / (2 * step) / (2 * sigma[i, j] ** 2)
    total, shift = value(sigma)
    return energy, float(shift / total)


def published_procedure(
    function, image, grid, samples, generator, weight=7.0, steps=60, extra=20, factor=1.5, target=-2.8
):
    """The procedure as published, for one image, with torch's autograd on sigma itself."""
    clean = function(image[None]).detach()
    noise = torch.randn((samples, *image.shape), generator=generator, dtype=image.dtype)
    scale = (function(image + 0.01 * noise).detach() - clean).square().sum(1).mean()
    sigma = torch.full((grid, grid), 0.01, dtype=image.dtype, requires_grad=True)
    rate = 1e-4 * grid * grid / 256
    best, best_gap, passed = None, math.inf, False
    for step in range(steps + extra + 1):
        entropy = sigma.log() + 0.5 * math.log(2 * math.pi * math.e)
        gap = abs(float(entropy.detach().mean()) - target)
        if gap < best_gap:
            best, best_gap = entropy.detach().clone(), gap
        passed = passed or float(entropy.detach().mean()) >= target
        if (step == steps and passed) or step == steps + extra:
            return best
        noise = torch.randn((samples, *image.shape), generator=generator, dtype=image.dtype)
        noisy = function(image + upsample(sigma, image.shape[-2:]) * noise)
        now = weight * factor if step >= steps else weight
        loss = (noisy - clean).square().sum(1).mean() / scale - now * entropy.mean()
        (gradient,) = torch.autograd.grad(loss, sigma)
        with torch.no_grad():
            sigma -= rate * gradient
            sigma.clamp_(0.001, 1.0)
    raise AssertionError("unreachable")
