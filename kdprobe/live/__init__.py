"""The live probe: what a network knows while it is being trained."""

from importlib import import_module

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


def __getattr__(name: str) -> object:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_LAZY[name]), name)


def __dir__() -> list[str]:
    return __all__
