"""kdprobe: see what distillation taught.

Names are imported on first use, so that ``import kdprobe`` stays silent and quick.
"""

from importlib import import_module

__version__ = "0.1.0"

_HOMES = {
    "EntropyEstimator": "kdprobe.estimator",
    "PROTOCOLS": "kdprobe.estimator",
    "PixelEntropy": "kdprobe.estimator.pixel_entropy",
    "EntropyResult": "kdprobe.records",
    "Outcome": "kdprobe.records",
    "KdprobeError": "kdprobe.errors",
    "KnowledgeProbe": "kdprobe.training",
    "LiveProbe": "kdprobe.live",
    "SnapshotStore": "kdprobe.storage",
    "WeightSnapshots": "kdprobe.training",
}

__all__ = ["__version__", *_HOMES]


def __getattr__(name: str):
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'kdprobe' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
