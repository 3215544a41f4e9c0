"""Every distillation method on one pair of networks: accuracy and the six metrics, in one table.

    python -m analyses.methods_table --config analyses/configs/methods_tiny_imagenet.yaml \\
        --root PATH/tiny-imagenet-200 --folder runs/methods --out analyses/results/methods_tiny_imagenet.csv

Teacher and baseline are trained once, then the methods, a few at a time, all in one experiment folder; after each few
the table is written with all that is there, so that a call that ends early (`--minutes`, Ctrl-C) leaves a table of so
many methods, and the same call later goes on. One row per network and metric: value, difference to the baseline with
its 95 % interval over the probe images and its verdict, n images; a network that is not measured has its accuracy
alone. One seed: the intervals leave out how much another seed would move the networks.
"""

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from analyses.pool_seeds import write_table
from kdprobe.errors import KdprobeError
from kdprobe.experiment import ExperimentConfig, run_experiment
from kdprobe.experiment.folders import config_of
from kdprobe.metrics import METRICS
from kdprobe.recipes import list_recipes, load_recipe
from kdprobe.storage import read_json


def some_at_a_time(methods: Sequence[str], few: int) -> Iterator[list[str]]:
    """The first `few` of `methods`, then twice as many, and so on: each list holds the ones before."""
    for end in range(few, len(methods) + few, few):
        yield list(methods[:end])


def rows_of(comparison: dict[str, Any], seed: int) -> list[dict[str, Any]]:
    """The rows of a finished experiment from its comparison.json."""
    against = {(c["student"], c["metric"]): c for c in comparison["comparisons"]}
    rows = []
    for name, details in comparison["details"].items():
        of_network = comparison["networks"].get(name) or {
            None: dict.fromkeys(("value", "low", "high", "n"), "")
        }
        for metric, measured in of_network.items():
            compared = against.get((name, metric), {})
            rows.append(
                {
                    "network": name,
                    "method": details["recipe"],
                    "kind": "teacher"
                    if details["role"] == "teacher"
                    else load_recipe(details["recipe"]).kind,
                    "accuracy": details["accuracy"],
                    "metric": METRICS[metric].symbol if metric else "",
                    **{
                        key: "" if measured[key] is None else measured[key]
                        for key in ("value", "low", "high", "n")
                    },
                    "difference": compared.get("difference", ""),
                    "difference_low": compared.get("low", ""),
                    "difference_high": compared.get("high", ""),
                    "verdict": compared.get("verdict", ""),
                    "seed": seed,
                }
            )
    return rows


def table(
    config: ExperimentConfig, methods: Sequence[str], few: int, folder: Path, out: Path, until: float
) -> None:
    """Runs and writes until all `methods` are in the table or the clock has passed `until`."""
    for name in methods:
        load_recipe(name)
    done = 0
    for students in some_at_a_time(methods, few):
        if time.monotonic() > until:
            print(f"Time is up before {', '.join(students[done:])}; the same call goes on from here.")
            return
        done = len(students)
        run_experiment(replace(config, students=students), folder, show_progress=False)
        write_table(out, rows_of(read_json(folder / "comparison.json"), config.seed))


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--config", type=Path, required=True, help="data, networks, training and measurement")
    parser.add_argument("--root", default=None, help="folder of the data, if the config does not say")
    parser.add_argument("--methods", nargs="+", default=None, help="recipes; default: all but the baseline")
    parser.add_argument("--few", type=int, default=4, help="methods that are added at a time")
    parser.add_argument("--minutes", type=float, default=55.0, help="begin nothing new after so many")
    parser.add_argument("--folder", type=Path, required=True, help="folder of the experiment")
    parser.add_argument("--out", type=Path, required=True, help="the table")
    options = parser.parse_args(arguments)
    methods = options.methods or [name for name in list_recipes() if name != "baseline"]
    until = time.monotonic() + 60 * options.minutes
    try:
        config = config_of(options.config)
        if options.root is not None:
            config = replace(config, data=replace(config.data, root=options.root))
        table(config, methods, options.few, options.folder, options.out, until)
    except KdprobeError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
