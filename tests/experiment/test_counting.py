"""From the config to the way of counting, and what is said of it."""

from dataclasses import replace

import pytest

from kdprobe.analysis import SampleFilter
from kdprobe.errors import ConfigError
from kdprobe.experiment.config import DataConfig, ExperimentConfig, MeasureConfig, TeacherConfig
from kdprobe.experiment.counting import check_filter, count_settings, counting_sentences, sample_filter
from kdprobe.experiment.setup import load_material

#: no value is the default
OTHER = MeasureConfig(
    margin=0.31,
    scope="image",
    empty="zero",
    initial="rho",
    path_lag=1,
    spread="var",
    redraws=7,
    resamples=77,
    path="steps",
    weights="all",
    cell_rule="any",
    sample_filter="released",
    filter_from_epoch=3,
    filter_keep=9,
)


def config(**changes):
    return ExperimentConfig(seed=5, measure=replace(MeasureConfig(), **changes))


def test_every_setting_of_the_config_reaches_the_analyses():
    found = count_settings(ExperimentConfig(seed=5, measure=OTHER))
    for name, value in vars(found).items():
        assert value == (5 if name == "seed" else getattr(OTHER, name)), name
        assert value != getattr(count_settings(ExperimentConfig()), name), name
    assert sample_filter(ExperimentConfig(measure=OTHER)) == SampleFilter(3, 9)
    assert sample_filter(ExperimentConfig()) is None


def test_the_rule_of_the_cells_reaches_the_probe_images():
    few = replace(ExperimentConfig(), data=DataConfig(images_per_class=2, classes=["0", "1"]))
    cells = {
        rule: load_material(
            replace(
                few, measure=MeasureConfig(images=2, foreground_share=(0.01, 0.9), cell_rule=rule, grid=8)
            )
        ).probe.foreground_cells.sum()
        for rule in ("majority", "any")
    }
    assert cells["majority"] < cells["any"]


def test_a_teachers_rate_that_cannot_be_used_is_refused():
    with pytest.raises(
        ConfigError, match=r"teacher\.learning_rate must be a number above 0, or null, got -1"
    ):
        TeacherConfig(learning_rate=-1.0)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"margin": 0.31}, "more than 0.31 nats"),
        ({"scope": "image"}, "its own image's"),
        ({"empty": "zero"}, "count as 0 in lambda and rho, and in D as learned first"),
        ({"initial": True}, "D and rho count from epoch 0 on"),
        ({"initial": "rho"}, "D and rho count from epoch 1 (rho: 0) on"),
        ({"path_lag": 1}, "looked up one kept epoch too early"),
        ({"spread": "var"}, "D_mean and D_var"),
        ({"path": "steps"}, "summed over all optimiser steps"),
        ({"weights": "layer"}, "the layer's weight matrix alone"),
        ({"cell_rule": "released"}, "foreground by the rule released"),
        (
            {"sample_filter": "released", "filter_from_epoch": 7, "filter_keep": 9},
            "sample filter of the released code from epoch 7 on, at most 9 images of each network",
        ),
        (
            {"sample_filter": "released", "filter_keep": None},
            "sample filter of the released code from epoch 40 on. D is",
        ),
    ],
)
def test_every_departure_is_said_and_nothing_else(changes, words):
    assert words in counting_sentences(config(**changes))
    assert words not in counting_sentences(config())


def test_the_preset_is_named_where_tables_and_console_see_it():
    assert counting_sentences(config()).startswith("How it was counted: a concept")
    named = counting_sentences(replace(config(), preset="released"))
    assert named.startswith(
        "How it was counted (by the preset released, where nothing else was set): a concept"
    )


def test_a_lag_without_an_epoch_before_the_first_is_refused():
    with pytest.raises(ConfigError, match=r"measure\.path_lag 1 .* set measure\.initial rho"):
        config(initial=True, path_lag=1)
    with pytest.raises(ConfigError, match=r"measure\.initial must be one of .*rho, got 'D'"):
        config(initial="D")


def test_a_filter_that_looks_at_no_epoch_is_refused():
    check_filter(config(), "student", 6)
    check_filter(config(sample_filter="released"), "student", 40)
    with pytest.raises(ConfigError, match="from 40 on, and student is analysed up to epoch 39"):
        check_filter(config(sample_filter="released"), "student", 39)
