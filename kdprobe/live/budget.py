"""How much the live probe may spend: chosen by `analyses/benchmark_live_probe.py`."""

from kdprobe.estimator import Decomposed
from kdprobe.live.config import LiveConfig

#: images that are enough to see where the curves go
LIVE_IMAGES = LiveConfig.images
#: one short round of the solver of the report
LIVE_SOLVER = Decomposed(tolerance=None, pairs=4, refreshes=3, scale_samples=24, check_samples=2)
