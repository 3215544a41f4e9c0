"""From the config to the objects that it names: data, probe images, networks."""

import hashlib
from dataclasses import dataclass, replace
from itertools import chain

import torch
from torch import nn

from kdprobe.analysis import MeasurePlan, MeasureSettings, plan_measurement, weight_names
from kdprobe.data import LabelledImages, Probe, load_data, select_probe
from kdprobe.errors import ConfigError
from kdprobe.estimator.taps import untouched
from kdprobe.experiment.architecture import architecture, initial_weights
from kdprobe.experiment.config import ExperimentConfig
from kdprobe.networks import build_network, load_weights, native_size
from kdprobe.recipes import Network, Peer
from kdprobe.training import derive_seed

_AT_ONCE = 64  #: images that are hashed at a time
_EMBEDDED = ("cluttered_digits",)  #: data made at the size that they are for


@dataclass(frozen=True)
class Material:
    """The data of an experiment, loaded once."""

    train: LabelledImages
    test: LabelledImages
    probe: Probe
    content: str  #: sha256 of the training images and labels


def with_image_size(config: ExperimentConfig) -> ExperimentConfig:
    """`config` with the side of the images that its network was made for, if it names none.

    The data set's own size stands for networks of one's own, for vgg_small and for the embedded digits.
    """
    side = native_size(config.model)
    if config.data.image_size is not None or side is None or config.data.name in _EMBEDDED:
        return config
    return replace(config, data=replace(config.data, image_size=side))


def load_material(config: ExperimentConfig) -> Material:
    """Both splits and the probe images. What is drawn is drawn by the experiment's seed, or the probe's own."""
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
        seed=config.seed if measure.probe_seed is None else measure.probe_seed,
        grid=measure.grid,
        rule=measure.cell_rule,
    )
    return Material(train, test, probe, content_digest(train))


def content_digest(data: LabelledImages) -> str:
    """sha256 (hex) of the normalised images of `data`, then its labels; made from a few images at a time."""
    digest = hashlib.sha256()
    for part in chain(data.normalised.split(_AT_ONCE), (data.labels,)):
        digest.update(part.contiguous().flatten().view(torch.uint8).numpy())
    return digest.hexdigest()


def build(
    config: ExperimentConfig, material: Material, role: str, network: Network | Peer | None = None
) -> nn.Module:
    """A network before its training: student and baseline of one seed are bitwise the same, the teacher is another.

    `network`: what a recipe says of an assistant or a peer. Raises ConfigError if there is no such architecture.
    """
    name, options = architecture(config, role, network)
    model = build_network(
        name,
        num_classes=len(material.train.classes),
        image_shape=material.train.image_shape,
        seed=derive_seed(config.seed, "initial weights", initial_weights(role, network)),
        **options,
    )
    if role == "teacher" and config.teacher.weights is not None:
        load_weights(model, config.teacher.weights)
    return model.to(device(config))


def build_empty(
    config: ExperimentConfig, material: Material, role: str, network: Network | Peer | None = None
) -> nn.Module:
    """The same network for weights that are about to be loaded: no file of the teacher's is read."""
    bare = replace(config.teacher, weights=None, pretrained=False)
    return build(replace(config, teacher=bare), material, role, network)


def device(config: ExperimentConfig) -> torch.device:
    usable = torch.cuda.is_available() and config.training.device != "cpu"
    return torch.device("cuda" if usable else "cpu")


def measure_plan(config: ExperimentConfig, model: nn.Module, probe: Probe) -> MeasurePlan:
    """How `model` is measured. Raises ConfigError if it cannot take images of the probe's size."""
    try:
        return plan_measurement(model, probe, measure_settings(config))
    except torch.OutOfMemoryError:
        raise
    except RuntimeError:  # torch says of the layers only that they do not fit
        _check_size(config, model, probe.images[:1].to(device(config)))
        raise


def _check_size(config: ExperimentConfig, model: nn.Module, image: torch.Tensor) -> None:
    try:
        with untouched(model), torch.no_grad():
            model(image)
    except RuntimeError as error:
        channels, height, width = image.shape[1:]
        reason = " ".join(str(error).split())
        raise ConfigError(
            f"{config.model} cannot take images of {width} x {height} pixels and {channels} channels ({reason}); set "
            "data.image_size to a side that it takes."
        ) from error


def followed_weights(config: ExperimentConfig, model: nn.Module, probe: Probe) -> tuple[str, ...]:
    """Names of the weights of `model` whose way is the learning distance."""
    return weight_names(model, config.measure.layer, probe.images[:2], config.measure.weights)


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
