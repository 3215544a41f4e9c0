"""Training by recipe, and the callbacks that keep and watch the weights of any Lightning training, epoch by epoch."""

from kdprobe.lazy import on_first_use
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

__getattr__, __dir__ = on_first_use(__name__, _LAZY, __all__)
