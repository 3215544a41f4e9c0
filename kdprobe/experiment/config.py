"""The settings of an experiment. Every field is a key of the config file and an option of the command line."""

from dataclasses import dataclass, field
from typing import Any

from kdprobe.errors import ConfigError
from kdprobe.experiment.measure_config import MeasureConfig
from kdprobe.live.config import LiveConfig
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


@dataclass(frozen=True)
class ReportConfig:
    """What the report shows.

    Args:
        title: heading of the report; default: data, model and layer.
        images: number of probe images whose maps are shown.
        epochs: number of epochs at which the maps are shown.
        max_images: images that the concept explorer of the report shows at most (with all epochs, which decides the
            size of the page); 0: no explorer.
    """

    title: str | None = None
    images: int = 4
    epochs: int = 5
    max_images: int = 48

    def __post_init__(self) -> None:
        if isinstance(self.max_images, bool) or self.max_images < 0:
            raise ConfigError(f"report.max_images must be a whole number from 0 on, got {self.max_images!r}.")


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
        live: what is looked at while they are trained.
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
    live: LiveConfig = field(default_factory=LiveConfig)
    report: ReportConfig = field(default_factory=ReportConfig)

    def __post_init__(self) -> None:
        if self.preset is not None and self.preset not in PRESETS:
            raise ConfigError(f"preset must be one of {', '.join(PRESETS)}, got {self.preset!r}.")

    @property
    def title(self) -> str:
        """Heading of the report and of the page of the live probe."""
        return self.report.title or f"{self.data.name}, {self.model}, layer {self.measure.layer}"
