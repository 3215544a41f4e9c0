"""From maps to metrics, against the plain-Python oracles."""

import dataclasses
import math

import pytest
import torch
from oracles import metrics as oracle

from kdprobe.analysis import (
    CountSettings,
    Measurement,
    ceiling,
    chosen_epochs,
    common_images,
    compare,
    curves,
    judge,
    metric_intervals,
    network_values,
)
from kdprobe.errors import InputError
from kdprobe.metrics import METRICS

SETTINGS = CountSettings(redraws=4, resamples=200)
GRID, IMAGES, EPOCHS = 6, 8, 3


def foreground():
    cells = torch.zeros(IMAGES, GRID, GRID, dtype=torch.bool)
    cells[:, 2:5, 1:4] = True
    return cells


def measurement(seed, shift=0.0, noise=0.0, epochs=EPOCHS, deviations=None):
    generator = torch.Generator().manual_seed(seed)
    entropy = -2.8 + 0.2 * torch.randn(
        epochs + 1, IMAGES, GRID, GRID, generator=generator, dtype=torch.float64
    )
    entropy[:, foreground()] -= shift
    return Measurement(
        entropy=entropy,
        std_error=torch.full_like(entropy, noise),
        usable=torch.ones(IMAGES, dtype=torch.bool),
        flagged=0,
        outcomes={"ok": IMAGES * (epochs + 1)},
        epochs=tuple(range(epochs + 1)),
        path=torch.tensor([0.0, 0.4, 0.7, 0.9][: epochs + 1], dtype=torch.float64),
        work={},
        noise=deviations,
    )


def shared_noise(epochs=EPOCHS, size=0.1, sources=3):
    """Deviations that are the same at all epochs."""
    generator = torch.Generator().manual_seed(8)
    return size * torch.randn(IMAGES, sources, GRID, GRID, generator=generator).expand(
        epochs + 1, -1, -1, -1, -1
    )


def counted(entropy):
    """(N_fg, N_bg) of all images by the oracle."""
    cells = foreground().tolist()
    maps = oracle.concepts(entropy.tolist(), cells, 0.2, "dataset")
    return tuple(zip(*(oracle.count(m, f) for m, f in zip(maps, cells, strict=True)), strict=True))


def test_values_at_the_last_epoch_and_without_epoch_zero():
    measured = measurement(0, shift=0.1)
    found = metric_intervals(network_values("a", measured, foreground(), SETTINGS), SETTINGS)
    later = measured.entropy[1:]
    counts = [counted(epoch) for epoch in later]
    inside, outside = counts[-1]
    assert found["n_foreground"].value == pytest.approx(sum(inside) / IMAGES, abs=1e-12)
    assert found["n_background"].value == pytest.approx(sum(outside) / IMAGES, abs=1e-12)
    shares = [i / (i + o) for i, o in zip(inside, outside, strict=True) if i + o]
    assert found["relevance_ratio"].value == pytest.approx(sum(shares) / len(shares), abs=1e-12)
    path, distances = measured.path.tolist(), []
    for image in range(IMAGES):
        by_epoch = [counts[epoch][0][image] for epoch in range(EPOCHS)]
        if max(by_epoch):
            distances.append(path[1 + by_epoch.index(max(by_epoch))])
    mean = sum(distances) / len(distances)
    var = sum((d - mean) ** 2 for d in distances) / len(distances)
    assert found["learning_distance_mean"].value == pytest.approx(mean, abs=1e-12)
    assert found["learning_distance_var"].value == pytest.approx(var, abs=1e-12)
    assert found["learning_distance_std"].value == pytest.approx(math.sqrt(var), abs=1e-12)


def test_curves_run_over_all_epochs_and_end_at_the_metric():
    measured = measurement(1, shift=0.1)
    found = curves("a", measured, foreground(), SETTINGS)
    metrics = metric_intervals(network_values("a", measured, foreground(), SETTINGS), SETTINGS)
    for metric in ("n_foreground", "n_background", "relevance_ratio"):
        assert len(found[metric]) == EPOCHS + 1
        assert found[metric][-1].value == metrics[metric].value
    assert found["n_foreground"][0].value == pytest.approx(
        sum(counted(measured.entropy[0])[0]) / IMAGES, abs=1e-12
    )


def test_a_student_that_sees_more_of_the_object_is_supported():
    values = {
        "student": network_values("student", measurement(2, shift=0.4), foreground(), SETTINGS),
        "baseline": network_values("baseline", measurement(3, shift=0.0), foreground(), SETTINGS),
    }
    found = {c.metric: c for c in compare("student", "baseline", values, SETTINGS)}
    assert found["n_foreground"].difference > 0
    assert found["n_foreground"].low > 0
    assert found["n_foreground"].verdict == "supported"
    assert found["relevance_ratio"].verdict == "supported"
    turned = {c.metric: c for c in compare("baseline", "student", values, SETTINGS)}
    assert turned["n_foreground"].difference == -found["n_foreground"].difference
    assert turned["n_foreground"].verdict == "contradicted"


def test_distances_are_compared_at_equal_numbers_of_epochs_only():
    values = {
        "student": network_values("student", measurement(2, epochs=2), foreground(), SETTINGS),
        "baseline": network_values("baseline", measurement(3), foreground(), SETTINGS),
    }
    comparisons = compare("student", "baseline", values, SETTINGS)
    assert {c.metric for c in comparisons} == {"n_foreground", "n_background", "relevance_ratio"}
    assert {h.name: h.verdict for h in judge(comparisons, SETTINGS)}["H3"] == "undecided"


def test_estimation_noise_widens_the_interval():
    quiet = metric_intervals(network_values("a", measurement(4, shift=0.2), foreground(), SETTINGS), SETTINGS)
    many = CountSettings(redraws=40, resamples=500)
    noisy = metric_intervals(
        network_values("a", measurement(4, shift=0.2, noise=0.3), foreground(), many), many
    )
    for metric in ("n_background", "stability"):
        assert noisy[metric].value == quiet[metric].value
        assert noisy[metric].high - noisy[metric].low > quiet[metric].high - quiet[metric].low


def test_networks_that_share_their_noise_differ_by_none_of_it():
    """The same maps and deviations in both: every redraw moves both alike. Standard errors alone do not."""
    many = CountSettings(redraws=20, resamples=300)
    for deviations, noise in ((shared_noise(), 0.0), (None, 0.1)):
        values = {
            name: network_values(name, measurement(4, 0.2, noise, deviations=deviations), foreground(), many)
            for name in ("student", "baseline")
        }
        widths = {c.metric: c.high - c.low for c in compare("student", "baseline", values, many)}
        assert set(widths) == set(METRICS)
        for metric, width in widths.items():
            assert (width == 0) == (deviations is not None), metric
        assert values["student"].noise["n_background"].std(0).max() > 0


def test_deviations_decide_over_standard_errors_in_values_and_curves():
    loud = measurement(4, 0.2, noise=9.0, deviations=shared_noise(size=0.0))
    quiet = measurement(4, 0.2)
    found, expected = (network_values("a", m, foreground(), SETTINGS) for m in (loud, quiet))
    assert all(torch.equal(found.noise[k].nan_to_num(-1), expected.noise[k].nan_to_num(-1)) for k in METRICS)
    assert curves("a", loud, foreground(), SETTINGS) == curves("a", quiet, foreground(), SETTINGS)
    moved = measurement(4, 0.2, deviations=shared_noise())
    assert curves("a", moved, foreground(), SETTINGS) != curves("a", quiet, foreground(), SETTINGS)
    assert curves("a", moved, foreground(), SETTINGS) == curves("b", moved, foreground(), SETTINGS)


def test_the_ceiling_is_1_where_all_epochs_err_alike_and_lower_where_they_do_not():
    alike = shared_noise()
    apart = alike.clone()
    for epoch in range(EPOCHS + 1):
        apart[epoch] = alike[epoch].roll(epoch, 1)
    assert ceiling(measurement(4, 0.3, deviations=alike), foreground(), SETTINGS) == 1
    lower = ceiling(measurement(4, 0.3, deviations=apart), foreground(), SETTINGS)
    assert 0 < lower < 1
    only_first = alike.clone()
    only_first[1:] = 0  # epoch 0 does not enter rho
    assert ceiling(measurement(4, 0.3, deviations=only_first), foreground(), SETTINGS) == 1
    assert ceiling(measurement(4, 0.3, noise=0.1), foreground(), SETTINGS) < 1
    assert ceiling(measurement(4, epochs=0), foreground(), SETTINGS) is None


def test_the_ceiling_counts_empty_images_as_rho_does():
    measured = measurement(4, 0.3, deviations=shared_noise(size=0.01))
    measured.entropy[:, 0] = 0.0  # far above H-bar: no concept in this image
    skip, zero = (
        ceiling(measured, foreground(), dataclasses.replace(SETTINGS, empty=empty))
        for empty in ("skip", "zero")
    )
    assert skip == 1 and zero == pytest.approx((IMAGES - 1) / IMAGES)


def test_final_weights_alone_have_counts_but_no_distance():
    found = metric_intervals(network_values("a", measurement(5, epochs=0), foreground(), SETTINGS), SETTINGS)
    assert found["n_foreground"].n == IMAGES
    assert found["stability"].n == 0
    assert math.isnan(found["learning_distance_mean"].value)


def test_an_image_that_fails_anywhere_leaves_all_networks():
    one, two = measurement(6), measurement(7)
    one.usable[2] = False
    two.usable[5] = False
    usable = common_images({"one": one, "two": two})
    assert usable.tolist() == [i not in (2, 5) for i in range(IMAGES)]
    assert one.only(usable).entropy.shape[1] == IMAGES - 2
    assert one.only(usable).noise is None
    both = measurement(6, deviations=shared_noise()).only(usable)
    assert torch.equal(both.noise, shared_noise()[:, usable])
    assert both.only(torch.ones(IMAGES - 2, dtype=torch.bool)) is both  # no copy of all of them
    one.usable[:] = False
    with pytest.raises(InputError, match="No probe image"):
        common_images({"one": one, "two": two})


def test_chosen_epochs():
    assert chosen_epochs(6, 4) == (0, 2, 4, 6)
    assert chosen_epochs(2, 5) == (0, 1, 2)
    assert chosen_epochs(0, 5) == (0,)
