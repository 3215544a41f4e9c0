"""Data sets that return image, label, foreground mask and a stable image id."""

from kdprobe.data.images import LabelledImages
from kdprobe.data.load import DATA_SETS, load_data
from kdprobe.data.probe import Probe, select_probe

__all__ = ["DATA_SETS", "LabelledImages", "Probe", "load_data", "select_probe"]
