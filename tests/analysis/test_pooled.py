"""Student against baseline over several seeds: which images and seeds enter, and what is made of the p values."""

import dataclasses

import numpy as np
import pytest
import torch
from synthetic_units import SETTINGS, planted, synthetic_unit, synthetic_units

from kdprobe.analysis import pooled_comparisons
from kdprobe.metrics import CLAIMS, METRICS, difference_tests, nested_difference, nested_interval, verdict
from kdprobe.records import Interval, PooledComparison

QUICK = {"settings": SETTINGS, "images": 8, "epochs": 3}


def by_metric(found):
    return {(c.student, c.layer, c.metric): c for c in found}


def test_the_pooled_difference_is_the_mean_over_the_seeds_of_what_was_planted():
    units = synthetic_units(**QUICK)
    found = by_metric(pooled_comparisons(units))
    assert [name for _, _, name in found] == list(METRICS)
    expected = []
    for unit in units:
        counts = []
        for name in ("student-kd", "baseline"):
            maps = planted(name, seed=unit.seed, images=8, epochs=3)[-1]
            counts.append((maps & unit.foreground).sum((1, 2)).double().mean())
        expected.append(float(counts[0] - counts[1]))
    pooled = found["student-kd", "fc1", "n_foreground"]
    assert pooled.difference.value == pytest.approx(np.mean(expected), rel=1e-12)
    assert pooled.student_value.value - pooled.baseline_value.value == pytest.approx(
        np.mean(expected), rel=1e-12
    )
    assert (pooled.seeds, pooled.n, pooled.data, pooled.model) == (3, 24, "planted", "vgg_small")
    assert pooled.difference.low <= pooled.images.low <= pooled.images.high <= pooled.difference.high


def test_every_field_is_that_of_the_metrics_with_noise_and_with_the_images_that_seeds_share():
    """Two seeds: Student's t reaches beyond what counts and shares can be, so that the limits are seen to cut."""
    units = synthetic_units((0, 1), pool=10, noise=0.1, **QUICK)
    assert 0 < len(set(units[0].ids) & set(units[1].ids)) < 8
    cut = told_apart = 0
    for found in pooled_comparisons(units):
        metric = METRICS[found.metric]
        taken = {name: [unit.values(name) for unit in units] for name in ("student-kd", "baseline")}
        columns = {name: [each.values[found.metric] for each in own] for name, own in taken.items()}
        noise = {name: [each.noise[found.metric] for each in own] for name, own in taken.items()}
        lacking = [a.isnan() | b.isnan() for a, b in zip(*columns.values(), strict=True)]
        columns = {
            name: [each.masked_fill(out, torch.nan) for each, out in zip(own, lacking, strict=True)]
            for name, own in columns.items()
        }
        options = {
            "statistic": metric.statistic,
            "seed": SETTINGS.seed,
            "images": [unit.ids for unit in units],
            "resamples": SETTINGS.resamples,
        }
        both = {"student_noise": noise["student-kd"], "baseline_noise": noise["baseline"], **options}
        difference = nested_difference(columns["student-kd"], columns["baseline"], **both)
        tests = difference_tests(columns["student-kd"], columns["baseline"], **both)
        own = {
            name: nested_interval(columns[name], noise=noise[name], limits=metric.range, **options)
            for name in columns
        }
        free = {name: nested_interval(columns[name], noise=noise[name], **options) for name in columns}
        cut += own["baseline"].low > free["baseline"].low or own["baseline"].high < free["baseline"].high
        expected = PooledComparison(
            data="planted",
            model="vgg_small",
            layer="fc1",
            student="student-kd",
            baseline="baseline",
            metric=found.metric,
            student_value=interval(own["student-kd"]),
            baseline_value=interval(own["baseline"]),
            difference=interval(difference),
            images=Interval(difference.value, difference.images_low, difference.images_high, difference.n),
            seeds=2,
            n=difference.n,
            p_permutation=tests.p_permutation,
            p_wilcoxon=tests.p_wilcoxon,
            p_nested=tests.p_nested,
            p_holm=found.p_holm,  # of the whole list: tested below
            effect=tests.effect,
            detectable=tests.detectable,
            verdict=verdict(difference, metric.higher_is_better),
        )
        assert found == expected
        assert found.images != found.difference
        told_apart += tests.p_wilcoxon != tests.p_seeds and tests.detectable != tests.effect
    assert cut > 0 and told_apart > 0


def interval(nested):
    return Interval(nested.value, nested.low, nested.high, nested.n)


def test_the_estimators_noise_widens_every_interval_and_leaves_the_values():
    quiet, noisy = (by_metric(pooled_comparisons([synthetic_unit(noise=n, **QUICK)])) for n in (0.0, 0.3))
    before, after = (found["student-kd", "fc1", "n_foreground"] for found in (quiet, noisy))
    for field in ("student_value", "baseline_value", "difference", "images"):
        less, more = getattr(before, field), getattr(after, field)
        assert more.value == less.value
        assert more.high - more.low > less.high - less.low, field
    assert after.detectable > before.detectable


def test_a_planted_advantage_is_found_and_none_is_not():
    better = by_metric(pooled_comparisons(synthetic_units((0, 1, 2, 3), advantage=0.4, **QUICK)))
    same = by_metric(pooled_comparisons(synthetic_units((0, 1, 2, 3), advantage=0.0, **QUICK)))
    for metric in ("n_foreground", "relevance_ratio", "learning_distance_mean"):
        assert better["student-kd", "fc1", metric].verdict == "supported"
        assert better["student-kd", "fc1", metric].p_nested < same["student-kd", "fc1", metric].p_nested
    assert {c.verdict for c in same.values()} == {"undecided"}


def test_p_values_are_corrected_for_the_whole_list_and_the_spread_of_d_counts_once():
    """Two layers of six claims; the variance of D is none of its own."""
    found = pooled_comparisons(
        [unit for layer in ("fc1", "conv") for unit in synthetic_units(layer=layer, **QUICK)]
    )
    assert len(found) == 14
    claims = [c for c in found if c.metric != "learning_distance_var"]
    raw = [c.p_nested for c in claims]
    largest, expected = 0.0, np.empty(12)
    for place, index in enumerate(np.argsort(raw, kind="stable")):
        largest = max(largest, raw[index] * (12 - place))
        expected[index] = min(largest, 1.0)
    assert [c.p_holm for c in claims] == pytest.approx(expected.tolist(), rel=1e-12)
    assert all(0 < p < 1 for p in (min(expected), min(raw)))
    variances = [c for c in found if c not in claims]
    assert (
        all(np.isnan(c.p_holm) and c.p_nested <= 1 and c.verdict for c in variances) and len(variances) == 2
    )


def test_with_one_seed_the_claim_is_about_these_networks_alone():
    found = pooled_comparisons([synthetic_unit(**QUICK)])
    assert all(np.isnan(c.p_nested) and c.seeds == 1 for c in found)
    assert all(c.p_holm >= c.p_permutation for c in found if c.metric in CLAIMS)


def test_students_are_compared_each_for_itself_and_a_unit_without_baseline_with_none():
    units = [
        synthetic_unit(students=("kd", "feature"), **QUICK),
        synthetic_unit(seed=1, students=("kd",), **QUICK),
    ]
    units.append(synthetic_unit(seed=2, baseline=False, **QUICK))
    found = by_metric(pooled_comparisons(units))
    assert found["student-kd", "fc1", "stability"].seeds == 2
    assert found["student-feature", "fc1", "stability"].seeds == 1
    assert pooled_comparisons(units[2:]) == []


def test_d_and_rho_are_compared_only_where_the_same_epochs_are_kept():
    unit = synthetic_unit(**QUICK)
    student = unit.networks["student-kd"]
    measured = student.measured
    shorter = dataclasses.replace(
        measured,
        entropy=measured.entropy[:-1],
        std_error=measured.std_error[:-1],
        noise=measured.noise[:-1],
        epochs=measured.epochs[:-1],
        path=measured.path[:-1],
    )
    networks = {**unit.networks, "student-kd": dataclasses.replace(student, measured=shorter)}
    found = pooled_comparisons([dataclasses.replace(unit, networks=networks)])
    assert [c.metric for c in found] == ["n_foreground", "n_background", "relevance_ratio"]


def test_an_image_without_a_value_in_one_network_enters_neither_mean():
    unit = synthetic_unit(**QUICK)
    baseline = unit.networks["baseline"]
    entropy = baseline.measured.entropy.clone()
    entropy[:, 0] = entropy[:, 0].mean()  # no concept at any epoch
    networks = {
        **unit.networks,
        "baseline": dataclasses.replace(
            baseline, measured=dataclasses.replace(baseline.measured, entropy=entropy)
        ),
    }
    changed = dataclasses.replace(unit, networks=networks)
    found = by_metric(pooled_comparisons([changed]))["student-kd", "fc1", "relevance_ratio"]
    values = changed.values("student-kd").values["relevance_ratio"]
    assert found.n == 7 and not torch.isnan(values[0])
    assert found.student_value.value == pytest.approx(float(values[1:].mean()), rel=1e-12)
