"""From data to report: what ``kdprobe run`` does."""

from kdprobe.experiment.config import ExperimentConfig
from kdprobe.lazy import on_first_use

#: loaded on first use, because they import torch
_LAZY = {
    "compare_networks": "kdprobe.experiment.later",
    "failed_writes": "kdprobe.experiment.run",
    "measure_networks": "kdprobe.experiment.later",
    "read_config": "kdprobe.experiment.folders",
    "report_again": "kdprobe.experiment.later",
    "run_experiment": "kdprobe.experiment.run",
    "sweep_units": "kdprobe.experiment.sweep",
    "train_experiment": "kdprobe.experiment.run",
}

__all__ = [
    "ExperimentConfig",
    "compare_networks",
    "failed_writes",
    "measure_networks",
    "read_config",
    "report_again",
    "run_experiment",
    "sweep_units",
    "train_experiment",
]

__getattr__, __dir__ = on_first_use(__name__, _LAZY, __all__)
