"""The benchmark of objectives: its memory is that of known allocations, its exponents those of known growth."""

import sys

import pytest
import torch

from analyses import benchmark_objectives
from analyses.benchmark_objectives import CASES, benchmark, exponent, growth, kept_bytes, memory, peak_bytes
from kdprobe.objectives import OBJECTIVES, objective_inputs

CPU = torch.device("cpu")


@pytest.fixture
def tiny(monkeypatch):
    base = {"batch": 4, "channels": 2, "side": 2, "width": 4, "images": 20, "negatives": 4}
    monkeypatch.setattr(benchmark_objectives, "BASE", base)
    sizes = {size: (value, 2 * value) for size, value in base.items()}
    monkeypatch.setattr(benchmark_objectives, "SIZES", sizes)
    monkeypatch.setattr(benchmark_objectives, "surroundings", lambda: {"load": 0.5, "machine": "one"})


def test_every_objective_that_looks_at_features_or_relations_has_a_case():
    logits = {"student_logits", "teacher_logits", "view_logits"}
    looking = {name for name, of in OBJECTIVES.items() if not logits & set(objective_inputs(of, {}))}
    assert looking - set(CASES) == {"at_gradient", "feature_mse"}


@pytest.mark.parametrize("name", CASES)
def test_rows_of_an_objective_and_of_its_growth(tiny, name):
    sizes = CASES[name][0]
    rows = [*benchmark(name, CPU, rounds=3, least=0)]
    points = [tuple(row[size] for size in sizes) for row in rows]
    assert len(set(points)) == len(points) == 1 + len(sizes)
    for row in rows:
        assert 0 < row["lowest"] <= row["ms"] <= row["highest"]
        assert 0 < row["kept_mb"] < row["peak_mb"]
        assert row["steps"] == 1 and row["rounds"] == 3 and row["load"] == 0.5 and row["machine"] == "one"
        assert (
            (row["stated_mb"] != "")
            == (row["stated_share"] != "")
            == hasattr(OBJECTIVES[name], "memory_bytes")
        )
        assert (row["held_mb"] > 0) == isinstance(OBJECTIVES[name], type)
    growing = [*growth(rows)]
    assert [(row["size"], row["to"] / row["from"]) for row in growing] == [(size, 2) for size in sizes]


def test_the_share_that_is_stated_is_of_all_that_is_taken(tiny):
    for row in benchmark("crd", CPU, rounds=1, least=0):
        assert row["stated_share"] * (row["held_mb"] + row["peak_mb"]) == pytest.approx(row["stated_mb"])


def test_a_table_of_pairs_grows_with_the_square_of_the_batch_and_not_with_the_width(monkeypatch):
    def pairs(student_feature, teacher_feature):
        return (student_feature @ teacher_feature.mT).exp().sum(dim=1)

    monkeypatch.setitem(OBJECTIVES, "pairs", pairs)
    monkeypatch.setitem(CASES, "pairs", (("batch", "width"), lambda b, w: b**2 * w))
    monkeypatch.setitem(benchmark_objectives.BASE, "batch", 500)
    monkeypatch.setitem(benchmark_objectives.BASE, "width", 1)
    monkeypatch.setitem(benchmark_objectives.SIZES, "batch", (100, 500, 1000))
    monkeypatch.setitem(benchmark_objectives.SIZES, "width", (1, 2))
    rows = [*benchmark("pairs", CPU, rounds=1, least=0)]
    batch, width = growth([row | {"ms": 0.3 * row["batch"] ** 2 * row["width"]} for row in rows])
    assert (batch["from"], batch["to"], width["from"], width["to"]) == (500, 1000, 1, 2)
    assert [batch["ms"], batch["arithmetic"]] == pytest.approx([2, 2])
    assert [width["ms"], width["arithmetic"]] == pytest.approx([1, 1])
    assert batch["kept_mb"] == 2 and width["kept_mb"] == 0
    assert batch["peak_mb"] == pytest.approx(2, abs=0.01) and width["peak_mb"] == pytest.approx(0, abs=0.01)


def test_exponents_of_powers():
    assert exponent((3, 12), (5.0, 5.0 * 4**3)) == pytest.approx(3)
    assert exponent((10, 40), (8.0, 4.0)) == pytest.approx(-0.5)
    assert exponent((1, 2), (0, 3)) != exponent((1, 2), (0, 3))  # NaN


def test_the_peak_is_what_was_alive_at_once():
    def work():
        first = torch.empty(1000, 1000)
        second = first.double()  # 12 MB
        del first, second
        return torch.empty(2_500_000)

    assert peak_bytes(work, CPU) == pytest.approx(12e6, abs=100)


def test_what_a_step_replaces_counts_once():
    class Replacing:
        stated, inputs, own = 10**7, [], torch.nn.Module()

        def value(self):
            return torch.zeros(())

        def __call__(self):
            self.own.table = torch.nn.Buffer(torch.empty(10**6))
            torch.empty(1_500_000)

    step = Replacing()
    step()
    assert memory(step, CPU) == {
        "held_mb": 4,
        "kept_mb": 0,
        "peak_mb": pytest.approx(6),  # the old table is gone when the last tensor is made
        "stated_mb": 10,
        "stated_share": pytest.approx(1),
    }


def test_autograd_keeps_results_and_not_the_inputs_that_are_known():
    inputs = torch.randn(100, 3, requires_grad=True)
    assert kept_bytes(lambda: inputs.exp().sum(), [inputs]) == 1200
    assert kept_bytes(lambda: inputs.view(300).square().sum(), [inputs]) == 0
    assert kept_bytes(lambda: inputs.square().sum(), []) == 1200
    assert kept_bytes(lambda: (inputs.exp().square() + inputs.exp()).sum(), [inputs]) == 2400


def test_both_tables_are_written(tiny, tmp_path, monkeypatch, read):
    arguments = [
        "--objectives",
        "sp",
        "crd",
        "--rounds",
        "1",
        "--least",
        "0",
        "--out",
        str(tmp_path / "found"),
    ]
    monkeypatch.setenv("KINETO_LOG_LEVEL", "6")
    monkeypatch.setattr(torch, "set_num_threads", lambda _count: None)
    monkeypatch.setattr(sys, "argv", ["benchmark", *arguments])
    benchmark_objectives.main()
    rows, growing = read(tmp_path / "found.csv"), read(tmp_path / "found_growth.csv")
    assert [row["objective"] for row in rows] == ["sp"] * 3 + ["crd"] * 4
    assert [(row["objective"], row["size"]) for row in growing] == [
        ("sp", "batch"),
        ("sp", "width"),
        ("crd", "batch"),
        ("crd", "images"),
        ("crd", "negatives"),
    ]
