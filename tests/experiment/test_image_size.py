"""The side of the images where the user names none, and what is said when a network cannot take them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kdprobe.errors import ConfigError
from kdprobe.experiment import (
    ExperimentConfig,
    compare_networks,
    later,
    measure_networks,
    read_config,
    run,
    run_experiment,
)
from kdprobe.experiment.config import DataConfig, MeasureConfig
from kdprobe.experiment.folders import settled
from kdprobe.experiment.setup import with_image_size
from kdprobe.training import TrainingSettings

SMALL = ExperimentConfig(
    model="resnet20",
    training=TrainingSettings(epochs=1, batch_size=8, device="cpu"),
    measure=MeasureConfig(layer="stem", images=2, grid=4, tolerance=None),
)


@pytest.fixture(scope="module")
def photographs(tmp_path_factory) -> DataConfig:
    """Two classes of ten noisy pictures with masks, 50 x 40 pixels."""
    root, generator = tmp_path_factory.mktemp("photographs"), np.random.default_rng(0)
    mask = np.zeros((40, 50), dtype=np.uint8)
    mask[10:30, 10:30] = 255
    for name in ("cat", "dog"):
        for folder in ("images", "masks"):
            (root / folder / name).mkdir(parents=True)
        for k in range(10):
            pixels = generator.integers(0, 256, (40, 50, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(root / "images" / name / f"{k}.png")
            Image.fromarray(mask).save(root / "masks" / name / f"{k}.png")
    return DataConfig(name="image_folder", root=str(root))


def quietly(config: ExperimentConfig, folder: Path, say=lambda _text: None):
    return run_experiment(config, folder, say=say, show_progress=False)


@pytest.mark.parametrize(
    ("model", "data", "given", "size"),
    [
        ("alexnet", "cub_200_2011", None, 227),
        ("vgg16", "cub_200_2011", None, 224),
        ("resnet50", "image_folder", None, 224),
        ("wrn_16_2", "tiny_imagenet", None, 32),
        ("resnet50", "image_folder", 96, 96),
        ("resnet20", "cluttered_digits", None, None),
        ("vgg16", "cluttered_digits", None, None),
        ("vgg_small", "tiny_imagenet", None, None),
        ("my_models.py:mine", "cub_200_2011", None, None),
    ],
)
def test_the_size_is_the_given_one_else_the_networks_else_the_data_sets(model, data, given, size):
    config = ExperimentConfig(model=model, data=DataConfig(name=data, image_size=given))
    settled = with_image_size(config)
    assert settled.data.image_size == size
    assert replace(settled, data=config.data) == config  # nothing else is touched


class Stopped(Exception):
    pass


def test_a_run_loads_the_images_at_that_size_and_writes_it_down(photographs, tmp_path, monkeypatch):
    said, shapes = [], []

    def stop(config, material, *_args, **_options):
        shapes.append(material.train.image_shape)
        raise Stopped

    monkeypatch.setattr(run, "train_all", stop)
    for _ in range(2):  # begun anew, and begun already
        with pytest.raises(Stopped):
            quietly(replace(SMALL, data=photographs), tmp_path, said.append)
        assert read_config(tmp_path).data.image_size == 32
    assert shapes == [(3, 32, 32)] * 2
    assert any("32 x 32 pixels" in line for line in said)


def test_networks_are_measured_and_compared_at_that_size(photographs, tmp_path, monkeypatch):
    def stop(config):
        sizes.append(config.data.image_size)
        raise Stopped

    sizes, config = [], replace(SMALL, data=photographs)
    monkeypatch.setattr(later, "load_material", stop)
    for call in (
        lambda: measure_networks(tmp_path, config),
        lambda: compare_networks(tmp_path, tmp_path, config),
    ):
        with pytest.raises(Stopped):
            call()
    assert sizes == [32, 32]


def test_an_experiment_begun_without_a_size_keeps_the_data_sets_own(photographs, tmp_path):
    """As an older kdprobe left it: null in config.yaml. Another network or data set there is another matter."""
    config = replace(SMALL, data=photographs)
    run.write_config(config, tmp_path)
    assert settled(config, tmp_path) == config
    assert settled(replace(config, model="vgg11"), tmp_path).data.image_size == 224
    cub = replace(config, data=replace(photographs, name="cub_200_2011"))
    assert settled(cub, tmp_path).data.image_size == 32
    (tmp_path / "config.yaml").write_text("not: a config")
    assert settled(config, tmp_path).data.image_size == 32


@pytest.mark.parametrize(
    ("model", "size", "words"),
    [
        (
            "vgg16",
            24,
            r"vgg16 needs RGB images of at least 32 x 32 .*own size is 224 x 224.*image_size to 224",
        ),
        ("alexnet", 32, r"alexnet needs RGB images of at least 63 x 63 .*image_size to 227"),
        ("MINE", 64, r"mine\.py:mine cannot take images of 64 x 64 pixels and 3 channels .*data\.image_size"),
    ],
)
def test_a_size_that_cannot_work_is_refused_with_the_networks_name(photographs, tmp_path, model, size, words):
    (tmp_path / "mine.py").write_text(
        "from torch import nn\n"
        "def mine(num_classes):\n"
        "    return nn.Sequential(nn.Conv2d(3, 4, 3, stride=4), nn.Flatten(), nn.Linear(4 * 8 * 8, num_classes))\n"
    )
    config = replace(
        SMALL,
        model=f"{tmp_path / 'mine.py'}:mine" if model == "MINE" else model,
        data=replace(photographs, image_size=size),
        measure=replace(SMALL.measure, layer="2" if model == "MINE" else "fc1"),
    )
    with pytest.raises(ConfigError, match=words) as caught:
        quietly(config, tmp_path / "out")
    assert "\n" not in str(caught.value) and not (tmp_path / "out").exists()
