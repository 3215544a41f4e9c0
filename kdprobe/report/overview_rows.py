"""One line for each network of an experiment or of a sweep: what the overview of all of them shows."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import nan
from operator import attrgetter, itemgetter

from kdprobe.plots import COURSES
from kdprobe.records import ExperimentSummary, Interval, NetworkSummary, PooledComparison, Record
from kdprobe.report.cells import PLACE, grouped
from kdprobe.report.sweep_curves import CurveValue
from kdprobe.report.sweep_files import NetworkValue

_KEY = attrgetter(*PLACE, "network", "seed")


@dataclass(frozen=True)
class Gap(Record):
    """How far a student is from its baseline in one metric."""

    #: student - baseline over the images valid in both; where that was not compared for this network alone, the
    #: difference of the two values, without interval and with n = 0
    difference: Interval
    verdict: str  #: supported, contradicted or undecided; "" without an interval


@dataclass(frozen=True, eq=False)
class OverviewRow(Record):
    """One trained network, looked at in one layer."""

    data: str  #: "" where the experiment did not say
    model: str  #: the students' architecture; "" likewise
    layer: str
    network: str
    role: str  #: teacher, baseline or student
    method: str  #: recipe of a student, else its role
    seed: int | None
    accuracy: float  #: on the test split after the last stage, 0 ... 1; NaN if it was not taken
    metrics: dict[str, Interval]  #: by their names in METRICS
    gaps: dict[str, Gap]  #: likewise; empty but for students
    curves: dict[str, tuple[tuple[int, Interval], ...]]  #: of COURSES: (epoch, value)

    @property
    def place(self) -> tuple[str, str, str]:
        """Data set, architecture and layer: networks of one place are compared."""
        return self.data, self.model, self.layer


def rows_of_experiment(summary: ExperimentSummary) -> list[OverviewRow]:
    """The measured networks of one experiment, in its order."""
    config = summary.settings.get("config") or {}
    data = config.get("data", {}).get("name", "")
    return [
        OverviewRow(
            data=data,
            model=config.get("model", ""),
            layer=network.layer,
            network=network.name,
            role=network.role,
            method=network.recipe if network.role == "student" else network.role,
            seed=config.get("seed"),
            accuracy=nan if network.accuracy is None else network.accuracy,
            metrics=network.metrics,
            gaps={
                c.metric: Gap(Interval(c.difference, c.low, c.high, c.n), c.verdict)
                for c in reversed(summary.comparisons)  # of several baselines the first
                if c.student == network.name
            },
            curves={name: _points(network, name) for name in COURSES if name in network.curves},
        )
        for network in summary.networks
    ]


def _points(network: NetworkSummary, metric: str) -> tuple[tuple[int, Interval], ...]:
    return tuple(zip(network.epochs, network.curves[metric], strict=True))


def rows_of_sweep(
    networks: Sequence[NetworkValue], comparisons: Sequence[PooledComparison], curves: Sequence[CurveValue]
) -> list[OverviewRow]:
    """Every network of every seed of a sweep, in the order of `networks`.

    The gap of a student is the paired comparison with its interval where that is of this one seed; with several seeds
    it is the difference to the baseline of the same seed, each over its own images. A metric that could be compared in
    no seed has none.
    """
    found = grouped(networks, _KEY)
    drawn = grouped((point for point in curves if point.metric in COURSES), _KEY)
    tested = grouped(comparisons, attrgetter("data", "model", "layer", "student"))
    alone = _alone(found)
    rows = []
    for key, values in found.items():
        first, metrics = values[0], {value.metric: value.value for value in values}
        student = first.role == "student"
        pairs = [pair for pair in tested.get(key[:4], []) if student and pair.seeds > 0]
        rows.append(
            OverviewRow(
                *key[:4],
                role=first.role,
                method=first.network.removeprefix("student-") if student else first.role,
                seed=first.seed,
                accuracy=first.accuracy,
                metrics=metrics,
                gaps={pair.metric: _gap(pair, key, found, alone) for pair in reversed(pairs)},
                curves={
                    name: tuple((point.epoch, point.value) for point in points)
                    for name, points in grouped(drawn.get(key, ()), attrgetter("metric")).items()
                },
            )
        )
    return rows


def _alone(keys: Iterable[tuple]) -> set[tuple]:
    """Networks with one seed."""
    return {network for network, seeds in grouped(keys, itemgetter(slice(4))).items() if len(seeds) == 1}


def _gap(
    pair: PooledComparison, key: tuple, found: dict[tuple, list[NetworkValue]], alone: set[tuple]
) -> Gap:
    if pair.seeds == 1 and key[:4] in alone:
        return Gap(pair.difference, pair.verdict)
    ends = [
        next((v.value.value for v in found.get((*key[:3], name, key[4]), ()) if v.metric == pair.metric), nan)
        for name in (pair.student, pair.baseline)
    ]
    return Gap(Interval(ends[0] - ends[1], nan, nan, 0), "")
