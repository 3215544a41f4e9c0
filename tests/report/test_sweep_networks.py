"""Teacher, students and baseline beside each other: mean, lowest and highest seed, what is missing."""

from dataclasses import replace

import pytest
from report.summaries import HIGHER, NAN
from report.sweeps import PLACES, networks
from report.table_readers import csv_rows, markdown_grid

from kdprobe.errors import InputError
from kdprobe.records import Interval
from kdprobe.report import table_csv, table_markdown
from kdprobe.report.sweep_networks import networks_table

SIX = [metric for metric in HIGHER if metric != "learning_distance_var"]


def test_a_network_is_its_mean_between_its_lowest_and_highest_seed():
    values = networks()
    lines = csv_rows(table_csv(networks_table(values, SIX)))
    assert [line["role"] for line in lines[:3]] == ["teacher", "student", "baseline"]
    assert len(lines) == 3 * len(PLACES)
    for line in lines:
        own = [
            v
            for v in values
            if [v.data, v.model, v.layer, v.network]
            == [line[k] for k in ("data", "model", "layer", "network")]
        ]
        found = {m: [v.value.value for v in own if v.metric == m] for m in SIX}
        found["accuracy"] = [v.accuracy for v in own if v.metric == "stability"]
        for name, seeds in found.items():
            assert len(seeds) == 3
            assert float(line[name]) == pytest.approx(sum(seeds) / 3, rel=1e-14)
            assert [line[f"{name}_low"], line[f"{name}_high"]] == [repr(min(seeds)), repr(max(seeds))]
            assert line[f"{name}_seeds"] == "3"
        for metric in SIX:
            assert line[f"{metric}_n"] == str(sum(v.value.n for v in own if v.metric == metric))


def test_one_seed_alone_shows_its_own_interval_and_no_range():
    values = networks(seeds=(5,))
    table = networks_table(values, SIX)
    line = csv_rows(table_csv(table))[2]
    (own,) = (
        v.value
        for v in values
        if (v.data, v.model, v.layer) == PLACES[0] and v.network == "baseline" and v.metric == SIX[0]
    )
    assert [line[SIX[0] + end] for end in ("", "_low", "_high")] == [
        repr(x) for x in (own.value, own.low, own.high)
    ]
    assert line["accuracy"] and line["accuracy_low"] == ""
    assert "lowest" not in table.caption and "Mean over 1 seed." in table.caption
    mixed = networks_table([*values, *networks(places=[("cifar", "a", "b")])], SIX).caption
    assert (
        "Mean over 1–3 seeds." in mixed
        and "Where seeds is 1" in mixed
        and "lowest and the highest seed" in mixed
    )


def test_what_a_network_lacks_is_left_out_and_counted():
    values = [
        replace(v, value=Interval(NAN, NAN, NAN, 0), accuracy=NAN if v.network == "teacher" else v.accuracy)
        if v.network == "teacher" and (v.metric == "stability" or v.seed == 1)
        else replace(v, accuracy=NAN)
        if v.network == "teacher"
        else v
        for v in networks(places=PLACES[:1])
    ]
    table = networks_table(values, SIX)
    teacher = markdown_grid(table_markdown(table))[0]
    assert [cell.text for cell in teacher[4:]].count("n/a") == 2  # accuracy and rho
    assert not teacher[-1].text.startswith("0")  # n: of metrics that have a value
    line = csv_rows(table_csv(table))[0]
    assert (line["accuracy"], line["accuracy_seeds"], line["stability_seeds"]) == ("", "0", "0")
    assert line["n_foreground_seeds"] == "2"


def test_two_accuracies_of_one_network_are_refused():
    values = networks()
    with pytest.raises(InputError, match="baseline has several accuracies for seed 0"):
        networks_table([*values[:1], replace(values[1], accuracy=0.123), *values[2:]], SIX)
