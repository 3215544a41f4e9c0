"""The settings of an experiment. Every field is a key of the config file and an option of the command line."""

from dataclasses import dataclass, field
from typing import Any

from kdprobe.errors import ConfigError
from kdprobe.training.settings import TrainingSettings


@dataclass(frozen=True)
class DataConfig:
    """The data set.

    Args:
        name: cluttered_digits (embedded), cub_200_2011, pascal_voc_2012, ilsvrc2013_det, oxford_pet, cifar10,
            cifar100, tiny_imagenet, leeds_butterfly, image_folder, or file.py:function.
        root: folder of the data, where the set needs one.
        image_size: side of the square images in pixels; null: the one that the network was made for; for
            cluttered_digits, vgg_small and networks of your own that of the set.
        classes: the first n classes, or a list of names; default all.
        images_per_class: at most that many training images per class.
        foreground: native (masks or boxes of the set) or central (the central square, for data without).
        options: further options of the one set, and label_noise (share of wrong training labels).
    """

    name: str = "cluttered_digits"
    root: str | None = None
    image_size: int | None = None
    classes: int | list[str] | None = None
    images_per_class: int | None = None
    foreground: str = "native"
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class TeacherConfig:
    """The teacher.

    Args:
        epochs: of its training on labels.
        learning_rate: of its training; null: training.learning_rate.
        weights: a file of weights to load; then it is not trained.
        pretrained: convolutional weights to start its training from: true (torchvision's, ImageNet), or a file of
            them; its fully connected layers start afresh.
        model: its architecture, as for model; null: the students'.
        model_options: options of teacher.model; without one they change the students' options one by one.
    """

    epochs: int = 10
    learning_rate: float | None = None
    weights: str | None = None
    pretrained: bool | str = False
    model: str | None = None
    model_options: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.learning_rate is not None and not 0 < self.learning_rate < float("inf"):
            raise ConfigError(
                f"teacher.learning_rate must be a number above 0, or null, got {self.learning_rate!r}."
            )
        if self.pretrained == "":
            raise ConfigError(
                "teacher.pretrained must be true, false or the path of a file, got an empty text."
            )
        if self.weights is not None and self.pretrained:
            raise ConfigError(
                "teacher.weights (a finished teacher) and teacher.pretrained (where its training starts) exclude each "
                "other; leave one out."
            )


#: names of the presets; what they fill in stands in kdprobe.experiment.presets
PRESETS = ("paper", "released")

_CHOICES = {
    "cell_rule": ("majority", "any", "released"),
    "scope": ("dataset", "image"),
    "empty": ("skip", "zero"),
    "weights": ("dependent", "layer", "all"),
    "sample_filter": ("none", "released"),
    "path": ("epochs", "steps"),
    "initial": (False, True, "rho"),
    "path_lag": (0, 1),
    "spread": ("std", "var"),
    "teacher": ("all", "last"),
}


@dataclass(frozen=True)
class MeasureConfig:
    """What is measured and how concepts are counted.

    Args:
        layer: a tap of the network (conv, fc1, fc2, fc3) or a dotted module path.
        images: number of probe images, from the training split, un-augmented.
        probe_seed: which images these are; null: the experiment's seed. With a number, experiments of all seeds that
            train on the same images are measured on the same ones.
        foreground_share: lowest and highest share of foreground pixels of a probe image.
        grid: cells along each side.
        protocol: which sigma is reported: cheng2020, cheng2020_resnet, fixed_distortion or converged.
        solver: how it is found: decomposed, pathwise, jacobian or sgd (as published, slow; not for converged).
        tolerance: nats, mean standard error of an image's cells at which decomposed stops; null: after one round.
        internal_batch_size: rows of one pass; auto (or null): found from the network and the image size.
        cell_rule: when a cell is foreground: majority, any or released.
        margin: b in nats: a concept lies more than this below the baseline entropy.
        scope: background of the whole data set or of each image as baseline: dataset or image.
        empty: what an image without concepts does to lambda and rho: skip or zero.
        path: how the learning distance runs: from kept epoch to kept epoch (epochs), or over all optimiser steps
            (steps, as in the released code; needs training.path_length).
        initial: whether the initial weights (epoch 0) enter the learning distance and rho, as in the released code;
            rho: rho alone, as there for ResNets.
        path_lag: 1 looks the learning distance up one kept epoch too early, as the released code does for ResNets; not
            together with initial true.
        spread: which spread of the learning distance decides the second hypothesis: std, or var (released code).
        sample_filter: none or released (only images on which every network discards more on the background).
        filter_from_epoch: the epoch of the analysed stage from which on the filter looks.
        filter_keep: at most that many images of each network pass the filter; null: all.
        weights: which weights make the learning distance: dependent, layer or all.
        teacher: which epochs of the teacher are measured: all or last.
        redraws: noisy copies of the maps that enter the intervals.
        resamples: of the bootstrap over images.
    """

    layer: str = "fc1"
    images: int = 32
    probe_seed: int | None = None
    foreground_share: tuple[float, float] = (0.05, 0.6)
    grid: int = 16
    protocol: str = "cheng2020"
    solver: str = "decomposed"
    tolerance: float | None = 0.02
    internal_batch_size: int | str | None = None
    cell_rule: str = "majority"
    margin: float = 0.2
    scope: str = "dataset"
    empty: str = "skip"
    path: str = "epochs"
    initial: bool | str = False
    path_lag: int = 0
    spread: str = "std"
    sample_filter: str = "none"
    filter_from_epoch: int = 40
    filter_keep: int | None = 50
    weights: str = "dependent"
    teacher: str = "all"
    redraws: int = 50
    resamples: int = 2000

    def __post_init__(self) -> None:
        for name, known in _CHOICES.items():
            if getattr(self, name) not in known:
                raise ConfigError(
                    f"measure.{name} must be one of {', '.join(map(str, known))}, got {getattr(self, name)!r}."
                )
        if self.path_lag and self.initial is True:
            raise ConfigError(
                "measure.path_lag 1 takes the epoch before the peak, and epoch 0 has none; set measure.initial rho (as "
                "the released code for its ResNets) or false."
            )
        if not 0 < self.margin < float("inf"):
            raise ConfigError(f"measure.margin must be above 0 nats (usual: 0.2), got {self.margin!r}.")
        if self.tolerance is not None and not 0 < self.tolerance < float("inf"):
            raise ConfigError(
                f"measure.tolerance must be above 0 nats (usual: 0.02), or null, got {self.tolerance!r}."
            )
        size = self.internal_batch_size
        if size not in (None, "auto") and (isinstance(size, bool | str) or size < 1):
            raise ConfigError(
                f"measure.internal_batch_size must be a whole number from 1 on, or auto, got {size!r}."
            )
        least_of = {"images": 1, "grid": 1, "redraws": 2, "resamples": 10, "filter_from_epoch": 0}
        for name, least in {**least_of, "filter_keep": 1}.items():
            if getattr(self, name) is not None and getattr(self, name) < least:
                raise ConfigError(f"measure.{name} must be at least {least}, got {getattr(self, name)!r}.")


@dataclass(frozen=True)
class ReportConfig:
    """What the report shows.

    Args:
        title: heading of the report; default: data, model and layer.
        images: number of probe images whose maps are shown.
        epochs: number of epochs at which the maps are shown.
    """

    title: str | None = None
    images: int = 4
    epochs: int = 5


@dataclass(frozen=True)
class ExperimentConfig:
    """An experiment: one teacher, one baseline, some students; baseline and students are of one architecture.

    Args:
        preset: paper (equations as printed) or released (the code released with the paper): what is not set otherwise
            is filled in from it by the command line; kdprobe presets lists both.
        seed: of initial weights, batches, noise and bootstrap.
        data: the data set.
        model: vgg_small, alexnet, vgg11, vgg16, vgg19, resnet18, resnet50, resnet101, resnet152, resnet20, resnet32,
            resnet56, resnet110, resnet8x4, resnet32x4, plain20 (and so on: without shortcuts), wrn_16_2, wrn_40_1,
            wrn_40_2, or your own as file.py:function.
        model_options: options of the architecture.
        teacher: the teacher.
        students: distillation recipes, by name (kdprobe methods lists them) or as YAML files.
        training: of student and baseline, and of the teacher but for its epochs and, if set, its learning rate.
        measure: what is measured and how concepts are counted.
        report: what the report shows.
    """

    preset: str | None = None
    seed: int = 0
    data: DataConfig = field(default_factory=DataConfig)
    model: str = "vgg_small"
    model_options: dict[str, Any] = field(default_factory=dict)
    teacher: TeacherConfig = field(default_factory=TeacherConfig)
    students: list[str] = field(default_factory=lambda: ["kd"])
    training: TrainingSettings = field(default_factory=TrainingSettings)
    measure: MeasureConfig = field(default_factory=MeasureConfig)
    report: ReportConfig = field(default_factory=ReportConfig)

    def __post_init__(self) -> None:
        if self.preset is not None and self.preset not in PRESETS:
            raise ConfigError(f"preset must be one of {', '.join(PRESETS)}, got {self.preset!r}.")
