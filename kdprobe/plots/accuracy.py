"""Every metric against the test accuracy of the same epoch: does a better network hold other concepts?"""

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure

from kdprobe.errors import InputError
from kdprobe.plots.page import label_lowest, network_entries, page_words, panel, panel_grid, range_text
from kdprobe.plots.seed_lines import SeedLine, mean_line, networks_of, seed_lines, seeds_of, styles_of
from kdprobe.plots.style import page_style
from kdprobe.plots.symbols import page_label


def accuracy_figure(
    metrics: Mapping[str, Sequence[SeedLine]], n: Sequence[float], *, column: str = "two", note: str = ""
) -> Figure:
    """A panel for each metric: its value over the accuracy, one path per network; the last epoch is ringed.

    metrics: name -> lines whose x is the accuracy, 0 ... 1, and whose y is the metric;
    n: numbers of images behind the points.
    """
    drawn = {name: lines for name, lines in metrics.items() if lines}
    if not drawn:
        raise InputError("there is nothing to draw against the accuracy: give at least one metric")
    everyone = [line for lines in drawn.values() for line in lines]
    styles = styles_of(everyone)
    most = 3 if column == "two" else 2
    with page_style():
        figure, panels, across = panel_grid(column, len(drawn), most, head=0.8, row=1.7, sharex=True)
        for ax, (name, lines) in zip(panels, drawn.items(), strict=True):
            names = [network.name for network in networks_of(lines)]
            last = {n: mean_line([line for line in lines if line.network == n]).epochs[-1] for n in names}
            seed_lines(panel(ax), lines, styles, marks=last, level=False)
            ax.set_ylabel(page_label(name, broken=True))
        label_lowest(panels, across, page_label("accuracy"))
        seeds = seeds_of(everyone)
        said = f"Thin lines: each of {seeds} seeds; thick: their mean." if seeds > 1 else "One seed."
        words = (
            f"One point per epoch, in order, mean over {range_text(n)} images; ringed: the last epoch. {said}"
        )
        page_words(figure, network_entries(networks_of(everyone), styles), note, words)
    return figure
