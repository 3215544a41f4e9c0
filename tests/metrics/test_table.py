from math import inf

import torch

from kdprobe.metrics import CLAIMS, HYPOTHESES, METRICS, bootstrap_interval, image_values


def test_directions_are_those_of_the_paper():
    up = {name for name, metric in METRICS.items() if metric.higher_is_better}
    assert up == {"n_foreground", "relevance_ratio", "stability"}
    assert set(METRICS) - up == {"n_background"} | {f"learning_distance_{s}" for s in ("mean", "std", "var")}


def test_hypotheses_use_each_metric_once_and_the_variance_decides_nothing():
    used = [name for rule in HYPOTHESES.values() for name in rule.metrics]
    assert used == list(CLAIMS) == [name for name in METRICS if name != "learning_distance_var"]
    assert list(HYPOTHESES) == ["H1", "H2", "H3"]
    assert HYPOTHESES["H1"].metrics == ("n_foreground", "n_background", "relevance_ratio")
    assert HYPOTHESES["H2"].metrics == ("learning_distance_mean", "learning_distance_std")
    assert all(rule.statement.endswith(".") for rule in HYPOTHESES.values())


def test_every_value_lies_in_the_declared_range_and_the_statistic_is_the_declared_one():
    generator = torch.Generator().manual_seed(0)
    entropy = torch.randn(5, 12, 4, 4, generator=generator)
    foreground = torch.zeros(12, 4, 4, dtype=torch.bool)
    foreground[:, :2] = True
    values = image_values(entropy, foreground, torch.arange(6.0))
    assert list(values) == list(METRICS)
    for name, metric in METRICS.items():
        low, high = metric.range
        assert low == 0 and high in (1, inf) and metric.statistic in ("mean", "std", "var")
        interval = bootstrap_interval(values[name], statistic=metric.statistic, limits=metric.range, seed=0)
        assert low <= interval.low <= interval.value <= interval.high <= high, name
        assert metric.statistic == (name.rsplit("_", 1)[1] if name.startswith("learning_") else "mean")
        assert metric.symbol and metric.unit and metric.meaning
