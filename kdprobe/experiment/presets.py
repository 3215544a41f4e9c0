"""Presets: the paper's equations as printed, and what the code released with it does, as one table.

Both are of arXiv 2003.03622. `ROWS` holds every setting that either of them decides. Where the paper leaves a setting
open, kdprobe's default stands and the table says so; nothing is guessed. Of values that were recalled and not read
again in the paper, `source` says that they are to be checked.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatch
from typing import Any, NamedTuple

from kdprobe.experiment.config import ExperimentConfig


class Open:
    """The value of a setting that a preset leaves open; kdprobe's default stands."""

    def __repr__(self) -> str:
        return "open"


OPEN = Open()


@dataclass(frozen=True)
class By:
    """A value that another setting decides: that of the first case one of whose patterns fits, else `otherwise`."""

    setting: str
    cases: tuple[tuple[tuple[str, ...], Any], ...]
    otherwise: Any

    def value(self, config: Mapping[str, Any]) -> Any:
        decides = str(setting_of(config, self.setting))
        for patterns, value in self.cases:
            if any(fnmatch(decides, pattern) for pattern in patterns):
                return _resolved(value, config)
        return _resolved(self.otherwise, config)


class Row(NamedTuple):
    """One setting under both presets."""

    setting: str  #: dotted, as on the command line
    paper: Any  #: a value, `By` or OPEN
    released: Any
    source: str  #: where the values come from, in words


_ALEXNET = ("alexnet",)
_NATIVE = ("vgg1?", "resnet18", "resnet50", "resnet101", "resnet152")
_RESNET = ("resnet*",)
_DET = ("ilsvrc2013_det",)
_MASKED = ("cub_200_2011", "pascal_voc_2012")
_SIDE = By("model", ((_ALEXNET, 227), (_NATIVE, 224)), OPEN)
_RECALLED = "recalled: check in the PDF"

#: every setting that the paper or its released code decides
ROWS: tuple[Row, ...] = (
    Row("students", ["feature"], ["feature"], f"features of one layer, no labels; paper: {_RECALLED}"),
    Row("data.image_size", _SIDE, _SIDE, f"code; paper: {_RECALLED}; other networks: open"),
    Row(
        "data.foreground",
        "native",
        By("data.name", ((_DET, "central"),), "native"),
        "code: masks of CUB and VOC, of ILSVRC the central 12 x 12 of 16 x 16 cells",
    ),
    Row(
        "data.options.crop",
        OPEN,
        OPEN,
        f"paper: the box of CUB (1.0, needs masks), 1.2 times it of VOC, 1.5 of ILSVRC, {_RECALLED}; the code crops "
        "nothing itself. kdprobe: VOC and ILSVRC so, CUB whole",
    ),
    Row(
        "data.options.mask_rule",
        OPEN,
        By("data.name", ((_MASKED, "released"),), OPEN),
        "code: bilinear, every value above 0 is foreground; only CUB and VOC have such masks",
    ),
    Row("teacher.epochs", OPEN, 150, "code"),
    Row(
        "teacher.pretrained",
        By("model", (((*_ALEXNET, *_NATIVE), True),), OPEN),
        By("model", (((*_ALEXNET, *_NATIVE), True),), OPEN),
        f"code: ImageNet's convolutions, fully connected layers afresh; paper: {_RECALLED}; where they cannot be "
        "fetched, set a file of them, or false",
    ),
    Row(
        "teacher.learning_rate",
        OPEN,
        By(
            "teacher.pretrained",
            ((("False",), OPEN),),
            By("model", ((_RESNET, 0.01), (("vgg1?",), 0.001)), OPEN),
        ),
        "code: from pretrained convolutions, a tenth of that from scratch; AlexNet is not named",
    ),
    Row("training.epochs", OPEN, 150, "code"),
    Row("training.classifier_epochs", OPEN, 100, "code: plays no role in the numbers"),
    Row("training.batch_size", 64, 64, f"code; paper: {_RECALLED}"),
    Row("training.optimiser", "sgd", "sgd", f"code; paper: {_RECALLED}"),
    Row("training.momentum", OPEN, 0.9, "code"),
    Row("training.weight_decay", OPEN, 1e-4, "code"),
    Row(
        "training.learning_rate",
        OPEN,
        By("model", ((_RESNET, 0.1),), 0.01),
        "code: from scratch; AlexNet is not named, here as VGG",
    ),
    Row(
        "training.student_learning_rate",
        OPEN,
        By(
            "model",
            (
                (_RESNET, By("measure.layer", ((("fc2", "fc3"), 0.1),), OPEN)),
                ((*_ALEXNET, "vgg1?"), By("measure.layer", ((("fc1",), 1e-4), (("fc2", "fc3"), 1e-3)), OPEN)),
            ),
            OPEN,
        ),
        "code: its hints by layer; of conv and of fc1 of ResNets they say nothing clear, of their fc3 0.1 or 0.01. "
        "null: as the baseline",
    ),
    Row("training.schedule", OPEN, "log_decade", "code: log-spaced over one decade; some layers constant"),
    Row(
        "training.flips",
        OPEN,
        By("data.name", ((_DET, True), (("pascal_voc_2012",), True)), False),
        "code: mirrored and cropped at random, but not CUB; kdprobe only mirrors",
    ),
    Row(
        "training.snapshots",
        1,
        "released",
        "paper: the sums run over all epochs k; code: 0, 2, 5, 10, 15, 20, 25, 30, 40, 50, 70, ...",
    ),
    Row("training.path_length", False, True, "what measure.path steps needs"),
    Row("measure.images", OPEN, 500, "code: drawn from the training images"),
    Row("measure.foreground_share", OPEN, [0.0, 1.0], "code: no limit"),
    Row("measure.grid", OPEN, 16, "code"),
    Row(
        "measure.protocol",
        OPEN,
        By("model", ((_RESNET, "cheng2020_resnet"),), "cheng2020"),
        "code: entropy weight 7, ResNets 6; paper: constants not known here",
    ),
    Row(
        "measure.solver",
        OPEN,
        "decomposed",
        "kdprobe's choice: the code's sigma from fewer passes; sgd runs it as published, slow",
    ),
    Row("measure.cell_rule", OPEN, "released", "code: the top-left pixel of each cell"),
    Row(
        "measure.margin",
        By("model", ((_ALEXNET, 0.2),), 0.25),
        0.2,
        f"paper: 0.2 for AlexNet, 0.25 for others, {_RECALLED}; code: 0.2 alone",
    ),
    Row(
        "measure.scope",
        "image",
        "dataset",
        "paper: the mean over the background of the image, whether of all images: check in the PDF",
    ),
    Row("measure.empty", OPEN, "zero", "code: shares of images without concepts count as 0"),
    Row(
        "measure.path",
        "epochs",
        "steps",
        "paper: from w_(k-1) to w_k, after each epoch; code: over all steps",
    ),
    Row(
        "measure.initial",
        False,
        By("model", ((_RESNET, "rho"),), True),
        "paper: its epochs are 1 ... M; code: from the initial weights on; ResNets: in rho alone, not in D",
    ),
    Row("measure.path_lag", 0, 0, "code: 1 for ResNets, by mistake; off in both, set it to 1 to repeat that"),
    Row(
        "measure.spread",
        "var",
        "var",
        f"the paper's equation for D_std is a variance, {_RECALLED}; code: np.var",
    ),
    Row("measure.sample_filter", OPEN, "released", "code; whether the paper says so: check in the PDF"),
    Row("measure.filter_from_epoch", OPEN, 40, "code"),
    Row("measure.filter_keep", OPEN, 50, "code: of each network; those that all networks keep count"),
    Row("measure.weights", OPEN, "layer", "code: the layer's weight matrix; paper: which weights is open"),
)


def preset_settings(name: str, config: Mapping[str, Any]) -> dict[str, Any]:
    """Dotted setting -> what the preset fills in; what it leaves open is not there.

    `config`: the nested settings that values depend on: model, data.name, measure.layer, teacher. A teacher whose
    weights are given is not trained: nothing is filled in for it. Raises ConfigError for an unknown name.
    """
    ExperimentConfig(preset=name)
    values = {row.setting: _resolved(getattr(row, name), config) for row in ROWS}
    finished = setting_of(config, "teacher.weights") is not None
    return {
        setting: value
        for setting, value in values.items()
        if value is not OPEN and not (finished and setting.startswith("teacher."))
    }


def preset_undone(config: ExperimentConfig, name: str) -> dict[str, Any]:
    """Dotted setting of `measure` -> kdprobe's default, where `config` has what its own preset filled in.

    That is what must go before another preset, `name`, is filled in: what this one leaves open would else stay.
    """
    if config.preset in (None, name):
        return {}
    filled = preset_settings(config.preset, view(config))
    return {
        setting: default_of(setting)
        for setting, value in filled.items()
        if setting.startswith("measure.") and plain(setting_of(config, setting)) == plain(value)
    }


def nested(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The same as a config file has it."""
    made: dict[str, Any] = {}
    for setting, value in settings.items():
        *sections, last = setting.split(".")
        place = made
        for section in sections:
            place = place.setdefault(section, {})
        place[last] = value
    return made


def default_of(setting: str) -> Any:
    """kdprobe's own value; None where that is for the data set or the network to say."""
    return setting_of(ExperimentConfig(), setting)


def view(config: ExperimentConfig) -> dict[str, Any]:
    """The settings that others depend on."""
    return {
        "model": config.model,
        "data": {"name": config.data.name},
        "teacher": {"weights": config.teacher.weights, "pretrained": config.teacher.pretrained},
        "measure": {"layer": config.measure.layer},
    }


def _resolved(value: Any, config: Mapping[str, Any]) -> Any:
    return value.value(config) if isinstance(value, By) else value


def setting_of(config: Any, setting: str) -> Any:
    """The value of a dotted setting in nested mappings or records; None where an option is not given."""
    for name in setting.split("."):
        config = config.get(name) if isinstance(config, Mapping) else getattr(config, name)
        if config is None:
            break
    return config


def plain(value: Any) -> Any:
    """A value as a config file has it."""
    return list(value) if isinstance(value, tuple) else value
