"""From the config to the objects that it names: data, probe images, networks."""

import hashlib
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn

from kdprobe.analysis import MeasureSettings
from kdprobe.data import LabelledImages, Probe, load_data, select_probe
from kdprobe.experiment.config import ExperimentConfig
from kdprobe.networks import build_network, load_weights
from kdprobe.training import derive_seed


@dataclass(frozen=True)
class Material:
    """The data of an experiment, loaded once."""

    train: LabelledImages
    test: LabelledImages
    probe: Probe
    content: str  #: sha256 of the training images and labels


def load_material(config: ExperimentConfig) -> Material:
    """Both splits and the probe images. What is drawn is drawn by the experiment's seed."""
    data = config.data
    options = {
        "root": data.root,
        "image_size": data.image_size,
        "classes": data.classes,
        "foreground": data.foreground,
        "seed": config.seed,
        **data.options,
    }
    train = load_data(data.name, split="train", images_per_class=data.images_per_class, **options)
    test = load_data(data.name, split="test", **options)
    measure = config.measure
    probe = select_probe(
        train,
        measure.images,
        foreground_share=measure.foreground_share,
        seed=config.seed,
        grid=measure.grid,
        rule=measure.cell_rule,
    )
    content = hashlib.sha256(train.images.numpy().tobytes() + train.labels.numpy().tobytes()).hexdigest()
    return Material(train, test, probe, content)


def build(config: ExperimentConfig, material: Material, role: str) -> nn.Module:
    """A network before its training: student and baseline of one seed are bitwise the same, the teacher is another."""
    model = build_network(
        config.model,
        num_classes=len(material.train.classes),
        image_shape=material.train.image_shape,
        seed=derive_seed(config.seed, "initial weights", "teacher" if role == "teacher" else "learner"),
        **model_options(config, role),
    )
    if role == "teacher" and config.teacher.weights is not None:
        load_weights(model, config.teacher.weights)
    return model.to(device(config))


def build_empty(config: ExperimentConfig, material: Material, role: str) -> nn.Module:
    """The same network for weights that are about to be loaded: no file of the teacher's is read."""
    bare = replace(config.teacher, weights=None, pretrained=False)
    return build(replace(config, teacher=bare), material, role)


def model_options(config: ExperimentConfig, role: str) -> dict[str, Any]:
    """The options of the architecture; where the teacher starts is its own."""
    if role != "teacher" or not config.teacher.pretrained:
        return config.model_options
    return {**config.model_options, "pretrained": config.teacher.pretrained}


def device(config: ExperimentConfig) -> torch.device:
    usable = torch.cuda.is_available() and config.training.device != "cpu"
    return torch.device("cuda" if usable else "cpu")


def measure_settings(config: ExperimentConfig) -> MeasureSettings:
    measure = config.measure
    return MeasureSettings(
        layer=measure.layer,
        protocol=measure.protocol,
        solver=measure.solver,
        grid=measure.grid,
        seed=config.seed,
        internal_batch_size=measure.internal_batch_size,
        tolerance=measure.tolerance,
    )
