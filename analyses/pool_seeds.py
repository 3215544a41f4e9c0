"""Student against baseline over several seeds of one experiment: each seed, and all of them together.

    python analyses/pool_seeds.py runs/tiny-0 runs/tiny-1 runs/tiny-2 --out analyses/results/tiny_imagenet

Writes OUT_seeds.csv (one row per seed, student and metric) and OUT_pooled.csv (one row per student and metric): the
mean of the seeds' differences with two 95 % intervals (`kdprobe.metrics.nested_difference`, estimation noise included).
"images" resamples images within each seed and says how sure the mean over *these* runs is; "nested" is what speaks of
a new seed, as far as these can: Student's t over the seeds. The verdict is that of the nested interval.

The committed tiny_imagenet_pooled.csv was made with a plain bootstrap over seeds and images, without estimation noise.
At three seeds it is too narrow where seeds differ much and too wide where they do not (inference_calibration.csv).
"""

import argparse
from pathlib import Path

import numpy as np

from kdprobe.analysis import NetworkValues, common_images, network_values
from kdprobe.experiment import read_config
from kdprobe.experiment.counting import count_settings
from kdprobe.experiment.measuring import measurable, measured, with_noise
from kdprobe.experiment.members import members
from kdprobe.experiment.setup import load_material
from kdprobe.experiment.unmeasured import measured_members
from kdprobe.metrics import METRICS, nested_difference, nested_interval, verdict
from kdprobe.storage import read_json, write_atomically

RESAMPLES = 4000


def per_image_values(folder: Path) -> tuple[dict[str, NetworkValues], tuple[str, ...]]:
    """Network -> its per-image values and their redraws, and the ids of these images: those usable in all networks."""
    config = read_config(folder)
    material = load_material(config)
    everyone = measured_members(config, material, members(config, folder))
    found = [measurable(config, material, member) for member in everyone]
    whole = {m.member.name: measured(config, m, noise=False) for m in found}
    usable = common_images(whole)
    foreground = material.probe.foreground_cells[usable]
    values = {
        m.member.name: network_values(
            m.member.name,
            with_noise(m, whole[m.member.name], usable),
            foreground,
            count_settings(config),
        )
        for m in found
    }
    return values, tuple(np.array(material.probe.ids)[usable.numpy()].tolist())


def pooled(
    seeds: list[tuple[dict[str, NetworkValues], tuple[str, ...]]], student: str, name: str
) -> dict[str, object]:
    """A student's row in one metric; `seeds` as `per_image_values` gives them."""
    metric, images = METRICS[name], [ids for _, ids in seeds]
    settings = {"statistic": metric.statistic, "seed": 0, "images": images, "resamples": RESAMPLES}
    columns = {
        network: [values[network].values[name] for values, _ in seeds] for network in (student, "baseline")
    }
    noise = {
        network: [values[network].noise[name] for values, _ in seeds] for network in (student, "baseline")
    }
    both = [~(a.isnan() | b.isnan()) for a, b in zip(columns[student], columns["baseline"], strict=True)]
    for network, given in columns.items():
        columns[network] = [values.where(valid, np.nan) for values, valid in zip(given, both, strict=True)]
    found = nested_difference(
        columns[student],
        columns["baseline"],
        student_noise=noise[student],
        baseline_noise=noise["baseline"],
        **settings,
    )
    return {
        "student": student,
        "metric": name,
        "student_mean": nested_interval(columns[student], **settings).value,
        "baseline_mean": nested_interval(columns["baseline"], **settings).value,
        "difference": found.value,
        "images_low": found.images_low,
        "images_high": found.images_high,
        "nested_low": found.low,
        "nested_high": found.high,
        "seeds": found.seeds,
        "n": found.n,
        "verdict": verdict(found, metric.higher_is_better),
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
    values = [per_image_values(folder) for folder in options.folders]
    comparisons = {folder: read_json(folder / "comparison.json") for folder in options.folders}
    seeds = {folder: comparisons[folder]["settings"]["config"]["seed"] for folder in options.folders}
    rows = [
        {"seed": seeds[folder], **c} for folder in options.folders for c in comparisons[folder]["comparisons"]
    ]
    students = [name for name in values[0][0] if name.startswith("student")]
    summary = [pooled(values, student, name) for student in students for name in METRICS]
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
