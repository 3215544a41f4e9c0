import numpy as np
import pytest
import torch
from oracles import knowledge as oracle
from oracles import metrics as metrics_oracle
from scipy import stats

from kdprobe.errors import InputError
from kdprobe.metrics import MARGINS, METRICS, margin_area, margin_curve

NAN = float("nan")


def scene(images=9, epochs=3):
    generator = torch.Generator().manual_seed(0)
    entropy = -2.8 + 0.25 * torch.randn(epochs, images, 4, 4, generator=generator, dtype=torch.float64)
    foreground = torch.zeros(images, 4, 4, dtype=torch.bool)
    foreground[:, :2] = True
    return entropy, foreground, torch.arange(epochs + 1).double()


def test_the_default_margins_are_a_fixed_grid():
    assert MARGINS == (0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5)


@pytest.mark.parametrize("scope, empty", [("dataset", "skip"), ("image", "zero")])
def test_every_metric_at_every_margin_against_loops(scope, empty):
    entropy, foreground, path = scene()
    margins = (0.1, 0.3, 0.55)
    found = margin_curve(entropy, foreground, path, margins=margins, scope=scope, empty=empty)
    assert list(found) == list(METRICS)
    for place, margin in enumerate(margins):
        expected = metrics_oracle.per_image_metrics(
            entropy.tolist(), foreground.tolist(), path.tolist(), margin, scope, empty
        )
        for name in ("n_foreground", "n_background", "relevance_ratio", "stability"):
            assert found[name][place].tolist() == pytest.approx(expected[name], nan_ok=True), name
    assert not torch.equal(found["n_foreground"][0], found["n_foreground"][1])


def test_the_area_against_rectangles_and_triangles_where_images_drop_out():
    margins = (0.1, 0.2, 0.5)
    ratios = [[0.5, 1.0, 0.25, NAN, 0.75], [0.25, 1.0, NAN, NAN, 1.0], [NAN, 0.0, NAN, NAN, 1.0]]
    found = margin_area(torch.tensor(ratios, dtype=torch.float64), margins)
    assert found.nanmean().item() == pytest.approx(oracle.area(ratios, margins, [1.0] * 5))
    expected = [oracle.area_pseudo_value(ratios, margins, image) for image in range(5)]
    assert found.tolist() == pytest.approx(expected, rel=1e-6, nan_ok=True)
    assert found[3].isnan() and int(found.isnan().sum()) == 1


def test_images_with_a_value_at_every_margin_have_their_own_area():
    ratios = torch.rand(10, 6, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    found = margin_area(ratios)
    for image, value in enumerate(found.tolist()):
        column = [[row[image]] for row in ratios.tolist()]
        assert value == pytest.approx(oracle.area(column, MARGINS, [1.0]))
    assert margin_area(torch.full((10, 3), 0.7)).tolist() == pytest.approx([0.7] * 3)


def test_the_spread_of_the_pseudo_values_is_that_of_the_area_under_resampled_images():
    """What they are for: the bootstrap of the whole curve has the standard error that they have as plain values."""
    entropy, foreground, path = scene(images=60, epochs=1)
    ratios = margin_curve(entropy, foreground, path)["relevance_ratio"]
    assert 0 < int(ratios[-1].isnan().sum()) < 45

    def area(images):
        curve = np.nanmean(ratios.numpy()[:, images], axis=1)
        return np.trapezoid(curve, MARGINS) / (MARGINS[-1] - MARGINS[0])

    whole = stats.bootstrap(
        (np.arange(60),), area, vectorized=False, n_resamples=2000, method="percentile", rng=0
    )
    values = margin_area(ratios)
    error = (values.std(correction=0) / 60**0.5).item()
    assert values.mean().item() == pytest.approx(area(np.arange(60)))
    assert whole.standard_error == pytest.approx(error, rel=0.1)


def test_a_margin_without_any_value_leaves_no_area():
    ratios = torch.tensor([[0.5, 0.5], [NAN, NAN]])
    assert margin_area(ratios, (0.1, 0.2)).isnan().all()
    assert margin_area(ratios[:, :0], (0.1, 0.2)).shape == (0,)


@pytest.mark.parametrize("margins", [(), (0.2, 0.1), (0.1, 0.1), (0.0, 0.1)])
def test_margins_must_rise_above_0(margins):
    with pytest.raises(InputError, match="margin"):
        margin_curve(*scene(), margins=margins)
    with pytest.raises(InputError, match="margin"):
        margin_area(torch.zeros(len(margins), 3), margins)


def test_what_does_not_fit_gives_one_sentence():
    with pytest.raises(InputError, match=r"got \(3, 4\) for 2 margins"):
        margin_area(torch.zeros(3, 4), (0.1, 0.2))
    with pytest.raises(InputError, match="at least 2 margins"):
        margin_area(torch.zeros(1, 4), (0.1,))
    with pytest.raises(InputError, match="must be shares"):
        margin_area(torch.full((2, 4), 1.5), (0.1, 0.2))
