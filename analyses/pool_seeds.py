"""Student against baseline over several seeds of one experiment: each seed, and all of them together.

    python analyses/pool_seeds.py runs/tiny-0 runs/tiny-1 runs/tiny-2 --out analyses/results/tiny_imagenet

Writes OUT_seeds.csv (one row per seed, student and metric) and OUT_pooled.csv (one row per student and metric): the
mean of the seeds' differences with two 95 % intervals (`kdprobe.analysis.pooled_comparisons`, estimation noise
included; D and rho in the seeds in which the same epochs of both networks are kept).
"images" resamples images within each seed and says how sure the mean over *these* runs is; "nested" is what speaks of
a new seed, as far as these can: Student's t over the seeds. The verdict is that of the nested interval.

The committed tiny_imagenet_pooled.csv was made with a plain bootstrap over seeds and images, without estimation noise.
At three seeds it is too narrow where seeds differ much and too wide where they do not (inference_calibration.csv).
"""

import argparse
import sys
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from kdprobe.analysis import Unit, pooled_comparisons
from kdprobe.errors import KdprobeError
from kdprobe.experiment import read_config
from kdprobe.experiment.setup import load_material, with_image_size
from kdprobe.experiment.sweep.plan import Planned
from kdprobe.experiment.sweep.units import measurables, unit_of
from kdprobe.records import PooledComparison
from kdprobe.storage import read_json, write_atomically

RESAMPLES = 4000


def unit(folder: Path) -> Unit:
    """The finished experiment in `folder`, over the images usable in all networks."""
    config = with_image_size(read_config(folder))
    layer = config.measure.layer
    named = {"data": "data", "model": "model"}  # the same for all: to be pooled
    planned = Planned(**named, seed=config.seed, config=config, layers=(layer,), folder=folder)
    material = load_material(config)
    return unit_of(planned, config, material, measurables(planned, config, material))


def pooled(units: Iterable[Unit]) -> list[dict[str, object]]:
    """A row for every student and metric."""
    settings = {"seed": 0, "resamples": RESAMPLES}
    return [
        _row(comparison)
        for comparison in pooled_comparisons(
            replace(each, settings=replace(each.settings, **settings)) for each in units
        )
    ]


def _row(found: PooledComparison) -> dict[str, object]:
    return {
        "student": found.student,
        "metric": found.metric,
        "student_mean": found.student_value.value,
        "baseline_mean": found.baseline_value.value,
        "difference": found.difference.value,
        "images_low": found.images.low,
        "images_high": found.images.high,
        "nested_low": found.difference.low,
        "nested_high": found.difference.high,
        "seeds": found.seeds,
        "n": found.n,
        "verdict": found.verdict,
    }


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "folders", nargs="+", type=Path, help="finished experiments that differ in their seed"
    )
    parser.add_argument("--out", type=Path, required=True, help="stem of the two tables")
    options = parser.parse_args(arguments)
    try:
        summary = pooled(unit(folder) for folder in options.folders)
        comparisons = {folder: read_json(folder / "comparison.json") for folder in options.folders}
    except KdprobeError as error:
        print(error, file=sys.stderr)
        return 2
    seeds = {folder: comparisons[folder]["settings"]["config"]["seed"] for folder in options.folders}
    rows = [
        {"seed": seeds[folder], **c} for folder in options.folders for c in comparisons[folder]["comparisons"]
    ]
    write_table(Path(f"{options.out}_seeds.csv"), rows)
    write_table(Path(f"{options.out}_pooled.csv"), summary)
    return 0


def write_table(path: Path, rows: list[dict]) -> None:
    """Numbers with six significant digits."""
    lines = [list(rows[0])]
    lines += [[f"{v:.6g}" if isinstance(v, float) else v for v in row.values()] for row in rows]
    target = Path(path)
    with_text = "\n".join(",".join(str(field) for field in line) for line in lines) + "\n"
    write_atomically(target, with_text.encode())
    print(target)


if __name__ == "__main__":
    sys.exit(main())
