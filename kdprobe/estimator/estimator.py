"""The estimator: images in, entropy maps with standard errors out."""

import torch
from torch import Tensor, nn
from tqdm import tqdm

from kdprobe.errors import ConfigError, InputError
from kdprobe.estimator.arithmetic import suited
from kdprobe.estimator.cells import CellGrid
from kdprobe.estimator.descent import entropy_of
from kdprobe.estimator.feature import Feature, batch_size, resolve_batch_size
from kdprobe.estimator.protocols import Protocol, find_protocol
from kdprobe.estimator.solvers import Problem, Solution, Solver, find_solver
from kdprobe.estimator.taps import layer_path, measuring
from kdprobe.records import EntropyResult, Outcome

#: Passes whose inputs are held together: what follows a pass is done for all their images at once.
_BLOCK = 4


class EntropyEstimator:
    """How much information of every cell of an image a layer discards, in nats.

    sigma_i is the Gaussian input noise that the layer tolerates in cell i, H_i = log sigma_i + ½ log(2 pi e)
    (Cheng et al., CVPR 2020, section 3.1). Low H: the layer keeps that cell's information.

    Parameters
    ----------
    model: any module that maps (B, C, H, W) to anything; it comes back as it was.
    layer: a name in ``model.taps`` or a dotted module path. The layer's value is taken before whatever follows
        it; the protocol's `feature_activation` is applied to it.
    protocol: a name in `PROTOCOLS` or a `Protocol`: which sigma is reported.
    solver: a name in `SOLVERS` or a solver record: how it is found.
    grid: cells along each side, 1 to the image's smaller side.
    internal_batch_size: rows of one pass through the network, which bounds the memory; "auto" (or None) finds it from
        the model and the image size. Where memory runs out it is halved, and the stats say what it was in the end.
    seed: the noise of an image derives from this seed and the image's own bytes, so the same image meets the
        same noise in every network and at every epoch.

    Departures from the released code: `grid` and the learning rate scale together (rate x cells / 256), the weights are
    frozen, and sigma is never aliased.
    """

    def __init__(
        self,
        model: nn.Module,
        layer: str,
        *,
        protocol: str | Protocol = "cheng2020",
        solver: str | Solver = "decomposed",
        grid: int = 16,
        internal_batch_size: int | str | None = "auto",
        seed: int = 0,
    ) -> None:
        if grid < 1:
            raise InputError(f"grid must be at least 1 cell a side, got {grid}.")
        self.model = model
        self.layer = layer
        self.path = layer_path(model, layer)
        self.protocol = find_protocol(protocol)
        self.solver = find_solver(solver)
        if self.protocol.report not in self.solver.reports:
            raise ConfigError(
                f"The solver {self.solver.as_dict()['name']} cannot follow the protocol {self.protocol.name!r}, which "
                "reports the stationary point; choose decomposed, pathwise or jacobian."
            )
        self.grid = grid
        self.internal_batch_size = batch_size(internal_batch_size)
        self.seed = seed

    def estimate(self, images: Tensor, show_progress: bool = False) -> EntropyResult:
        """Entropy maps of `images` (N, C, H, W), normalised as the model expects them.

        Returns an `EntropyResult` with tensors on the CPU: entropy (N, g, g) in nats, its standard error and noise, one
        `Outcome` per image, and the protocol, solver, work and diagnostics. Where an outcome is not usable maps
        are NaN. Raises InputError for images of the wrong shape and LayerError for a layer that cannot be measured.
        """
        self._check(images)
        with measuring(self.model):
            images = suited(images, self.model)
            rows = resolve_batch_size(self.model, self.layer, images[:1])
            feature = Feature(
                self.model, self.layer, self.protocol.feature_activation, self.internal_batch_size or rows
            )
            feature.work.forward += 1  # the pass of resolve_batch_size
            feature.prepare(images[:1])
            return self._estimate(images, feature, show_progress)

    def _check(self, images: Tensor) -> None:
        if images.ndim != 4 or len(images) == 0 or not images.is_floating_point():
            raise InputError(
                "Expected images as a floating-point tensor (N, C, H, W) with N >= 1, got "
                f"{images.dtype} {tuple(images.shape)}; add the batch dimension or convert."
            )
        if self.grid > min(images.shape[-2:]):
            raise InputError(
                f"A grid of {self.grid} cells does not fit images of {images.shape[-2]} x {images.shape[-1]} pixels; "
                "choose a smaller grid."
            )

    def _estimate(self, images: Tensor, feature: Feature, show_progress: bool) -> EntropyResult:
        count = len(images)
        shape = (count, self.grid, self.grid)
        entropy = torch.full(shape, torch.nan, dtype=torch.float64)
        std_error = torch.full(shape, torch.nan, dtype=torch.float64)
        noise: Tensor | None = None
        scale = torch.full((count,), torch.nan, dtype=torch.float64)
        step = torch.zeros(count, dtype=torch.int64)
        diagnostics: dict[str, Tensor] = {}
        outcome = [Outcome.NON_FINITE_INPUT] * count
        cells = CellGrid(self.grid, *images.shape[-2:], device=images.device, dtype=images.dtype)
        finite = images.isfinite().flatten(1).all(1).nonzero().flatten()
        at_once = max(1, _BLOCK * feature.internal_batch_size // self.solver.samples_at_once(self.protocol))
        bar = tqdm(
            total=count, desc="entropy", unit="image", disable=None if show_progress else True, leave=False
        )
        with bar:
            bar.update(count - len(finite))
            for block in finite.split(at_once) if len(finite) else ():
                clean = feature(images[block])
                problem = Problem(feature, images[block], clean, cells, self.protocol, self.seed)
                solution = self.solver.solve(problem)
                block = block.cpu()
                entropy[block] = entropy_of(solution.sigma)
                std_error[block] = solution.std_error
                if noise is None:
                    noise = torch.full((count, *solution.noise.shape[1:]), torch.nan, dtype=torch.float32)
                noise[block] = solution.noise.float()
                scale[block] = solution.feature_scale
                step[block] = solution.step
                clamped = _clamped(solution.sigma, self.protocol)
                for name, values in {"clamped": clamped, **solution.diagnostics}.items():
                    diagnostics.setdefault(name, torch.full_like(scale, torch.nan))[block] = values
                for row, how in zip(block.tolist(), _outcomes(solution), strict=True):
                    outcome[row] = how
                bar.update(len(block))
        unusable = torch.tensor([not how.usable for how in outcome])
        entropy[unusable] = torch.nan
        std_error[unusable] = torch.nan
        if noise is None:
            noise = torch.full((count, 1, self.grid, self.grid), torch.nan, dtype=torch.float32)
        noise[unusable] = torch.nan
        stats = {
            "layer": self.layer,
            "layer_path": self.path,
            "protocol": self.protocol.as_dict(),
            "solver": self.solver.as_dict(),
            "grid": self.grid,
            "seed": self.seed,
            "internal_batch_size": feature.internal_batch_size,
            "feature_scale": scale.tolist(),
            "reported_step": step.tolist(),
            **{name: values.tolist() for name, values in diagnostics.items()},
            "work_forward": feature.work.forward,
            "work_backward": feature.work.backward,
        }
        return EntropyResult(entropy, std_error, tuple(outcome), stats, noise)


def _clamped(sigma: Tensor, protocol: Protocol) -> Tensor:
    """(B,): how many cells of the reported sigma (B, g, g) sit at a clamp."""
    at_clamp = (sigma <= protocol.sigma_min) | (sigma >= protocol.sigma_max)
    return at_clamp.sum((1, 2)).double()


def _outcomes(solution: Solution) -> list[Outcome]:
    finite = solution.feature_scale.isfinite() & solution.sigma.isfinite().flatten(1).all(1)
    outcomes = []
    for ok, scale, reached in zip(
        finite.tolist(), solution.feature_scale.tolist(), solution.reached.tolist(), strict=True
    ):
        if scale == 0:
            outcomes.append(Outcome.DEGENERATE_FEATURE)
        elif not ok:
            outcomes.append(Outcome.NON_FINITE_ACTIVATION)
        else:
            outcomes.append(Outcome.OK if reached else Outcome.TARGET_NOT_REACHED)
    return outcomes
