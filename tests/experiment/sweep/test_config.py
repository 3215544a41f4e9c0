"""What a sweep is over: how settings come together, and what is refused."""

import pytest
import yaml

from kdprobe.errors import ConfigError
from kdprobe.experiment.sweep import SweepConfig, read_sweep, with_roots
from kdprobe.experiment.sweep.config import merged


def sweep(**changed):
    parts = {
        "data": {"digits": {"data": {"name": "cluttered_digits", "classes": 3}, "training": {"epochs": 4}}},
        "models": {
            "small": {"model": "vgg_small", "training": {"batch_size": 8}},
            "res": {"model": "resnet20"},
        },
        "base": {"training": {"epochs": 9, "batch_size": 16}, "measure": {"margin": 0.3}},
    }
    return SweepConfig(**{**parts, **changed})


def test_the_network_comes_after_the_data_set_and_that_after_the_base():
    config = sweep().experiment("digits", "small", 7)
    assert (config.training.epochs, config.training.batch_size) == (4, 8)
    assert (config.data.name, config.data.classes, config.model) == ("cluttered_digits", 3, "vgg_small")
    assert (config.seed, config.students, config.measure.layer, config.measure.margin) == (
        7,
        ["kd"],
        "fc1",
        0.3,
    )
    assert sweep().experiment("digits", "res", 0).training.batch_size == 16


def test_a_network_may_have_layers_of_its_own_and_the_first_is_imitated():
    models = {"small": {"model": "vgg_small"}, "res": {"model": "resnet20", "layers": ["pool", "stage3"]}}
    own = sweep(models=models, layers=["fc2", "conv"])
    assert own.layers_of("small") == ("fc2", "conv") and own.layers_of("res") == ("pool", "stage3")
    assert own.experiment("digits", "res", 0).measure.layer == "pool"


def test_a_preset_fills_in_what_nobody_set():
    config = sweep(base={"preset": "released", "measure": {"margin": 0.3}}).experiment("digits", "small", 0)
    assert (config.preset, config.measure.empty, config.measure.margin) == ("released", "zero", 0.3)
    assert config.training.epochs == 4


def test_groups_are_merged_and_anything_else_is_replaced():
    below = {"a": {"b": 1, "c": [1, 2]}, "d": 2}
    assert merged(below, {"a": {"c": [3]}, "e": 4}) == {"a": {"b": 1, "c": [3]}, "d": 2, "e": 4}
    assert below == {"a": {"b": 1, "c": [1, 2]}, "d": 2}


def test_folders_of_data_sets_are_given_by_name():
    placed = with_roots(sweep(), {"digits": "/somewhere"}).experiment("digits", "small", 0)
    assert (placed.data.root, placed.data.classes) == ("/somewhere", 3)
    with pytest.raises(ConfigError, match="no data set 'digit'; it has digits"):
        with_roots(sweep(), {"digit": "/somewhere"})


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"seeds": []}, r"seeds of a sweep must name at least one, each once; got \[\]"),
        ({"seeds": [1, 1]}, r"each once; got \[1, 1\]"),
        ({"data": {"../up": {}}}, "'../up' cannot name a data set"),
        ({"models": {"small": {"layers": "fc1"}}}, "layers of 'small' must be a list of names, got 'fc1'"),
        ({"models": {"small": 3}}, "'small' of a sweep must hold settings of an experiment, got 3"),
    ],
)
def test_what_is_no_sweep_is_refused_with_one_sentence(changed, said):
    with pytest.raises(ConfigError, match=said):
        sweep(**changed)


@pytest.mark.parametrize(
    ("base", "said"),
    [
        ({"seed": 3}, "seed is what a sweep varies"),
        ({"measure": {"layer": "conv"}}, "measure.layer is what a sweep varies"),
        ({"training": {"epoch": 3}}, "settings of digits, small are no experiment: unknown setting epoch"),
    ],
)
def test_settings_that_cannot_be_are_refused_when_the_file_is_read(base, said, tmp_path):
    content = {"data": {"digits": {}}, "models": {"small": {}}, "base": base}
    (tmp_path / "sweep.yaml").write_text(yaml.safe_dump(content))
    with pytest.raises(ConfigError, match=said):
        read_sweep(tmp_path / "sweep.yaml")
