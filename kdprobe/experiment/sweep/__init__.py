"""Many experiments of one kind: seeds x networks x data sets x layers x methods."""

from kdprobe.experiment.sweep.ahead import plan_table, sweep_ahead
from kdprobe.experiment.sweep.config import SweepConfig, read_sweep, with_roots
from kdprobe.experiment.sweep.plan import Planned, plan_sweep
from kdprobe.experiment.sweep.publish import publish_sweep
from kdprobe.experiment.sweep.run import run_sweep
from kdprobe.experiment.sweep.units import sweep_units

__all__ = [
    "Planned",
    "SweepConfig",
    "plan_sweep",
    "plan_table",
    "publish_sweep",
    "read_sweep",
    "run_sweep",
    "sweep_ahead",
    "sweep_units",
    "with_roots",
]
