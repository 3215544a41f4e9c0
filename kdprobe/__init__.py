"""kdprobe: see what distillation taught.

Names are imported on first use, so that ``import kdprobe`` stays silent and quick.
"""

from kdprobe.lazy import on_first_use

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

__getattr__, __dir__ = on_first_use(__name__, _HOMES, __all__)
