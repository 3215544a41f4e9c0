"""Tables over several seeds."""

from dataclasses import replace

import pytest
import torch
from analysis.rows import chosen, image_values
from oracles import knowledge as oracle
from oracles import metrics as metrics_oracle
from synthetic_units import planted, synthetic_unit, synthetic_units

from kdprobe.analysis.knowledge import agreement_rows, area_rows, class_rows, count_unit, fields, margin_rows
from kdprobe.metrics import MARGINS, METRICS, bootstrap_interval

SEEDS, POOL = (0, 1, 2), 16


@pytest.fixture(scope="module")
def units():
    return synthetic_units(SEEDS, pool=POOL, students=("kd", "at"))


@pytest.fixture(scope="module")
def counted(units):
    return [count_unit(unit) for unit in units]


def test_agreement_is_over_the_images_that_seeds_share(units, counted):
    rows = agreement_rows(counted)
    assert len({unit.ids for unit in units}) == len(SEEDS)
    for row in rows:
        seeds = []
        for unit in units:
            last = planted(row["network"], seed=unit.seed, pool=POOL)[-1].tolist()
            cells = unit.foreground if row["cells"] == "foreground" else ~unit.foreground
            seeds.append(dict(zip(unit.ids, zip(last, cells.tolist(), strict=True), strict=True)))
        values = [value for value in oracle.agreement(seeds).values() if value == value]
        assert row["iou"] == pytest.approx(sum(values) / len(values)) and row["n"] == len(values)
        assert row["seeds"] == 3 and row["low"] <= row["iou"] <= row["high"] and 0 < row["chance"] < 1
    assert len(rows) == 4 * 2


def test_seeds_of_other_layers_and_data_are_kept_apart(units):
    other = [replace(unit, layer="conv") for unit in units[:2]] + [replace(units[0], data="other")]
    found = [count_unit(unit) for unit in [*units[:2], *other]]
    for table in (agreement_rows, class_rows, margin_rows, area_rows):
        rows = table(found)
        by_key = {(row["data"], row["layer"]): row["seeds"] for row in rows}
        assert by_key == {("planted", "fc1"): 2, ("planted", "conv"): 2, ("other", "fc1"): 1}, table
        here, there = (
            [
                {k: v for k, v in row.items() if k != "layer"}
                for row in chosen(rows, data="planted", layer=name)
            ]
            for name in ("fc1", "conv")
        )
        assert here == there


def test_classes_are_means_over_seeds_of_the_images_of_one_class(units, counted):
    rows = class_rows(counted)
    assert len(rows) == 4 * 2 * len(METRICS)
    for network in ("baseline", "student-kd"):
        for place, word in enumerate(("cat", "dog")):
            by_seed = []
            for unit in units:
                found = image_values(unit, network)
                labels = unit.labels.tolist()
                by_seed.append(
                    {
                        metric: [v for v, label in zip(values, labels, strict=True) if label == place]
                        for metric, values in found.items()
                    }
                )
            for metric in ("n_foreground", "relevance_ratio", "stability"):
                row = chosen(rows, network=network, metric=metric, **{"class": word})[0]
                means = [metrics_oracle.mean(seed[metric]) for seed in by_seed]
                assert row["value"] == pytest.approx(metrics_oracle.mean(means))
                assert row["low"] <= row["value"] <= row["high"] and row["seeds"] == 3
                assert row["n"] == sum(v == v for seed in by_seed for v in seed[metric])


@pytest.mark.parametrize("metric", ["n_foreground", "learning_distance_std"])
def test_one_seeds_class_has_the_interval_over_its_images_and_the_noise_of_these(metric):
    counted = count_unit(synthetic_unit(noise=0.3))
    unit, settings = counted.unit, counted.unit.settings
    cats = unit.labels == 0
    values = counted.networks["baseline"].values
    expected = bootstrap_interval(
        values.values[metric][cats],
        noise=values.noise[metric][:, cats],
        statistic=METRICS[metric].statistic,
        seed=settings.seed,
        limits=METRICS[metric].range,
        resamples=settings.resamples,
    )
    row = chosen(class_rows([counted]), network="baseline", metric=metric, **{"class": "cat"})[0]
    found = tuple(row[key] for key in ("value", "low", "high", "n"))
    assert found == (expected.value, expected.low, expected.high, expected.n)


def test_intervals_over_seeds_know_which_images_are_the_same(monkeypatch, counted):
    asked, real = [], fields.nested_interval
    monkeypatch.setattr(
        fields,
        "nested_interval",
        lambda *values, **options: asked.append(options) or real(*values, **options),
    )
    area_rows(counted)
    assert [options["images"] for options in asked] == [[each.unit.ids for each in counted]] * 4


def test_a_class_without_any_image_has_no_rows():
    counted = count_unit(synthetic_unit(images=2, classes=("cat", "dog", "newt")))
    assert {row["class"] for row in class_rows([counted])} == {"cat", "dog"}


def test_margins_stand_in_a_block_for_every_student(units, counted):
    rows = margin_rows(counted)
    for student in ("student-kd", "student-at"):
        block = chosen(rows, student=student)
        assert {row["network"] for row in block} == {"teacher", "baseline", student}
        assert [row["margin"] for row in chosen(block, network="baseline")] == list(MARGINS)
    for row in chosen(rows, student="student-kd", margin=0.35):
        means, seen = [], 0
        for unit in units:
            found = image_values(unit, row["network"], 0.35)
            columns = ("relevance_ratio", "n_foreground", "n_background", "distance", "stability")
            means.append([metrics_oracle.mean(found[name]) for name in columns])
            seen += sum(v == v for v in found["relevance_ratio"])
        names = ("relevance_ratio", "n_foreground", "n_background", "learning_distance_mean", "stability")
        expected = [sum(column) / len(SEEDS) for column in zip(*means, strict=True)]
        assert [row[name] for name in names] == pytest.approx(expected)
        assert row["n"] == seen and row["seeds"] == len(SEEDS)


def test_the_area_is_the_one_under_the_margins_own_curve(counted):
    """One seed: the same numbers as in margins.csv; several: the mean of theirs."""
    alone = []
    for each in counted:
        ratios = {
            row["margin"]: row["relevance_ratio"]
            for row in margin_rows([each])
            if row["network"] == "baseline"
        }
        row = chosen(area_rows([each]), network="baseline")[0]
        expected = oracle.area([[ratios[b]] for b in MARGINS], MARGINS, [1.0])
        assert row["area"] == pytest.approx(expected) and row["last_margin"] == 0.5 and row["seeds"] == 1
        assert row["low"] < row["area"] < row["high"]
        alone.append(row["area"])
    row = chosen(area_rows(counted), network="baseline")[0]
    assert row["area"] == pytest.approx(sum(alone) / 3) and row["seeds"] == 3 and row["n"] == 36


def test_all_areas_end_at_the_margin_that_every_network_reaches():
    unit = synthetic_unit()
    weak = unit.networks["teacher"]
    entropy = -2.6 + 0.4 * (
        weak.measured.entropy + 2.6
    )  # concepts of at most 0.28 nats + the background's mean
    weak = replace(weak, measured=replace(weak.measured, entropy=entropy))
    counted = count_unit(replace(unit, networks={**unit.networks, "teacher": weak}))
    ratios = counted.networks["teacher"].margins["relevance_ratio"]
    reach = max(b for b, row in zip(MARGINS, ratios, strict=True) if not row.isnan().all())
    assert 0.05 < reach < 0.3
    rows = area_rows([counted])
    assert {row["last_margin"] for row in rows} == {reach}
    count = MARGINS.index(reach) + 1
    for row in rows:
        values = counted.networks[row["network"]].margins["relevance_ratio"][:count].tolist()
        expected = oracle.area(values, MARGINS[:count], [1.0] * len(unit.ids))
        assert row["area"] == pytest.approx(expected)


def test_a_network_without_any_concept_has_no_area_and_leaves_the_others_theirs():
    unit = synthetic_unit()
    blank = unit.networks["teacher"]
    blank = replace(blank, measured=replace(blank.measured, entropy=torch.zeros_like(blank.measured.entropy)))
    rows = area_rows([count_unit(replace(unit, networks={**unit.networks, "teacher": blank}))])
    areas = {row["network"]: row.get("area") for row in rows}
    assert areas["teacher"] is None and 0 < areas["baseline"] < 1
    assert {row["last_margin"] for row in rows} == {0.5}


def test_the_estimators_noise_widens_the_areas_interval_and_leaves_its_value():
    quiet, noisy = (area_rows([count_unit(synthetic_unit(noise=noise))]) for noise in (0.0, 0.3))
    for before, after in zip(quiet, noisy, strict=True):
        assert after["area"] == before["area"]
        assert after["high"] - after["low"] > before["high"] - before["low"], after["network"]
