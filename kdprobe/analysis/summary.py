"""From measurements to the numbers of the report: metrics, curves, comparisons and verdicts, all with intervals."""

from collections.abc import Mapping, Sequence
from itertools import chain

from torch import Tensor

from kdprobe.analysis.measurement import Measurement
from kdprobe.analysis.values import (
    EPOCH_METRICS,
    CountSettings,
    NetworkValues,
    concepts_of,
    first_counted,
    redraws,
    stacked,
)
from kdprobe.metrics import (
    HYPOTHESES,
    METRICS,
    bootstrap_interval,
    count_values,
    hypothesis_verdict,
    noise_ceiling,
    paired_difference,
    verdict,
)
from kdprobe.records import Comparison, Hypothesis, Interval, Records

_SPREADS = {"std": "learning_distance_std", "var": "learning_distance_var"}


def metric_intervals(values: NetworkValues, settings: CountSettings) -> dict[str, Interval]:
    """Every metric of METRICS with its interval over images and estimation noise."""
    return {
        name: bootstrap_interval(
            values.values[name],
            statistic=metric.statistic,
            seed=settings.seed,
            noise=values.noise[name],
            limits=metric.range,
            resamples=settings.resamples,
        )
        for name, metric in METRICS.items()
    }


def curves(
    name: str, measured: Measurement, foreground: Tensor, settings: CountSettings
) -> dict[str, tuple[Interval, ...]]:
    """N_fg, N_bg and lambda at every epoch 0 ... M."""
    exact, *noisy = (
        count_values(concepts_of(maps, foreground, settings), foreground, settings.empty)
        for maps in chain([measured.entropy], redraws(name, measured, settings))
    )
    return curve_intervals(exact, stacked(noisy), settings)


def curve_intervals(
    exact: Mapping[str, Tensor], noise: Mapping[str, Tensor], settings: CountSettings
) -> dict[str, tuple[Interval, ...]]:
    """Metric -> an interval for every epoch, from (E, N) of `count_values` and (R, E, N), the same in redraws."""
    return {
        metric: tuple(
            bootstrap_interval(
                of_epoch,
                seed=settings.seed,
                noise=noise[metric][:, epoch],
                limits=METRICS[metric].range,
                resamples=settings.resamples,
            )
            for epoch, of_epoch in enumerate(values)
        )
        for metric, values in exact.items()
    }


def ceiling(measured: Measurement, foreground: Tensor, settings: CountSettings) -> float | None:
    """rho of the last epoch's maps had they never changed, measured with the noise of each epoch that enters rho."""
    if len(measured.epochs) < 2:
        return None
    first = first_counted(measured, settings)
    value = noise_ceiling(
        measured.entropy[-1],
        measured.std_error[first:],
        foreground,
        noise=None if measured.noise is None else measured.noise[first:],
        epochs=len(measured.epochs) - first,
        margin=settings.margin,
        scope=settings.scope,
        empty=settings.empty,
        redraws=20,
        seed=settings.seed,
    )
    return None if value != value else value


def compare(
    student: str, baseline: str, values: Mapping[str, NetworkValues], settings: CountSettings
) -> Records[Comparison]:
    """Student minus baseline in every metric. D and rho are left out where the kept epochs differ."""
    found = []
    for name, metric in METRICS.items():
        if name in EPOCH_METRICS and values[student].epochs != values[baseline].epochs:
            continue
        difference = paired_difference(
            values[student].values[name],
            values[baseline].values[name],
            statistic=metric.statistic,
            seed=settings.seed,
            student_noise=values[student].noise[name],
            baseline_noise=values[baseline].noise[name],
            resamples=settings.resamples,
        )
        found.append(
            Comparison(
                student=student,
                baseline=baseline,
                metric=name,
                difference=difference.value,
                low=difference.low,
                high=difference.high,
                n=difference.n,
                verdict=verdict(difference, metric.higher_is_better),
            )
        )
    return Records(found)


def judge(comparisons: Sequence[Comparison], settings: CountSettings) -> Records[Hypothesis]:
    """The three hypotheses for one student, from its comparisons; a metric that is missing leaves it undecided.

    The second is judged by the spread of D that `settings` name.
    """
    by_metric = {comparison.metric: comparison for comparison in comparisons}
    student, baseline = comparisons[0].student, comparisons[0].baseline
    found = []
    for name, rule in HYPOTHESES.items():
        metrics = tuple(_SPREADS[settings.spread] if m in _SPREADS.values() else m for m in rule.metrics)
        verdicts = [by_metric[m].verdict if m in by_metric else "undecided" for m in metrics]
        found.append(
            Hypothesis(student, baseline, name, rule.statement, metrics, hypothesis_verdict(verdicts))
        )
    return Records(found)
