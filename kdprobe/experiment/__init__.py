"""From data to report: what ``kdprobe run`` does."""

from importlib import import_module

from kdprobe.experiment.config import ExperimentConfig

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


def __getattr__(name: str) -> object:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_LAZY[name]), name)


def __dir__() -> list[str]:
    return __all__
