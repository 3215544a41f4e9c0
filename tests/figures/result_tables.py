"""Made-up tables of a sweep that look like real ones: for the tests of the scripts in figures/."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
from report.summaries import HIGHER, concept_maps, summary

from kdprobe.report import comparison_json, write_tables
from kdprobe.report.map_file import map_arrays

SETTINGS = (
    ("tiny_imagenet", "vgg_small", "fc1"),
    ("tiny_imagenet", "vgg_small", "conv"),
    ("tiny_imagenet", "resnet8", "conv"),
)
LONG = "student-of-a-very-careful-teacher-with-a-long-name-and-a-$dollar$ & <b>"
FEW = {"teacher": "teacher", "baseline": "baseline", "student-feature": "student"}
MANY = {**FEW, "student-kd": "student", LONG: "student"}
CHOICES = {
    "margin": ("0.1", "0.2", "0.3"),
    "baseline scope": ("dataset", "image"),
    "mask rule": ("majority", "any", "released"),
    "filter": ("all images", "effective"),
    "weights": ("below the tap", "layer", "all"),
    "level": ("image", "seed"),
    "grid": ("8", "16", "32"),
    "preset": ("cheng2020", "fixed_distortion"),
}
DEFAULTS = dict(
    zip(
        CHOICES,
        ("0.2", "dataset", "majority", "all images", "below the tap", "image", "16", "cheng2020"),
        strict=True,
    )
)
VERDICTS = ("supported", "undecided", "contradicted")


def write_results(folder, networks=FEW, *, seeds=3, settings=SETTINGS, epochs=6, teacher_epochs=None) -> Path:
    """Write every table that the scripts read, and strips of each setting, into `folder`; the folder.

    teacher_epochs: list of the teacher's epochs; as the others' if None.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    tables: dict[str, list[dict]] = {}
    for place, setting in enumerate(settings):
        rng = np.random.default_rng(place)
        head = dict(zip(("data", "model", "layer"), setting, strict=True))
        for student in (name for name, role in networks.items() if role == "student"):
            _add_pair(tables, head | {"student": student}, networks, seeds, rng)
        for k, (name, role) in enumerate(networks.items()):
            _put(tables, "area", head, network=name, role=role, area=0.4 + 0.04 * k, **_ends(0.4 + 0.04 * k, 0.05),
                 n=120, seeds=seeds)  # fmt: skip
            for seed in range(seeds):
                own = head | {"network": name, "role": role, "seed": seed}
                known = teacher_epochs if role == "teacher" and teacher_epochs else range(epochs + 1)
                _add_network(tables, own, list(known), 0.3 * k, rng, order=teacher_epochs is None)
        strips = concept_maps([n for n, role in networks.items() if role != "teacher"], range(epochs + 1))
        strips.image[:] = 0.75  # blank: no photograph
        np.savez(folder / f"strips--{'--'.join(setting)}.npz", **map_arrays((strips, strips)))
    for name, rows in tables.items():
        with (folder / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(rows[0]), restval="")
            writer.writeheader()
            writer.writerows(rows)
    return folder


def write_experiment(folder, names=("baseline", "student-feature"), images=2) -> Path:
    """The folder of an experiment with seed 4: comparison.json, and tables with photographs among them."""
    folder = Path(folder)
    maps = tuple(concept_maps(list(names), range(1, 7), seed=k) for k in range(images))
    record = replace(summary(1), maps=maps, settings={"config": {"seed": 4}})
    write_tables(record, folder / "tables")
    (folder / "comparison.json").write_text(json.dumps(comparison_json(record)), encoding="utf-8")
    return folder


def _put(tables, table, head, **columns) -> None:
    clean = {
        key: "" if isinstance(value, float) and not np.isfinite(value) else value
        for key, value in columns.items()
    }
    tables.setdefault(table, []).append(head | clean)


def _ends(value, half) -> dict[str, float]:
    return {"low": float(value - half), "high": float(value + half)}


def _add_pair(tables, head, networks, seeds, rng) -> None:
    for metric in HIGHER:
        value, spread = (20.0, 6.0) if metric.startswith("n_") else (0.5, 0.2)
        student, baseline = value * rng.uniform(0.8, 1.3), value * rng.uniform(0.8, 1.2)
        verdict = VERDICTS[rng.integers(3)]
        row = {"metric": metric, "seeds": seeds, "n": 118}
        for kind, at in (("student", student), ("baseline", baseline)):
            row |= {f"{kind}_value": at, f"{kind}_low": at - spread / 4, f"{kind}_high": at + spread / 4}
        row |= {"difference": student - baseline, **_ends(student - baseline, spread / 3), "verdict": verdict}
        _put(tables, "comparisons", head, **row)
        for choice, settings in CHOICES.items():
            for setting in settings:
                difference = student - baseline + spread * 0.2 * rng.standard_normal()
                _put(tables, "sensitivity", head, choice=choice, setting=setting, metric=metric, difference=difference,
                     **_ends(difference, spread * rng.uniform(0.2, 0.5)), verdict=VERDICTS[rng.integers(3)],
                     is_default=setting == DEFAULTS[choice])  # fmt: skip
    for name in ("baseline", head["student"]):
        for b in np.round(np.arange(0.05, 0.51, 0.05), 2):
            fall = np.exp(-4 * b) * (1.1 if name == "baseline" else 1.4)
            _put(tables, "margins", head, network=name, role=networks.get(name, "baseline"), margin=float(b),
                 relevance_ratio=float(0.4 + 0.5 * b * fall), n_foreground=40 * fall, n_background=55 * fall / 1.2,
                 seeds=seeds, n=117)  # fmt: skip


def _add_network(tables, own, epochs, lift, rng, order) -> None:
    shift = rng.normal(0, 1.2)
    ever = 0.0
    for k in epochs:
        rise = 1 - np.exp(-k / 2)
        path, accuracy = 0.8 * (1 - 0.75**k) * rng.uniform(0.98, 1.02), 0.1 + (0.5 + 0.1 * lift) * rise
        foreground = max(0.1, 0.4 + (14 + 5 * lift + shift) * rise - 0.5 * max(0, k - 4) + rng.normal(0, 0.4))
        background = max(0.1, 0.9 + (13 - 2 * lift - shift) * rise + rng.normal(0, 0.4))
        share = foreground / (foreground + background) if k else float("nan")
        counted = {
            "n_foreground": (foreground, 1.5),
            "n_background": (background, 1.6),
            "relevance_ratio": (share, 0.04),
        }
        for metric, (value, half) in (counted | {"accuracy": (accuracy, float("nan"))}).items():
            n = 40 if metric in counted else ""
            _put(
                tables,
                "curves",
                own,
                epoch=k,
                path=path,
                metric=metric,
                value=value,
                **_ends(value, half),
                n=n,
            )
        for metric, (value, _) in counted.items():
            _put(tables, "accuracy", own, epoch=k, accuracy=accuracy, metric=metric, value=value)
        _put(tables, "accuracy", own, epoch=k, accuracy=accuracy, metric="stability_so_far",
             value=1 - 0.3 * rise if k else float("nan"))  # fmt: skip
        _put(tables, "accuracy", own, epoch=k, accuracy=accuracy, metric="path", value=path)
        if k > epochs[0]:
            for metric, value in (("gained", 1.5 + rng.uniform()), ("lost", 1.0 + rng.uniform())):
                _put(tables, "accuracy", own, epoch=k, accuracy=accuracy, metric=metric, value=value)
        if own["role"] != "teacher":
            _put(
                tables, "accuracy", own, epoch=k, accuracy=accuracy, metric="overlap", value=0.1 + 0.5 * rise
            )
        gained = foreground if k == epochs[0] else 1.5 + 5 * np.exp(-k / 2) + rng.uniform(0, 0.5)
        ever += gained if k else 0.0
        change = {"gained": gained, "lost": 1.2 + rng.uniform(0, 0.8) if k > epochs[0] else 0.0}
        for cells in ("foreground", "background"):
            _put(tables, "forgetting", own, epoch=k, cells=cells, present=foreground, **change,
                 ever=max(ever, foreground if k else 0.0), n=40,
                 gained_still=0.4 + 0.1 * lift if k > epochs[0] else float("nan"),
                 lost_still=0.4 + 0.1 * lift if k > epochs[0] else float("nan"))  # fmt: skip
            _add_overlap(tables, own | {"epoch": k, "cells": cells}, rise, k == epochs[-1], order, rng)
    _add_last(tables, own, lift, shift, rng)


def _add_overlap(tables, head, rise, last, order, rng) -> None:
    if head["role"] == "teacher":
        return
    keys = ("student_first", "teacher_first", "together", "teacher_alone", "student_alone")
    shares = rng.dirichlet([4, 3, 2, 2, 3]) if last else np.full(5, float("nan"))
    if not order:
        shares[:3] = float("nan")
    iou = 0.1 + 0.4 * rise + rng.normal(0, 0.02)
    _put(tables, "overlap", head, iou=iou, **_ends(iou, 0.04), n=39, chance=0.05 + 0.1 * rise,
         iou_still=0.9 if last else float("nan"),
         **{key: float(share) for key, share in zip(keys, shares, strict=True)})  # fmt: skip


def _add_last(tables, own, lift, shift, rng) -> None:
    for cells, learned in (("foreground", 22 + 6 * lift + shift), ("background", 20 - 2 * lift - shift)):
        kept = learned * (0.62 + 0.06 * lift)
        _put(tables, "sets", own, cells=cells, learned=learned, kept=kept, discarded=learned - kept, n=40)
        centre = -2.95 - 0.1 * lift if cells == "foreground" else -2.72
        edges = np.round(0.05 * np.arange(round(centre / 0.05) - 8, round(centre / 0.05) + 9), 12)
        counts, _ = np.histogram(rng.normal(centre, 0.14, 4000), edges)
        for low, high, count in zip(edges[:-1], edges[1:], counts, strict=True):
            _put(tables, "histograms", own, cells=cells, low_edge=float(low), high_edge=float(high), count=int(count),
                 baseline_entropy=-2.72 + 0.01 * shift, margin=0.2)  # fmt: skip
    for metric in HIGHER:
        value = 0.64 + 0.05 * lift if metric == "stability" else 0.5
        _put(
            tables,
            "networks",
            own,
            accuracy=0.5,
            metric=metric,
            value=value + 0.01 * shift,
            **_ends(value, 0.05),
            n=40,
        )
    for image in range(40):
        peak = int(np.clip(rng.poisson(4 - 0.8 * lift), 0, 6))
        _put(tables, "peaks", own, image=f"n01443537_{image}", **{"class": "goldfish"}, peak_epoch=peak or "",
             distance=0.8 * (1 - 0.75**peak) + rng.normal(0, 0.01) if peak else "")  # fmt: skip
