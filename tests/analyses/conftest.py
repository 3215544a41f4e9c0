import csv

import pytest
from experiment.quick import untried

from kdprobe.experiment import ExperimentConfig, run_experiment
from kdprobe.experiment.config import DataConfig, LiveConfig, MeasureConfig, ReportConfig, TeacherConfig
from kdprobe.training import TrainingSettings


@pytest.fixture(scope="session")
def experiment(tmp_path_factory):
    """An experiment's folder, trained for a step or two on a few digits; tests only read it."""
    folder = tmp_path_factory.mktemp("experiment") / "out"
    config = ExperimentConfig(
        data=DataConfig(images_per_class=8, classes=["0", "1"]),
        model_options={"widths": [4, 6], "fc": 12},
        teacher=TeacherConfig(epochs=2),
        students=["feature"],
        training=TrainingSettings(epochs=1, classifier_epochs=1, batch_size=8, device="cpu"),
        measure=MeasureConfig(images=3, grid=4, foreground_share=(0.01, 0.9), redraws=5, resamples=100),
        live=LiveConfig(images=0),
        report=ReportConfig(images=1, epochs=2),
    )
    with pytest.MonkeyPatch.context() as patch:
        untried(patch)
        run_experiment(config, folder, say=lambda _text: None, show_progress=False)
    return folder


@pytest.fixture
def read():
    """A function of a path: the rows of a CSV file."""

    def rows(path):
        with open(path, newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))

    return rows
