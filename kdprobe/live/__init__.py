"""The live probe: what a network knows while it is being trained."""

from kdprobe.lazy import on_first_use

#: loaded on first use: the first ones import torch, the last ones do without
_LAZY = {
    "LIVE_IMAGES": "kdprobe.live.budget",
    "LIVE_SOLVER": "kdprobe.live.budget",
    "LiveProbe": "kdprobe.live.probe",
    "LiveReading": "kdprobe.live.reading",
    "Picture": "kdprobe.live.pictures",
    "png_bytes": "kdprobe.live.pictures",
    "read_lines": "kdprobe.live.read",
}

__all__ = [
    "LIVE_IMAGES",
    "LIVE_SOLVER",
    "LiveProbe",
    "LiveReading",
    "Picture",
    "png_bytes",
    "read_lines",
]

__getattr__, __dir__ = on_first_use(__name__, _LAZY, __all__)
