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
        decides = str(_at(config, self.setting))
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
    Row("data.image_size", _SIDE, _SIDE, f"code; paper: {_RECALLED}; other networks: the data set's own"),
    Row(
        "data.foreground",
        "native",
        By("data.name", ((_DET, "central"),), "native"),
        "code: masks of CUB and VOC, of ILSVRC the central 12 x 12 of 16 x 16 cells",
    ),
    Row(
        "data.options.mask_rule",
        OPEN,
        By("data.name", ((_MASKED, "released"),), OPEN),
        "code: bilinear, every value above 0 is foreground; only CUB and VOC have such masks",
    ),
    Row("teacher.epochs", OPEN, 150, "code: 150 epochs, from pretrained convolutions"),
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
        "code: from scratch; a tenth of it from pretrained convolutions",
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
        "code: its hints by layer; of conv and of fc1 of ResNets they say nothing clear. null: as the baseline",
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
        True,
        "paper: its epochs are 1 ... M; code: from the initial weights on (ResNets: by the mistake below not in D)",
    ),
    Row("measure.path_lag", 0, 0, "code: 1 for ResNets, by mistake; off in both, set it to repeat that"),
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

    `config`: the nested settings that values depend on: model, data.name, measure.layer. Raises ConfigError for an
    unknown name.
    """
    ExperimentConfig(preset=name)
    values = {row.setting: _resolved(getattr(row, name), config) for row in ROWS}
    return {setting: value for setting, value in values.items() if value is not OPEN}


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
    return _at(ExperimentConfig(), setting)


def preset_notes(config: ExperimentConfig) -> list[str]:
    """What the reader must know of the preset that `config` names, and of what was changed in it; [] without one."""
    if config.preset is None:
        return []
    wanted = preset_settings(config.preset, _view(config))
    found = {setting: _plain(_at(config, setting)) for setting in wanted}
    changed = [
        f"{setting} ({found[setting]} instead of {value})"
        for setting, value in wanted.items()
        if found[setting] != _plain(value)
    ]
    notes = [
        f"Counted by the preset {config.preset}; changed: {', '.join(changed)}."
        if changed
        else f"Counted by the preset {config.preset}, nothing changed."
    ]
    left = [
        f"{row.setting} ({_plain(_at(config, row.setting))})"
        for row in ROWS
        if config.preset == "paper" and row.setting not in wanted
    ]
    if left:
        notes.append(
            f"The paper leaves open, as far as known here, and this experiment has: {', '.join(left)}."
        )
    return notes


def _view(config: ExperimentConfig) -> dict[str, Any]:
    """The settings that others depend on."""
    return {
        "model": config.model,
        "data": {"name": config.data.name},
        "measure": {"layer": config.measure.layer},
    }


def _resolved(value: Any, config: Mapping[str, Any]) -> Any:
    return value.value(config) if isinstance(value, By) else value


def _at(config: Any, setting: str) -> Any:
    """The value of a dotted setting in nested mappings or records; None where an option is not given."""
    for name in setting.split("."):
        config = config.get(name) if isinstance(config, Mapping) else getattr(config, name)
    return config


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
