"""Training by recipe, and the callbacks that keep and watch the weights of any Lightning training, epoch by epoch."""

from importlib import import_module

from kdprobe.training.result import StageRecord, TrainingResult
from kdprobe.training.seeds import derive_seed
from kdprobe.training.settings import TrainingSettings

#: loaded on first use, because they import torch or Lightning
_LAZY = {
    "KnowledgeProbe": "kdprobe.training.knowledge_probe",
    "Resume": "kdprobe.training.resume",
    "TeachingNetwork": "kdprobe.training.teaching",
    "WeightSnapshots": "kdprobe.training.snapshots",
    "evaluate_accuracy": "kdprobe.training.accuracy",
    "train_network": "kdprobe.training.train",
}

__all__ = [
    "KnowledgeProbe",
    "Resume",
    "StageRecord",
    "TeachingNetwork",
    "TrainingResult",
    "TrainingSettings",
    "WeightSnapshots",
    "derive_seed",
    "evaluate_accuracy",
    "train_network",
]


def __getattr__(name: str) -> object:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_LAZY[name]), name)


def __dir__() -> list[str]:
    return __all__
