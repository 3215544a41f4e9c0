"""Ridges hold the images' shares; mean and spread are those of a seed, averaged over the seeds."""

import numpy as np
import pytest

from kdprobe.errors import InputError
from kdprobe.plots import Peaks, peak_epochs_figure, ridge_panel

NAN = float("nan")
A = Peaks("s", "student", "0", (1, 1, 2, NAN), (0.1, 0.1, 0.4, NAN))
B = A._replace(seed="1", epochs=(3, 3, 3, 5), distances=(0.5, 0.5, 0.5, 0.7))
LATER = A._replace(network="b", role="baseline", epochs=(4, 4, 4, 4), distances=(0.6,) * 4)


def test_bars_are_shares_of_the_images_of_all_seeds(ax):
    assert ridge_panel(ax, [A, B, LATER], "epochs") is ax
    bars = ax.patches[:5]
    heights = np.array([-bar.get_height() for bar in bars])
    np.testing.assert_allclose(heights / heights.sum(), np.array([2, 1, 3, 0, 1]) / 7)
    np.testing.assert_allclose([bar.get_x() + bar.get_width() / 2 for bar in bars], [1, 2, 3, 4, 5])
    assert max(heights) < 1  # within the network's row


def test_mean_and_std_are_averaged_over_the_seeds(ax):
    ridge_panel(ax, [A, B], "epochs")
    means = [np.mean([1, 1, 2]), np.mean([3, 3, 3, 5])]
    spread = (np.std([1, 1, 2]) + np.std([3, 3, 3, 5])) / 2
    ticks, point = ax.lines
    np.testing.assert_allclose(ticks.get_xdata(), means)
    np.testing.assert_allclose(point.get_xdata(), [np.mean(means)])
    (start, end) = ax.collections[0].get_segments()[0][:, 0]
    np.testing.assert_allclose((start, end), (np.mean(means) - spread, np.mean(means) + spread))


def test_a_network_without_peaks_says_so(ax):
    ridge_panel(ax, [A, LATER._replace(epochs=(NAN,) * 4, distances=(NAN,) * 4)], "distances")
    assert [t.get_text() for t in ax.texts] == ["no image has a peak"]
    ax.figure.canvas.draw()
    assert [label.get_text() for label in ax.get_yticklabels()] == ["s", "b"]


def test_nobody_with_a_peak_can_still_be_drawn():
    figure = peak_epochs_figure([A._replace(epochs=(NAN,), distances=(NAN,))])
    assert [t.get_text() for ax in figure.axes for t in ax.texts] == ["no image has a peak"] * 2
    assert "Without any foreground concept and not drawn: s 1." in figure.get_supxlabel().replace("\n", " ")
    with pytest.raises(InputError, match="at least one network"):
        peak_epochs_figure([])
