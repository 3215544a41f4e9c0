"""The metrics' symbols and units as matplotlib writes them."""

from kdprobe.metrics import METRICS

#: In the order in which tables list them.
METRIC_NAMES = tuple(METRICS)
MATH = {
    "n_foreground": r"$N_\mathrm{fg}$",
    "n_background": r"$N_\mathrm{bg}$",
    "relevance_ratio": r"$\lambda$",
    "learning_distance_mean": r"$D_\mathrm{mean}$",
    "learning_distance_std": r"$D_\mathrm{std}$",
    "learning_distance_var": r"$D_\mathrm{var}$",
    "stability": r"$\rho$",
}
TITLES = {
    "n_foreground": "foreground concepts",
    "n_background": "background concepts",
    "relevance_ratio": "relevance ratio",
    "learning_distance_mean": "learning distance, mean",
    "learning_distance_std": "learning distance, std",
    "learning_distance_var": "learning distance, variance",
    "stability": "stability",
}


def unit(metric: str) -> str:
    """The metric's unit as readers see it; the unit 1 of a share is written out."""
    return "share" if METRICS[metric].unit == "1" else METRICS[metric].unit


def axis_label(metric: str) -> str:
    """Title, symbol and unit: "foreground concepts N_fg / cells"."""
    return f"{TITLES[metric]} {MATH[metric]} / {unit(metric)}"


def direction(metric: str) -> str:
    """An arrow and a word: where a better student lies."""
    return "↑ higher is better" if METRICS[metric].higher_is_better else "↓ lower is better"
