"""How far the memory of a process rises when a piece of work gets many images instead of few."""

import os
import re
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

from kdprobe.data import LabelledImages

FEW, COUNT, SIDE = 300, 1500, 96  #: the many: 41 MB as bytes, 166 MB as float32


def pictures(count: int) -> LabelledImages:
    """Noise in 4 classes, the upper left quarter of each image is foreground."""
    pixels = np.random.default_rng(0).integers(0, 256, (count, 3, SIDE, SIDE), dtype=np.uint8)
    foregrounds = np.zeros((count, SIDE, SIDE), dtype=bool)
    foregrounds[:, : SIDE // 2, : SIDE // 2] = True
    return LabelledImages(
        name="noise",
        images=pixels,
        labels=np.arange(count) % 4,
        ids=[str(i) for i in range(count)],
        classes=list("abcd"),
        foregrounds=foregrounds,
        foreground_kind="mask",
    )


def growth(work: Callable[[LabelledImages], object]) -> float:
    """Rise of this process's peak from a run of `work` on `FEW` images to one on `COUNT`, beside the images
    themselves, as a share of what `COUNT` images take as float32. `FEW` is more than any batch."""
    work(pictures(FEW))
    data = pictures(COUNT)
    before = peak()
    work(data)
    return (peak() - before) / (COUNT * 3 * SIDE * SIDE * 4)


def growth_alone(script: str) -> float:
    """The number that the Python text `script` prints, run in a process of its own."""
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parent), "OMP_NUM_THREADS": "1"}
    env["MALLOC_MMAP_THRESHOLD_"] = "65536"  # large blocks go back to the system when they are freed
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=env)
    assert done.returncode == 0, done.stderr
    return float(done.stdout)


def peak() -> int:
    """The most that this process has held so far, bytes."""
    if sys.platform == "darwin":
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # ru_maxrss would begin at what the process held that started this one
    found = re.search(r"VmHWM:\s*(\d+) kB", Path("/proc/self/status").read_text())
    return int(found[1]) * 1024
