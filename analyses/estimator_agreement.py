"""How well the solvers agree with the published procedure on trained networks, and what they cost.

    python -m analyses.estimator_agreement runs/tiny:baseline:6:fc1 runs/tiny:baseline:1:fc1 \\
        --images 4 --seeds 2 --work runs/agreement --out analyses/results/estimator_agreement

A case is EXPERIMENT:NETWORK:EPOCH:LAYER of a finished `kdprobe run`. Every estimate is kept under --work and never
done twice; a stopped analysis goes on where it was. Maps are held against single runs of `sgd`, and these against each
other: pearson (correlation of the entropies), nats (mean |difference| of H_i - mean H), rms, iou (concept sets, margin
0.2, baseline entropy of each image), n_fg and n_bg (mean error), n_fg_abs and n_bg_abs (mean |error|); work is passes
an image (forward 1, backward 1, all counted), times_less_work that of `sgd` over it. `pairs` is the number of pairs
compared. Times are for `benchmark_estimator.py`.
"""

import argparse
import itertools
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from analyses.pool_seeds import write_table
from kdprobe.estimator import Decomposed, EntropyEstimator, Jacobian, Pathwise, Sgd
from kdprobe.experiment import read_config
from kdprobe.experiment.members import members
from kdprobe.experiment.setup import build, load_material
from kdprobe.metrics import concept_cells
from kdprobe.records import EntropyResult
from kdprobe.storage import EntropyStore, load_state

MARGIN = 0.2
#: a tolerance that no image reaches: the number of rounds is then that given
_NEVER = 1e-9
SOLVERS = {
    "decomposed": Decomposed(),
    **{f"decomposed {k} rounds": Decomposed(tolerance=_NEVER, max_rounds=k) for k in (1, 2, 4, 8)},
    "pathwise 1024": Pathwise(),
    "jacobian": Jacobian(),
}


class Case(NamedTuple):
    folder: Path
    network: str
    epoch: int
    layer: str

    @property
    def label(self) -> str:
        return f"{self.folder.name} {self.network} epoch {self.epoch} {self.layer}"


def parse_case(text: str) -> Case:
    folder, network, epoch, layer = text.rsplit(":", 3)
    return Case(Path(folder), network, int(epoch), layer)


def load_case(case: Case):
    """The network with its weights of that epoch, and the probe of its experiment."""
    config = read_config(case.folder)
    material = load_material(config)
    member = next(m for m in members(config, case.folder) if m.name == case.network)
    snapshot = next(s for s in member.store.list() if s.epoch == case.epoch)
    model = build(config, material, member.role)
    load_state(model, member.store.load(snapshot), source=str(snapshot.path))
    return model, material.probe, snapshot.digest


def estimates(
    case: Case, model, probe, digest: str, solver, seed: int, images: int, work: Path
) -> list[EntropyResult]:
    """One result for each image, from --work where it is there."""
    record = solver.as_dict()
    budget = "_".join(f"{value}" for value in record.values()).replace("/", "")
    store = EntropyStore(work / f"{case.folder.name}-{case.network}-{digest[:12]}-{case.layer}" / budget)
    grid = probe.foreground_cells.shape[-1]
    estimator = EntropyEstimator(model, case.layer, solver=solver, grid=grid, seed=seed)
    name = f"seed-{seed}"
    for index in range(images):
        if store.has(name, index):
            continue
        store.save(name, index, estimator.estimate(probe.images[index : index + 1]), (probe.ids[index],))
    found = store.load(name)[0]
    shards = found.stats.get("shards", [found.stats])
    return [
        EntropyResult(found.entropy[i : i + 1], found.std_error[i : i + 1], (found.outcome[i],), shards[i])
        for i in range(images)
    ]


def compare(found: EntropyResult, yardstick: EntropyResult, foreground: torch.Tensor) -> dict[str, float]:
    """Two maps of one image (1, g, g)."""
    one, other = found.entropy, yardstick.entropy
    off = (one - one.mean()) - (other - other.mean())
    concepts = [concept_cells(entropy, foreground, MARGIN, "image") for entropy in (one, other)]
    union = (concepts[0] | concepts[1]).sum()
    counts = [[(c & part).sum().item() for part in (foreground, ~foreground)] for c in concepts]
    return {
        "pearson": torch.corrcoef(torch.stack([one.flatten(), other.flatten()]))[0, 1].item(),
        "nats": off.abs().mean().item(),
        "rms": off.square().mean().item(),
        "iou": ((concepts[0] & concepts[1]).sum() / union).item() if union else 1.0,
        "n_fg": counts[0][0] - counts[1][0],
        "n_bg": counts[0][1] - counts[1][1],
        "n_fg_abs": abs(counts[0][0] - counts[1][0]),
        "n_bg_abs": abs(counts[0][1] - counts[1][1]),
    }


def work_of(results: list[EntropyResult]) -> float:
    """Passes an image; those of looking at the network (up to 6, once a call) are counted."""
    return float(np.mean([r.stats["work_forward"] + r.stats["work_backward"] for r in results]))


def rows_of(case: Case, images: int, seeds: int, work: Path) -> list[dict]:
    model, probe, digest = load_case(case)
    foreground = probe.foreground_cells[:images]

    def run(solver, seed: int) -> list[EntropyResult]:
        return estimates(case, model, probe, digest, solver, seed, images, work)

    yardsticks = [run(Sgd(), 1000 + seed) for seed in range(seeds)]
    work_of_sgd = np.mean([work_of(results) for results in yardsticks])
    rows = []

    def add(name: str, pairs: list[dict], results: list[EntropyResult]) -> None:
        passes = work_of(results)
        means = {key: float(np.mean([pair[key] for pair in pairs])) for key in pairs[0]}
        means["rms"] = means["rms"] ** 0.5
        rows.append(
            {"case": case.label, "solver": name, "images": images, "pairs": len(pairs), **means}
            | {
                "std_error": float(np.mean([r.std_error.mean().item() for r in results])),
                "work": passes,
                "times_less_work": float(work_of_sgd / passes),
            }
        )

    between = [
        compare(one[i], other[i], foreground[i : i + 1])
        for one, other in itertools.combinations(yardsticks, 2)
        for i in range(images)
    ]
    add("sgd", between, yardsticks[0])
    for name, solver in SOLVERS.items():
        found = run(solver, 0)
        pairs = [compare(found[i], y[i], foreground[i : i + 1]) for y in yardsticks for i in range(images)]
        add(name, pairs, found)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("cases", nargs="+", type=parse_case, help="EXPERIMENT:NETWORK:EPOCH:LAYER")
    parser.add_argument("--images", type=int, default=4, help="probe images of each case")
    parser.add_argument("--seeds", type=int, default=2, help="runs of the published procedure, at least 2")
    parser.add_argument("--work", type=Path, required=True, help="folder in which estimates are kept")
    parser.add_argument("--out", type=Path, required=True, help="stem of the table")
    options = parser.parse_args()
    if options.seeds < 2:
        parser.error("--seeds must be at least 2, so that the published procedure can be held against itself")
    torch.set_num_threads(1)
    rows = []
    for case in options.cases:
        rows += rows_of(case, options.images, options.seeds, options.work)
        for row in rows:
            if row["case"] == case.label:
                print(
                    f"{row['case']:40s} {row['solver']:20s} pearson {row['pearson']:.4f} iou {row['iou']:.3f} "
                    f"nats {row['nats']:.4f} rms {row['rms']:.4f} n_fg {row['n_fg']:+.2f} n_bg {row['n_bg']:+.2f} "
                    f"work {row['work']:.0f} (1/{row['times_less_work']:.1f})",
                    flush=True,
                )
        write_table(Path(f"{options.out}.csv"), rows)


if __name__ == "__main__":
    main()
