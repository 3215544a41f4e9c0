"""The released code's way of counting, the whole of it, against plain loops written from its description."""

from dataclasses import replace

import pytest
import torch
from oracles import released

from kdprobe.analysis import (
    CountSettings,
    Measurement,
    SampleFilter,
    ceiling,
    compare,
    curves,
    effective_images,
    judge,
    metric_intervals,
    network_values,
)
from kdprobe.errors import InputError
from kdprobe.metrics import noise_ceiling

GRID, IMAGES, EPOCHS = 5, 40, (0, 2, 5, 20, 40, 50)
SETTINGS = CountSettings(empty="zero", initial=True, spread="var", redraws=4, resamples=100)
FILTER = SampleFilter(from_epoch=40, keep=25)
METRICS = (
    "n_foreground",
    "n_background",
    "relevance_ratio",
    "learning_distance_mean",
    "learning_distance_var",
    "stability",
)


def foreground():
    cells = torch.rand(IMAGES, GRID, GRID, generator=torch.Generator().manual_seed(1)) < 0.4
    cells[:, 0, 0], cells[:, 4, 4] = True, False
    return cells


def measurement(seed, epochs=EPOCHS, first=0):
    """Contrast grows from epoch to epoch, then shrinks; image 3 has no concept, image 7 could not be measured."""
    generator = torch.Generator().manual_seed(seed)
    entropy = -2.8 + 0.15 * torch.randn(
        len(epochs), IMAGES, GRID, GRID, generator=generator, dtype=torch.float64
    )
    contrast = torch.rand(len(epochs), IMAGES, generator=generator, dtype=torch.float64) - 0.3
    entropy -= 0.3 * contrast[:, :, None, None] * foreground()
    entropy[:, 3] = torch.where(foreground()[3], -2.6, -2.5).double()
    usable = torch.ones(IMAGES, dtype=torch.bool)
    usable[7] = seed % 2 == 0
    steps = torch.rand(len(epochs) - 1, generator=generator, dtype=torch.float64)
    return Measurement(
        entropy=entropy,
        std_error=torch.full_like(entropy, 0.01),
        usable=usable,
        flagged=0,
        outcomes={"ok": IMAGES * len(epochs)},
        epochs=tuple(first + epoch for epoch in epochs),
        path=torch.cat([torch.zeros(1, dtype=torch.float64), steps.cumsum(0)]),
        work={},
    )


NETWORKS = {"student": measurement(0), "baseline": measurement(1)}


def by_loops(networks, resnet, mistake):
    """The sets that the two networks keep, their intersection, and the numbers over it."""
    cells = foreground().tolist()
    kept = {}
    for name, measured in networks.items():
        rows = measured.usable.nonzero().flatten().tolist()
        maps = measured.entropy[:, rows].tolist()
        found = released.effective(maps, [cells[row] for row in rows], EPOCHS, FILTER.from_epoch, FILTER.keep)
        kept[name] = [rows[place] for place in found]
    usable = set.intersection(*(set(m.usable.nonzero().flatten().tolist()) for m in networks.values()))
    images = sorted(usable.intersection(*map(set, kept.values())))
    numbers = {
        name: released.network(
            m.entropy.tolist(), cells, images, m.path.tolist(), margin=0.2, resnet=resnet, mistake=mistake
        )
        for name, m in networks.items()
    }
    return kept, images, numbers


@pytest.mark.parametrize(("resnet", "mistake"), [(False, False), (True, False), (True, True)])
def test_the_whole_summary_is_that_of_the_released_code(resnet, mistake):
    settings = replace(SETTINGS, initial="rho" if resnet else True, path_lag=1 if mistake else 0)
    kept, images, expected = by_loops(NETWORKS, resnet, mistake)
    found = effective_images(NETWORKS, list(NETWORKS), foreground(), FILTER)
    assert found.images.nonzero().flatten().tolist() == images
    assert found.by_network == {name: len(rows) for name, rows in kept.items()}
    assert 5 < len(images) < min(map(len, kept.values())) <= FILTER.keep and 3 in images
    cells, values = foreground()[found.images], {}
    for name, measured in NETWORKS.items():
        measured = measured.only(found.images)
        values[name] = network_values(name, measured, cells, settings)
        intervals = metric_intervals(values[name], settings)
        for metric in METRICS:
            assert intervals[metric].value == pytest.approx(expected[name][metric], abs=1e-12), metric
            assert intervals[metric].n == len(images)
        drawn = curves(name, measured, cells, settings)
        for place, point in enumerate(expected[name]["curves"]):
            for metric, number in zip(METRICS, point, strict=False):
                assert drawn[metric][place].value == pytest.approx(number, abs=1e-12)
    for comparison in compare("student", "baseline", values, settings):
        if comparison.metric in METRICS:
            difference = expected["student"][comparison.metric] - expected["baseline"][comparison.metric]
            assert comparison.difference == pytest.approx(difference, abs=1e-12)


def test_every_option_moves_the_numbers():
    """Else the test above could not tell one way of counting from another."""
    measured = NETWORKS["student"].only(NETWORKS["baseline"].usable)
    cells = foreground()[NETWORKS["baseline"].usable]

    def numbers(settings):
        found = metric_intervals(network_values("a", measured, cells, settings), settings)
        return {metric: found[metric].value for metric in METRICS}

    base = numbers(SETTINGS)
    moved = {
        "empty": {"relevance_ratio", "stability", "learning_distance_mean"},
        "initial": {"learning_distance_mean", "stability"},
        "scope": {"n_foreground", "n_background"},
    }
    for name, value in (("empty", "skip"), ("initial", False), ("scope", "image")):
        other = numbers(replace(SETTINGS, **{name: value}))
        assert moved[name] <= {metric for metric in METRICS if other[metric] != base[metric]}, name
    resnet = numbers(replace(SETTINGS, initial="rho"))
    mistaken = numbers(replace(SETTINGS, initial="rho", path_lag=1))
    assert resnet["stability"] == base["stability"] == mistaken["stability"]
    distances = {found["learning_distance_mean"] for found in (base, resnet, mistaken)}
    assert len(distances) == 3


def test_epochs_of_a_later_stage_are_counted_from_its_start():
    later = {name: measurement(seed, first=30) for seed, name in enumerate(NETWORKS)}
    first, second = (effective_images(n, list(n), foreground(), FILTER) for n in (NETWORKS, later))
    assert torch.equal(first.images, second.images)


def test_a_network_that_is_not_compared_is_not_asked_but_must_be_measurable():
    teacher = replace(measurement(4), entropy=measurement(4).entropy[-1:], epochs=(9,), std_error=None)
    teacher.usable[:] = True
    asked = effective_images(NETWORKS, list(NETWORKS), foreground(), FILTER)
    image = int(asked.images.nonzero()[0])
    teacher.usable[image] = False
    found = effective_images({"teacher": teacher, **NETWORKS}, list(NETWORKS), foreground(), FILTER)
    assert list(found.by_network) == list(NETWORKS)
    assert (asked.images & ~found.images).nonzero().flatten().tolist() == [image]


def test_no_image_left_is_one_sentence():
    turned = replace(NETWORKS["baseline"], entropy=-NETWORKS["baseline"].entropy)
    turned.entropy[:, foreground()] += 9
    with pytest.raises(
        InputError, match=r"leaves no image .*student \d+, baseline 0.*measure\.images"
    ) as caught:
        effective_images({**NETWORKS, "baseline": turned}, list(NETWORKS), foreground(), FILTER)
    assert "\n" not in str(caught.value)


def test_the_ceiling_has_as_many_epochs_as_rho():
    """With the initial weights there is one more epoch whose noise can take a concept away."""
    measured = replace(NETWORKS["student"], noise=torch.zeros(len(EPOCHS), IMAGES, 1, GRID, GRID))
    measured = measured.only(measured.usable)
    cells = foreground()[NETWORKS["student"].usable]
    measured.noise[0] = 0.5  # epoch 0 alone is noisy
    assert ceiling(measured, cells, replace(SETTINGS, empty="skip", initial=False)) == 1
    assert ceiling(measured, cells, replace(SETTINGS, empty="skip")) < 1


def test_the_ceiling_goes_by_the_rules_of_the_rho_that_it_stands_beside():
    measured = NETWORKS["student"].only(NETWORKS["student"].usable)
    cells, found = foreground()[NETWORKS["student"].usable], []
    for rules in ({}, {"scope": "image"}, {"empty": "skip"}, {"margin": 0.3}):
        settings = replace(SETTINGS, **rules)
        by_hand = noise_ceiling(
            measured.entropy[-1],
            measured.std_error,
            cells,
            epochs=len(EPOCHS),
            margin=settings.margin,
            scope=settings.scope,
            empty=settings.empty,
            seed=0,
        )
        assert ceiling(measured, cells, settings) == pytest.approx(by_hand, abs=1e-12)
        found.append(by_hand)
    assert len(set(found)) == 4


def test_the_spread_named_decides_the_second_hypothesis():
    values = {name: network_values(name, m, foreground(), SETTINGS) for name, m in NETWORKS.items()}
    comparisons = [
        replace(c, verdict="contradicted" if c.metric == "learning_distance_var" else "supported")
        for c in compare("student", "baseline", values, SETTINGS)
    ]
    for spread, verdict in (("std", "supported"), ("var", "undecided")):
        second = next(h for h in judge(comparisons, replace(SETTINGS, spread=spread)) if h.name == "H2")
        assert second.metrics == ("learning_distance_mean", f"learning_distance_{spread}")
        assert second.verdict == verdict


def test_final_weights_alone_have_counts_whatever_is_asked_of_the_epochs():
    one = replace(NETWORKS["student"], entropy=NETWORKS["student"].entropy[-1:], epochs=(50,))
    one = replace(one, std_error=one.std_error[-1:], path=one.path[:1])
    found = metric_intervals(network_values("a", one, foreground(), SETTINGS), SETTINGS)
    assert found["n_foreground"].n == IMAGES and found["stability"].n == 0
    assert ceiling(one, foreground(), SETTINGS) is None
