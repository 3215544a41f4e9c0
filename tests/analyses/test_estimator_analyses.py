"""The analyses of the estimator: their measures in plain form, and one small run through each of them."""

import math
import runpy
import sys
from pathlib import Path

import pytest
import torch

from analyses import benchmark_estimator, estimator_agreement, estimator_coverage
from kdprobe.estimator import Decomposed
from kdprobe.records import EntropyResult, Outcome

FIGURE = Path(__file__).parents[2] / "figures" / "estimator_agreement.py"


def result(entropy):
    return EntropyResult(entropy, torch.zeros_like(entropy), (Outcome.OK,))


def test_maps_are_compared_as_the_docstring_says():
    generator = torch.Generator().manual_seed(0)
    one = 0.3 * torch.randn(1, 5, 5, generator=generator, dtype=torch.float64)
    other = one + 0.1 * torch.randn(1, 5, 5, generator=generator, dtype=torch.float64) + 7.0
    foreground = torch.rand(1, 5, 5, generator=generator) > 0.6
    found = estimator_agreement.compare(result(one), result(other), foreground)
    a, b = one.flatten().tolist(), other.flatten().tolist()
    inside = foreground.flatten().tolist()
    mean = [sum(x) / 25 for x in (a, b)]
    off = [(x - mean[0]) - (y - mean[1]) for x, y in zip(a, b, strict=True)]
    assert found["nats"] == pytest.approx(sum(map(abs, off)) / 25)
    assert found["rms"] == pytest.approx(
        sum(o * o for o in off) / 25
    )  # squared: means are taken before the root
    covariance = sum((x - mean[0]) * (y - mean[1]) for x, y in zip(a, b, strict=True))
    spread = (
        math.prod(sum((x - m) ** 2 for x in values) for values, m in zip((a, b), mean, strict=True)) ** 0.5
    )
    assert found["pearson"] == pytest.approx(covariance / spread)
    sets = []
    for values in (a, b):
        outside = [v for v, i in zip(values, inside, strict=True) if not i]
        bar = sum(outside) / len(outside)
        sets.append({k for k, v in enumerate(values) if bar - v > 0.2})
    assert found["iou"] == pytest.approx(len(sets[0] & sets[1]) / len(sets[0] | sets[1]))
    counts = [sum(inside[k] for k in cells) for cells in sets]
    assert found["n_fg"] == counts[0] - counts[1]
    assert found["n_bg_abs"] == abs((len(sets[0]) - counts[0]) - (len(sets[1]) - counts[1]))


def test_from_an_experiment_to_table_and_figure(experiment, read, tmp_path, monkeypatch):
    monkeypatch.setattr(estimator_agreement, "SOLVERS", {"decomposed 1 rounds": Decomposed(tolerance=None)})
    out = tmp_path / "tables" / "agreement"
    arguments = [
        f"{experiment}:baseline:1:fc1",
        "--images",
        "1",
        "--work",
        str(tmp_path / "work"),
        "--out",
        str(out),
    ]
    monkeypatch.setattr(sys, "argv", ["x", *arguments])
    estimator_agreement.main()
    rows = read(f"{out}.csv")
    assert [row["solver"] for row in rows] == ["sgd", "decomposed 1 rounds"]
    assert float(rows[0]["times_less_work"]) == 1.0 and float(rows[1]["times_less_work"]) > 40
    assert all(0.9 < float(row["pearson"]) <= 1 for row in rows)
    assert [int(row["pairs"]) for row in rows] == [1, 2]
    kept = {p: p.stat().st_mtime_ns for p in (tmp_path / "work").rglob("*.h5")}
    assert len(kept) == 3  # two runs of sgd and one of decomposed
    estimator_agreement.main()
    assert {p: p.stat().st_mtime_ns for p in (tmp_path / "work").rglob("*.h5")} == kept
    assert read(f"{out}.csv") == rows
    figure = runpy.run_path(str(FIGURE))
    assert figure["main"]([f"{out}.csv", "--out", str(tmp_path / "figure")]) == 0
    assert (tmp_path / "figure.png").stat().st_size > 5000
    assert figure["main"]([str(tmp_path / "absent.csv")]) == 2


def test_coverage_of_a_small_network(experiment, read, tmp_path, monkeypatch):
    out = tmp_path / "coverage"
    arguments = [
        f"{experiment}:baseline:1:fc1",
        "--images",
        "2",
        "--repeats",
        "6",
        "--pathwise",
        "2",
        "--one-round",
    ]
    monkeypatch.setattr(sys, "argv", ["x", *arguments, "--out", str(out)])
    estimator_coverage.main()
    (row,) = read(f"{out}.csv")
    assert 0.3 < float(row["error_ratio"]) < 3
    assert 0.5 < float(row["cell_coverage"]) <= 1
    assert float(row["bias_rms"]) < 0.1


def test_benchmark_counts_and_compares(read, tmp_path, monkeypatch, capsys):
    out = tmp_path / "benchmark"
    arguments = [
        "--models",
        "vgg_small",
        "--size",
        "16",
        "--images",
        "2",
        "--repeats",
        "1",
        "--precisions",
        "bfloat16",
    ]
    monkeypatch.setattr(sys, "argv", ["x", *arguments, "--out", str(out)])
    monkeypatch.setattr(torch, "set_num_threads", lambda _count: None)
    benchmark_estimator.main()
    rows = read(f"{out}.csv")
    assert [row["solver"] for row in rows] == ["decomposed 1 round", "decomposed", "sgd"]
    assert float(rows[-1]["work"]) > 11000 > 60 * 150
    assert float(rows[0]["times_less_work"]) == pytest.approx(
        float(rows[-1]["work"]) / float(rows[0]["work"]), rel=1e-4
    )
    assert all(float(row["of_bare"]) > 0 for row in rows)
    assert "bfloat16: correlation" in capsys.readouterr().out
