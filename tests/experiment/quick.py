"""A small experiment and ways to run it in a second: without trials, figures, or measurement."""

import dataclasses
from pathlib import Path

import pytest

from kdprobe.experiment import ExperimentConfig, run_experiment, train_experiment
from kdprobe.experiment.config import DataConfig, LiveConfig, MeasureConfig, ReportConfig, TeacherConfig
from kdprobe.training import TrainingSettings

SMALL = ExperimentConfig(
    data=DataConfig(images_per_class=6, classes=["0", "1"]),
    model_options={"widths": [4, 4, 4], "fc": 6},
    teacher=TeacherConfig(epochs=2),
    students=["kd"],
    training=TrainingSettings(epochs=2, classifier_epochs=1, batch_size=4, device="cpu"),
    measure=MeasureConfig(
        images=3, foreground_share=(0.01, 0.9), grid=8, tolerance=None, redraws=2, resamples=10
    ),
    live=LiveConfig(images=0),  # its own tests, and those of killed runs, turn it on
    report=ReportConfig(images=1, epochs=2),
)

#: a user's own objective, with parameters
HINT = """
from torch import nn
class Hint(nn.Module):
    def __init__(self, example):
        super().__init__()
        wide, target = (example[f"{who}_feature"].flatten(1).shape[1] for who in ("student", "teacher"))
        self.to_teacher = nn.Linear(wide, target)
    def forward(self, student_feature, teacher_feature):
        return (self.to_teacher(student_feature.flatten(1)) - teacher_feature.flatten(1)).square().mean(1)
"""


def changed(config: ExperimentConfig = SMALL, **parts) -> ExperimentConfig:
    """`config` with other values: of whole parts, or (as a dict) of single settings in one."""
    new = {
        name: dataclasses.replace(getattr(config, name), **value)
        if isinstance(value, dict) and dataclasses.is_dataclass(getattr(config, name))
        else value
        for name, value in parts.items()
    }
    return dataclasses.replace(config, **new)


def untried(patch: pytest.MonkeyPatch) -> None:
    """Nothing is tried out beforehand, and nothing is drawn: no figures, and no pictures in the report."""
    patch.setattr("kdprobe.experiment.ahead.seconds_per_epoch", lambda *_: 0.0)
    patch.setattr("kdprobe.experiment.ahead.seconds_per_image", lambda *_: 0.0)
    patch.setattr("kdprobe.experiment.ahead.live_seconds", lambda *_: 0.0)
    patch.setattr("kdprobe.experiment.publish.write_figures", lambda *_: None)
    for drawn in ("curves_figure", "maps_figure"):
        patch.setattr(f"kdprobe.report.pictures.{drawn}", lambda *_, **__: None)
    patch.setattr("kdprobe.report.pictures.png_bytes", lambda *_: b"")


def trained_only(patch: pytest.MonkeyPatch) -> None:
    """`quietly` trains networks; nothing is measured or reported, and there is no summary."""
    untried(patch)
    patch.setattr("experiment.quick.run_experiment", train_experiment)


def quietly(config: ExperimentConfig, folder: Path) -> tuple[object, list[str]]:
    """The summary of a run in `folder`, and what it said."""
    said: list[str] = []
    return run_experiment(config, folder, say=said.append, show_progress=False), said
