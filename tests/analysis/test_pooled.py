"""Student against baseline over several seeds: which images and seeds enter, and what is made of the p values."""

import dataclasses

import numpy as np
import pytest
import torch
from synthetic_units import SETTINGS, planted, synthetic_unit, synthetic_units

from kdprobe.analysis import pooled_comparisons
from kdprobe.metrics import METRICS

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


def test_a_planted_advantage_is_found_and_none_is_not():
    better = by_metric(pooled_comparisons(synthetic_units((0, 1, 2, 3), advantage=0.4, **QUICK)))
    same = by_metric(pooled_comparisons(synthetic_units((0, 1, 2, 3), advantage=0.0, **QUICK)))
    for metric in ("n_foreground", "relevance_ratio", "learning_distance_mean"):
        assert better["student-kd", "fc1", metric].verdict == "supported"
        assert better["student-kd", "fc1", metric].p_nested < same["student-kd", "fc1", metric].p_nested
    assert {c.verdict for c in same.values()} == {"undecided"}


def test_p_values_are_corrected_for_the_whole_list():
    found = pooled_comparisons(
        [unit for layer in ("fc1", "conv") for unit in synthetic_units(layer=layer, **QUICK)]
    )
    assert len(found) == 14
    raw = np.array([c.p_nested for c in found])
    order = np.argsort(raw, kind="stable")
    largest, expected = 0.0, np.empty(14)
    for place, index in enumerate(order):
        largest = max(largest, raw[index] * (14 - place))
        expected[index] = min(largest, 1.0)
    assert [c.p_holm for c in found] == pytest.approx(expected.tolist(), rel=1e-12)


def test_with_one_seed_the_claim_is_about_these_networks_alone():
    found = pooled_comparisons([synthetic_unit(**QUICK)])
    assert all(np.isnan(c.p_nested) and c.seeds == 1 for c in found)
    assert all(c.p_holm >= c.p_permutation for c in found)


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
