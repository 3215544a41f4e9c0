"""The table of both presets: what it fills in, what it leaves open, and what the report says of it."""

from dataclasses import fields, replace

import pytest

from kdprobe.errors import ConfigError
from kdprobe.experiment.config import DataConfig, ExperimentConfig, MeasureConfig
from kdprobe.experiment.presets import ROWS, default_of, nested, preset_notes, preset_settings
from kdprobe.training import TrainingSettings

#: settings that neither the paper nor its code knows
OWN = {
    "measure": {"layer", "tolerance", "internal_batch_size", "teacher", "redraws", "resamples"},
    "training": {"device", "on_error"},
}


def view(model="vgg16", data="cub_200_2011", layer="fc1"):
    return {"model": model, "data": {"name": data}, "measure": {"layer": layer}}


def test_every_setting_of_measurement_and_training_is_in_the_table_once_or_known_to_neither():
    named = [row.setting for row in ROWS]
    assert len(named) == len(set(named))
    for section, kind in (("measure", MeasureConfig), ("training", TrainingSettings)):
        listed = {name.removeprefix(f"{section}.") for name in named if name.startswith(f"{section}.")}
        assert listed | OWN[section] == {field.name for field in fields(kind)}
        assert not listed & OWN[section]
    for name in named:
        default_of(name)
    assert all(row.source for row in ROWS)


@pytest.mark.parametrize(
    ("name", "model", "data", "expected"),
    [
        ("paper", "alexnet", "cub_200_2011", {"measure.margin": 0.2, "data.image_size": 227}),
        ("paper", "resnet50", "cub_200_2011", {"measure.margin": 0.25, "measure.scope": "image"}),
        ("released", "vgg16", "cub_200_2011", {"measure.margin": 0.2, "measure.protocol": "cheng2020"}),
        ("released", "resnet50", "ilsvrc2013_det", {"measure.protocol": "cheng2020_resnet"}),
        ("released", "resnet50", "ilsvrc2013_det", {"data.foreground": "central", "training.flips": True}),
        ("released", "vgg16", "pascal_voc_2012", {"data.options.mask_rule": "released"}),
        ("released", "vgg16", "pascal_voc_2012", {"data.foreground": "native", "measure.empty": "zero"}),
        ("released", "vgg16", "cub_200_2011", {"measure.weights": "layer", "measure.scope": "dataset"}),
    ],
)
def test_what_a_preset_fills_in(name, model, data, expected):
    found = preset_settings(name, view(model, data))
    assert {setting: found.get(setting) for setting in expected} == expected


@pytest.mark.parametrize(
    ("model", "layer", "rate"),
    [
        ("vgg16", "fc1", 1e-4),
        ("alexnet", "fc3", 1e-3),
        ("resnet50", "fc2", 0.1),
        ("resnet50", "fc1", None),
        ("vgg16", "conv", None),
        ("vgg_small", "fc1", None),
    ],
)
def test_the_released_rate_of_the_student_goes_by_network_and_layer(model, layer, rate):
    found = preset_settings("released", view(model, layer=layer))
    assert found.get("training.student_learning_rate") == rate
    assert found["training.schedule"] == "log_decade" and found["training.path_length"]


def test_what_is_open_is_not_filled_in():
    paper = preset_settings("paper", view())
    assert not {"measure.weights", "measure.grid", "measure.protocol", "data.options.mask_rule"} & set(paper)
    assert "data.options.mask_rule" not in preset_settings("released", view(data="cluttered_digits"))
    assert "data.image_size" not in preset_settings("released", view("vgg_small"))


def test_an_unknown_preset_is_one_sentence():
    for make in (lambda: preset_settings("printed", view()), lambda: ExperimentConfig(preset="printed")):
        with pytest.raises(ConfigError, match="one of paper, released, got 'printed'"):
            make()


def filled(name, **changes):
    """A config with what the preset fills in."""
    values = nested(preset_settings(name, view()))
    measure = MeasureConfig(**values["measure"])
    return ExperimentConfig(
        preset=name,
        model="vgg16",
        students=values["students"],
        data=DataConfig(name="cub_200_2011", **values["data"]),
        teacher=replace(ExperimentConfig().teacher, **values.get("teacher", {})),
        training=TrainingSettings(**values["training"]),
        measure=replace(measure, **changes),
    )


def test_the_report_names_the_preset_and_every_change():
    assert preset_notes(ExperimentConfig()) == []
    assert preset_notes(filled("released")) == ["Counted by the preset released, nothing changed."]
    assert preset_notes(filled("released", margin=0.25)) == [
        "Counted by the preset released; changed: measure.margin (0.25 instead of 0.2)."
    ]
    wide = preset_notes(filled("released", foreground_share=(0.1, 0.5), weights="all"))[0]
    assert "measure.foreground_share ([0.1, 0.5] instead of [0.0, 1.0])" in wide
    assert "measure.weights (all instead of layer)" in wide


def test_the_report_lists_what_the_paper_leaves_open_with_what_was_used():
    first, second = preset_notes(filled("paper", grid=8))
    assert first == "Counted by the preset paper, nothing changed."
    assert "measure.grid (8)" in second and "measure.weights (dependent)" in second
    assert "measure.margin" not in second
