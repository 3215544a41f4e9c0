"""Whether the estimator's error bars hold what they say, on trained networks.

    python -m analyses.estimator_coverage runs/tiny:baseline:6:fc1 --images 3 --repeats 200 \\
        --out analyses/results/estimator_coverage

Every image is measured `--repeats` times with `decomposed`, seed after seed; their mean is its own long-run map.
Columns: cell_coverage, the share of cells and repeats whose entropy +- 1.96 standard errors holds that of the long-run
map (relative to the image's mean); n_fg_coverage and n_bg_coverage, the share of repeats whose 95 % interval from
estimation noise alone (`count_interval`, baseline entropy of each image) holds the long-run map's count; error_ratio,
standard error over the standard deviation of the repeats, root mean squares; bias_*, the long-run map less the mean of
`--pathwise` runs of the unbiased solver, and bias_noise, what bias_rms would be without bias.
"""

import argparse
from pathlib import Path

import torch

from analyses.estimator_agreement import MARGIN, Case, load_case, parse_case
from analyses.pool_seeds import write_table
from kdprobe.estimator import Decomposed, EntropyEstimator, Pathwise
from kdprobe.metrics import concept_cells, count_concepts, count_interval


def contrasts(case: Case, model, images: torch.Tensor, grid: int, solver, seeds: range):
    """(repeats, N, g, g) entropies relative to the image's mean and their errors, (repeats, N, R, g, g) the noise."""
    found = [
        EntropyEstimator(model, case.layer, solver=solver, grid=grid, seed=seed).estimate(images)
        for seed in seeds
    ]
    entropy, std_error, noise = (
        torch.stack([getattr(r, n) for r in found]) for n in ("entropy", "std_error", "noise")
    )
    return entropy - entropy.mean((2, 3), keepdim=True), std_error, noise


def row_of(case: Case, images: int, repeats: int, pathwise: int, tolerance: float | None) -> dict:
    model, probe, _ = load_case(case)
    batch, foreground = probe.images[:images], probe.foreground_cells[:images]
    solver = Decomposed(tolerance=tolerance)
    entropy, std_error, noise = contrasts(case, model, batch, foreground.shape[-1], solver, range(repeats))
    truth = entropy.mean(0)

    def counts(maps: torch.Tensor) -> torch.Tensor:
        return torch.stack(count_concepts(concept_cells(maps, foreground, MARGIN, "image"), foreground))

    held = []
    for k in range(repeats):
        intervals = count_interval(
            entropy[k], None, foreground, noise=noise[k], margin=MARGIN, scope="image", redraws=400, seed=k
        )
        held.append(
            torch.stack(
                [(i.low <= c) & (c <= i.high) for i, c in zip(intervals.values(), counts(truth), strict=True)]
            )
        )
    covered = torch.stack(held).double().mean((0, 2))
    unbiased, _, _ = contrasts(
        case, model, batch, foreground.shape[-1], Pathwise(), range(5000, 5000 + pathwise)
    )
    off = truth - unbiased.mean(0)
    expected = (unbiased.var(0) / pathwise + entropy.var(0) / repeats).mean().sqrt()
    by_count = (counts(truth) - counts(unbiased.mean(0))).double().mean(1)
    return {
        "case": case.label,
        "images": images,
        "repeats": repeats,
        "cell_coverage": ((entropy - truth).abs() <= 1.96 * std_error).double().mean().item(),
        "n_fg_coverage": covered[0].item(),
        "n_bg_coverage": covered[1].item(),
        "error_ratio": (std_error.square().mean() / entropy.var(0).mean()).sqrt().item(),
        "std_error": std_error.mean().item(),
        "bias_rms": off.square().mean().sqrt().item(),
        "bias_noise": expected.item(),
        "bias_n_fg": by_count[0].item(),
        "bias_n_bg": by_count[1].item(),
        "pathwise_runs": pathwise,
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("cases", nargs="+", type=parse_case, help="EXPERIMENT:NETWORK:EPOCH:LAYER")
    parser.add_argument("--images", type=int, default=3)
    parser.add_argument("--repeats", type=int, default=200)
    parser.add_argument("--pathwise", type=int, default=20, help="runs of the unbiased solver")
    parser.add_argument(
        "--one-round", action="store_true", help="no tolerance, a single round for every image"
    )
    parser.add_argument("--out", type=Path, required=True, help="stem of the table")
    options = parser.parse_args()
    torch.set_num_threads(1)
    tolerance = None if options.one_round else Decomposed().tolerance
    rows = []
    for case in options.cases:
        rows.append(row_of(case, options.images, options.repeats, options.pathwise, tolerance))
        print({k: round(v, 4) if isinstance(v, float) else v for k, v in rows[-1].items()}, flush=True)
        write_table(Path(f"{options.out}.csv"), rows)


if __name__ == "__main__":
    main()
