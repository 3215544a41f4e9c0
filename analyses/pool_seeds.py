"""Student against baseline over several seeds of one experiment: each seed, and all of them together.

    python analyses/pool_seeds.py runs/tiny-0 runs/tiny-1 runs/tiny-2 --out analyses/results/tiny_imagenet

Writes OUT_seeds.csv (one row per seed, student and metric) and OUT_pooled.csv (one row per student and metric): the
mean of the seeds' differences with two 95 % intervals. "images" resamples images within each seed and says how sure
the mean over *these* runs is; "nested" resamples the seeds as well (Davison and Hinkley 1997, section 3.8) and is what
speaks of a new seed, as far as three seeds can: resampling k seeds shows only (k - 1) / k of their variance, so it is
widened by sqrt(k / (k - 1)) about the mean. The verdict is that of the nested interval.
"""

import argparse
from pathlib import Path

import numpy as np

from kdprobe.analysis import common_images, network_values
from kdprobe.experiment import read_config
from kdprobe.experiment.counting import count_settings
from kdprobe.experiment.measuring import measurable, measured, with_noise
from kdprobe.experiment.members import members
from kdprobe.experiment.setup import load_material
from kdprobe.experiment.unmeasured import measured_members
from kdprobe.metrics import METRICS, verdict
from kdprobe.records import Interval
from kdprobe.storage import read_json, write_atomically

STATISTICS = {"mean": np.mean, "std": np.std, "var": np.var}
RESAMPLES = 4000


def per_image_values(folder: Path) -> dict[str, dict[str, np.ndarray]]:
    """Network -> metric -> (N,) values of the images usable in all networks."""
    config = read_config(folder)
    material = load_material(config)
    everyone = measured_members(config, material, members(config, folder))
    found = [measurable(config, material, member) for member in everyone]
    whole = {m.member.name: measured(config, m, noise=False) for m in found}
    usable = common_images(whole)
    foreground = material.probe.foreground_cells[usable]
    return {
        m.member.name: {
            metric: values.numpy()
            for metric, values in network_values(
                m.member.name,
                with_noise(m, whole[m.member.name], usable),
                foreground,
                count_settings(config),
            ).values.items()
        }
        for m in found
    }


def differences(
    pairs: list[np.ndarray], statistic, generator: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Student - baseline of every seed, (k,), and the same for resampled images, (RESAMPLES, k); pairs are (2, n)."""
    exact = np.array([statistic(pair[0]) - statistic(pair[1]) for pair in pairs])
    resampled = np.empty((RESAMPLES, len(pairs)))
    for seed, pair in enumerate(pairs):
        for row in range(RESAMPLES):
            drawn = pair[:, generator.integers(pair.shape[1], size=pair.shape[1])]
            resampled[row, seed] = statistic(drawn[0]) - statistic(drawn[1])
    return exact, resampled


def pooled(exact: np.ndarray, resampled: np.ndarray, generator: np.random.Generator) -> dict[str, float]:
    mean, count = exact.mean(), len(exact)
    within = np.quantile(resampled.mean(1), [0.025, 0.975])
    drawn = generator.integers(count, size=(RESAMPLES, count))
    nested = np.take_along_axis(resampled, drawn, axis=1).mean(1)
    nested = mean + (nested - mean) * np.sqrt(count / max(count - 1, 1))
    low, high = np.quantile(nested, [0.025, 0.975])
    return {
        "difference": mean,
        "images_low": within[0],
        "images_high": within[1],
        "nested_low": low,
        "nested_high": high,
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "folders", nargs="+", type=Path, help="finished experiments that differ in their seed"
    )
    parser.add_argument("--out", type=Path, required=True, help="stem of the two tables")
    options = parser.parse_args()
    values = {folder: per_image_values(folder) for folder in options.folders}
    comparisons = {folder: read_json(folder / "comparison.json") for folder in options.folders}
    seeds = {folder: comparisons[folder]["settings"]["config"]["seed"] for folder in options.folders}
    rows, summary = [], []
    students = [name for name in next(iter(values.values())) if name.startswith("student")]
    for folder in options.folders:
        for c in comparisons[folder]["comparisons"]:
            rows.append({"seed": seeds[folder], **c})
    generator = np.random.default_rng(0)
    for student in students:
        for name, metric in METRICS.items():
            pairs = []
            for networks in values.values():
                pair = np.stack([networks[student][name], networks["baseline"][name]])
                pairs.append(pair[:, ~np.isnan(pair).any(0)])
            exact, resampled = differences(pairs, STATISTICS[metric.statistic], generator)
            found = pooled(exact, resampled, generator)
            images = sum(pair.shape[1] for pair in pairs)
            interval = Interval(found["difference"], found["nested_low"], found["nested_high"], images)
            summary.append(
                {
                    "student": student,
                    "metric": name,
                    "student_mean": np.mean([STATISTICS[metric.statistic](pair[0]) for pair in pairs]),
                    "baseline_mean": np.mean([STATISTICS[metric.statistic](pair[1]) for pair in pairs]),
                    **found,
                    "seeds": len(pairs),
                    "n": images,
                    "verdict": verdict(interval, metric.higher_is_better),
                }
            )
    write_table(Path(f"{options.out}_seeds.csv"), rows)
    write_table(Path(f"{options.out}_pooled.csv"), summary)


def write_table(path: Path, rows: list[dict]) -> None:
    """Numbers with six significant digits."""
    lines = [list(rows[0])]
    lines += [[f"{v:.6g}" if isinstance(v, float) else v for v in row.values()] for row in rows]
    target = Path(path)
    with_text = "\n".join(",".join(str(field) for field in line) for line in lines) + "\n"
    write_atomically(target, with_text.encode())
    print(target)


if __name__ == "__main__":
    main()
