"""The experiment as data: comparison.json, and the way back from the files to the record."""

import csv
import json
from dataclasses import asdict
from math import isfinite
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

from kdprobe.errors import DataError
from kdprobe.records import (
    NO_VALUE,
    Comparison,
    ExperimentSummary,
    Hypothesis,
    Interval,
    NetworkSummary,
    UnmeasuredNetwork,
)
from kdprobe.report.explorer_file import read_explorer
from kdprobe.report.map_file import read_maps
from kdprobe.report.words import WORDS

CURVE_COLUMNS = ("network", "epoch", "path", "metric", "value", "low", "high", "n")


def comparison_json(summary: ExperimentSummary) -> dict[str, Any]:
    """A JSON-able dict: `networks.<name>.<metric>` = {value, low, high, n} for the metrics, `comparisons` =
    [{student, baseline, metric, difference, low, high, n, verdict}], and beside them `title`, `hypotheses`,
    `details` (by network: role, recipe, layer, epochs, weight path, accuracy, ...), `unmeasured` = [{name,
    role, recipe, model, accuracy, note}] of those that taught and were not measured, `counting`, `notes`, `settings`,
    `provenance`. NaN becomes null.
    """
    return plain(
        {
            "title": summary.title,
            "networks": {
                network.name: {metric: asdict(network.metrics.get(metric, NO_VALUE)) for metric in WORDS}
                for network in summary.networks
            },
            "comparisons": [asdict(comparison) for comparison in summary.comparisons],
            "hypotheses": [asdict(hypothesis) for hypothesis in summary.hypotheses],
            "details": {network.name: _details(network) for network in summary.networks},
            "unmeasured": [asdict(network) for network in summary.unmeasured],
            "counting": summary.counting,
            "notes": list(summary.notes),
            "settings": summary.settings,
            "provenance": summary.provenance,
        }
    )


def _details(network: NetworkSummary) -> dict[str, Any]:
    keys = (
        "role",
        "recipe",
        "layer",
        "epochs",
        "path",
        "left_out",
        "accuracy",
        "accuracy_by_epoch",
        "accuracy_note",
        "noise_ceiling",
        "flagged",
    )
    return {key: getattr(network, key) for key in keys}


def plain(value: Any) -> Any:
    """`value` as JSON knows it: tuples become lists, NaN and inf null, what is unknown its text."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        items = sorted(value, key=str) if isinstance(value, set | frozenset) else value
        return [plain(item) for item in items]
    if hasattr(value, "tolist"):  # numpy and torch, scalars too
        return plain(value.tolist())
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if isfinite(value) else None
    return str(value)


def read_summary(folder: str | Path) -> ExperimentSummary:
    """The record of a finished experiment from `folder`/comparison.json and `folder`/tables (curves.csv,
    concept_maps.npz, explorer.npz). Raises DataError, naming the path, if a file is missing or damaged.
    """
    folder = Path(folder)
    data = _read(folder / "comparison.json", lambda path: json.loads(path.read_text(encoding="utf-8")))
    rows = _read(folder / "tables" / "curves.csv", _csv_rows)
    maps, explorer = (folder / "tables" / name for name in ("concept_maps.npz", "explorer.npz"))
    return _read(
        folder / "comparison.json",
        lambda _: ExperimentSummary(
            title=data["title"],
            networks=tuple(
                _network(
                    name, data["details"][name], metrics, [row for row in rows if row["network"] == name]
                )
                for name, metrics in data["networks"].items()
            ),
            comparisons=tuple(Comparison(**_numbers(item)) for item in data["comparisons"]),
            hypotheses=tuple(
                Hypothesis(**{**item, "metrics": tuple(item["metrics"])}) for item in data["hypotheses"]
            ),
            maps=_read(maps, read_maps) if maps.exists() else (),
            settings=data["settings"],
            provenance=data["provenance"],
            notes=tuple(data["notes"]),
            counting=data.get("counting", ""),
            unmeasured=tuple(UnmeasuredNetwork(**item) for item in data.get("unmeasured", [])),
            explorer=_read(explorer, read_explorer) if explorer.exists() else None,
        ),
    )


def _read(path: Path, reader):
    try:
        return reader(path)
    except FileNotFoundError as error:
        raise DataError(
            f"{path} does not exist: give the folder of a finished experiment (the --out of kdprobe run)"
        ) from error
    except DataError:
        raise
    except (OSError, ValueError, LookupError, TypeError, AttributeError, EOFError, BadZipFile) as error:
        raise DataError(
            f"{path} does not hold what kdprobe writes there ({type(error).__name__}: {error}): "
            "write it again with kdprobe report"
        ) from error


def _csv_rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        if tuple(reader.fieldnames or ()) != CURVE_COLUMNS:
            raise ValueError(f"columns {reader.fieldnames} instead of {list(CURVE_COLUMNS)}")
        return list(reader)


def _numbers(item: dict[str, Any]) -> dict[str, Any]:
    keys = ("value", "difference", "low", "high")
    return {k: float("nan") if k in keys and v is None else v for k, v in item.items()}


def _network(name: str, details: dict, metrics: dict, rows: list[dict[str, str]]) -> NetworkSummary:
    curves: dict[str, list[Interval]] = {}
    for row in rows:
        numbers = (float(row[key] or "nan") for key in ("value", "low", "high"))
        curves.setdefault(row["metric"], []).append(Interval(*numbers, int(row["n"])))
    if any(len(points) != len(details["epochs"]) for points in curves.values()):
        raise ValueError(f"tables/curves.csv does not hold every epoch of {name!r}")
    tuples = {key: tuple(details[key]) for key in ("epochs", "accuracy_by_epoch")}
    tuples["path"] = tuple(float("nan") if distance is None else distance for distance in details["path"])
    return NetworkSummary(
        **{**details, **tuples},
        name=name,
        curves={metric: tuple(points) for metric, points in curves.items()},
        metrics={metric: Interval(**_numbers(item)) for metric, item in metrics.items()},
    )
