"""Tables of networks and of single images, against the plain oracles."""

from dataclasses import replace

import pytest
import torch
from analysis.rows import chosen, image_values
from oracles import knowledge as oracle
from oracles import metrics as metrics_oracle
from synthetic_units import SETTINGS, planted, synthetic_unit

from kdprobe.analysis.knowledge import (
    accuracy_rows,
    count_unit,
    curve_rows,
    histogram_rows,
    network_rows,
    peak_rows,
)
from kdprobe.metrics import METRICS

IMAGES, EPOCHS, MARGIN = 12, 5, 0.2


@pytest.fixture(scope="module")
def unit():
    return synthetic_unit(seed=5, first_epoch=4)


def test_networks_have_every_metric_and_their_accuracy(unit, counted):
    rows = network_rows(counted)
    assert len(rows) == 3 * len(METRICS)
    for name, network in unit.networks.items():
        expected = image_values(unit, name)
        own = {row["metric"]: row for row in chosen(rows, network=name)}
        assert {row["accuracy"] for row in own.values()} == {network.accuracy}
        for metric in ("n_foreground", "n_background", "relevance_ratio", "stability"):
            assert own[metric]["value"] == pytest.approx(metrics_oracle.mean(expected[metric])), metric
        distance = own["learning_distance_var"]
        assert distance["value"] == pytest.approx(metrics_oracle.variance(expected["distance"]))
        assert distance["low"] <= distance["value"] <= distance["high"] and distance["n"] <= IMAGES


def test_curves_run_over_the_stages_own_epochs_with_path_and_accuracy(unit, counted):
    rows = curve_rows(counted)
    for name, network in unit.networks.items():
        accuracy = chosen(rows, network=name, metric="accuracy")
        assert [row["epoch"] for row in accuracy] == list(range(EPOCHS + 1))
        assert [row["value"] for row in accuracy] == list(network.accuracy_by_epoch)
        assert [row["path"] for row in accuracy] == network.measured.path.tolist()
        assert "low" not in accuracy[0] and "n" not in accuracy[0]
        maps = planted(name, seed=5)
        for kind, cells in (("n_foreground", unit.foreground), ("n_background", ~unit.foreground)):
            found = chosen(rows, network=name, metric=kind)
            expected = (maps & cells).sum((-2, -1)).double().mean(1).tolist()
            assert [row["value"] for row in found] == pytest.approx(expected)
            assert all(row["low"] <= row["value"] <= row["high"] and row["n"] == IMAGES for row in found)


def test_accuracy_stands_beside_every_metric_of_its_epoch(unit, counted):
    rows = accuracy_rows(counted)
    network = unit.networks["student-kd"]
    maps = planted("student-kd", seed=5)
    for epoch in range(EPOCHS + 1):
        own = {row["metric"]: row for row in chosen(rows, network="student-kd", epoch=epoch)}
        assert {row["accuracy"] for row in own.values()} == {network.accuracy_by_epoch[epoch]}
        assert own["path"]["value"] == float(network.measured.path[epoch])
        assert set(own) >= {"n_foreground", "n_background", "relevance_ratio", "path"}
        assert ("stability_so_far" in own) == (epoch > 0)
        if epoch:
            so_far = [
                metrics_oracle.stability(
                    [each[i].tolist() for each in maps[1 : epoch + 1]], unit.foreground[i].tolist(), "skip"
                )
                for i in range(IMAGES)
            ]
            assert own["stability_so_far"]["value"] == pytest.approx(metrics_oracle.mean(so_far))


def test_accuracy_has_the_gains_losses_and_overlap_of_the_foreground_beside_it(unit, counted):
    rows, teacher = accuracy_rows(counted), planted("teacher", seed=5)[-1]
    cells = unit.foreground.tolist()
    for name in unit.networks:
        maps = planted(name, seed=5)
        changes = [oracle.forgetting(maps[:, i].tolist(), cells[i], False) for i in range(IMAGES)]
        for epoch in range(EPOCHS + 1):
            own = {row["metric"]: row["value"] for row in chosen(rows, network=name, epoch=epoch)}
            assert ("gained" in own) == ("lost" in own) == (epoch > 0)
            if epoch:
                for place, metric in ((1, "gained"), (2, "lost")):
                    expected = metrics_oracle.mean([image[place][epoch] for image in changes])
                    assert own[metric] == pytest.approx(expected), (name, epoch, metric)
            assert ("overlap" in own) == (name != "teacher")
            if name != "teacher":
                shared = [
                    oracle.overlap(maps[epoch, i].tolist(), teacher[i].tolist(), cells[i])
                    for i in range(IMAGES)
                ]
                assert own["overlap"] == pytest.approx(metrics_oracle.mean(shared))


@pytest.mark.parametrize("initial, first", [(False, 1), ("rho", 1), (True, 0)])
def test_peaks_name_the_first_epoch_with_most_concepts_by_its_number(unit, initial, first):
    """Of epochs 4, 5, 8, ... kept, the third is the stage's fourth."""
    kept = (4, 5, 8, 9, 12, 30)
    networks = {
        name: replace(network, measured=replace(network.measured, epochs=kept))
        for name, network in unit.networks.items()
    }
    chosen_settings = replace(SETTINGS, initial=initial)
    rows = peak_rows(count_unit(replace(unit, networks=networks, settings=chosen_settings)))
    for name in networks:
        own = chosen(rows, network=name)
        assert [row["image"] for row in own] == list(unit.ids)
        assert [row["class"] for row in own] == [unit.classes[label] for label in unit.labels]
        inside = (planted(name, seed=5) & unit.foreground).sum((-2, -1))
        for image, row in enumerate(own):
            numbers = inside[first:, image].tolist()
            place = first + numbers.index(max(numbers))
            assert max(numbers) > 0 and row["peak_epoch"] == kept[place] - 4
            assert row["distance"] == float(networks[name].measured.path[place])


def test_an_image_that_never_had_a_concept_has_no_peak(unit):
    entropy = unit.networks["baseline"].measured.entropy.clone()
    entropy[:, 2] = 0.0  # far above H-bar
    network = unit.networks["baseline"]
    network = replace(network, measured=replace(network.measured, entropy=entropy))
    for empty, peak in (("skip", None), ("zero", 1)):
        changed = replace(unit, networks={"baseline": network}, settings=replace(SETTINGS, empty=empty))
        row = peak_rows(count_unit(changed))[2]
        assert row["peak_epoch"] == peak and (row["distance"] is None) == (peak is None)


def test_histograms_hold_every_cell_of_the_last_epoch(unit, counted):
    rows = histogram_rows(counted)
    for name, network in unit.networks.items():
        last = network.measured.entropy[-1]
        baselines = metrics_oracle.baselines(last.tolist(), unit.foreground.tolist(), "dataset")
        for kind, cells in counted.cells.items():
            own = chosen(rows, network=name, cells=kind)
            edges = [row["low_edge"] for row in own] + [own[-1]["high_edge"]]
            assert [row["high_edge"] for row in own] == edges[1:]
            assert [row["count"] for row in own] == oracle.bin_counts(last[cells].tolist(), edges)
            assert sum(row["count"] for row in own) == int(cells.sum())
            assert own[0]["baseline_entropy"] == pytest.approx(baselines[0]) and own[0]["margin"] == MARGIN
    assert int(torch.stack(list(counted.cells.values())).sum()) == unit.foreground.numel()


def test_histograms_have_no_baseline_entropy_where_every_image_has_its_own(unit):
    own = count_unit(replace(unit, settings=replace(unit.settings, scope="image")))
    assert {row["baseline_entropy"] for row in histogram_rows(own)} == {None}
