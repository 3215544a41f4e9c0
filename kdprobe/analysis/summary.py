"""From measurements to the numbers of the report: metrics, curves, comparisons and verdicts, all with intervals."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import nan
from typing import Any

import torch
from torch import Tensor

from kdprobe.analysis.measurement import Measurement
from kdprobe.metrics import (
    HYPOTHESES,
    METRICS,
    bootstrap_interval,
    concept_cells,
    count_concepts,
    hypothesis_verdict,
    image_values,
    noise_ceiling,
    noise_redraws,
    paired_difference,
    redraw,
    relevance_ratio,
    verdict,
)
from kdprobe.records import Comparison, Hypothesis, Interval, Record
from kdprobe.training import derive_seed

CURVES = ("n_foreground", "n_background", "relevance_ratio")
#: metrics that are compared only between networks of which the same epochs are kept
EPOCH_METRICS = ("learning_distance_mean", "learning_distance_std", "learning_distance_var", "stability")

_SPREADS = {"std": "learning_distance_std", "var": "learning_distance_var"}


@dataclass(frozen=True)
class CountSettings(Record):
    """How concepts are counted and how sure the counts are."""

    margin: float = 0.2  #: b, nats
    scope: str = "dataset"  #: whose background the baseline entropy is: dataset or image
    empty: str = "skip"  #: what an image without concepts does to shares: skip or zero
    initial: bool | str = False  #: whether epoch 0 enters D and rho; "rho": rho alone
    path_lag: int = (
        0  #: 1: D is looked up one kept epoch too early, as the released code does for its ResNets
    )
    spread: str = "std"  #: which spread of D decides the second hypothesis: std or var
    redraws: int = 50  #: noisy copies of the maps that enter the intervals
    resamples: int = 2000  #: of the bootstrap
    seed: int = 0

    @property
    def last_alone(self) -> "CountSettings":
        """The same for a network of which there is one epoch."""
        return replace(self, initial=False, path_lag=0)

    @property
    def rules(self) -> dict[str, Any]:
        """The options of `image_values`."""
        names = ("margin", "scope", "empty", "initial", "path_lag")
        return {name: getattr(self, name) for name in names}


@dataclass(frozen=True, eq=False)
class NetworkValues(Record):
    """Per-image values of one network's metrics and the same under redraws of the estimator's noise."""

    values: dict[str, Tensor]  #: metric -> (N,)
    noise: dict[str, Tensor]  #: metric -> (R, N)
    epochs: tuple[int, ...]  #: those that were kept, counted from the stage's start: 0 ... M


def network_values(
    name: str, measured: Measurement, foreground: Tensor, settings: CountSettings
) -> NetworkValues:
    """Values at epoch M, epochs 1 ... M entering D and rho (with `initial`, epoch 0 too).

    A network with its final weights alone has no D and rho.
    """
    counted = settings if len(measured.epochs) > 1 else settings.last_alone
    first = first_counted(measured, counted)
    later = measured.entropy[first:], measured.std_error[first:]
    deviations = None if measured.noise is None else measured.noise[first:]
    path = measured.path if len(measured.path) > 1 else torch.zeros(2, dtype=torch.float64)
    values = image_values(later[0], foreground, path, **counted.rules)
    noise = noise_redraws(
        *later,
        foreground,
        path,
        noise=deviations,
        redraws=settings.redraws,
        seed=redraw_seed(name, measured, settings),
        **counted.rules,
    )
    if len(measured.epochs) == 1:
        for metric in EPOCH_METRICS:
            values[metric] = torch.full_like(values[metric], nan)
            noise[metric] = torch.full_like(noise[metric], nan)
    return NetworkValues(values, noise, tuple(epoch - measured.epochs[0] for epoch in measured.epochs))


def first_counted(measured: Measurement, settings: CountSettings) -> int:
    """Place of the first epoch that enters D and rho."""
    return 0 if settings.initial or len(measured.epochs) == 1 else 1


def redraw_seed(name: str, measured: Measurement, settings: CountSettings) -> int:
    """One seed for all networks, whose noise came from the same random numbers; without `noise` nothing is shared."""
    own = () if measured.noise is not None else (name,)
    return derive_seed(settings.seed, "redraw", *own)


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

    def counted(entropy: Tensor) -> dict[str, Tensor]:
        concepts = concept_cells(entropy, foreground, settings.margin, settings.scope)
        inside, outside = count_concepts(concepts, foreground)
        shares = [
            relevance_ratio(i, o, settings.empty).per_image for i, o in zip(inside, outside, strict=True)
        ]
        return {
            "n_foreground": inside.double(),
            "n_background": outside.double(),
            "relevance_ratio": torch.stack(shares),
        }

    exact = counted(measured.entropy)
    copies = redraw(
        measured.entropy,
        measured.std_error,
        noise=measured.noise,
        redraws=settings.redraws,
        seed=redraw_seed(name, measured, settings),
    )
    noisy = [counted(copy) for copy in copies]
    return {
        metric: tuple(
            bootstrap_interval(
                exact[metric][epoch],
                seed=settings.seed,
                noise=torch.stack([copy[metric][epoch] for copy in noisy]),
                limits=METRICS[metric].range,
                resamples=settings.resamples,
            )
            for epoch in range(len(measured.epochs))
        )
        for metric in CURVES
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
) -> list[Comparison]:
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
    return found


def judge(comparisons: Sequence[Comparison], settings: CountSettings) -> list[Hypothesis]:
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
    return found
