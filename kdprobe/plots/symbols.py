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
#: What is drawn beside the metrics: words, sign and unit.
BESIDE = {
    "accuracy": "test accuracy / share",
    "stability_so_far": r"stability so far $\rho_k$ / share",
    "path": r"weight distance $\Sigma\,\|\Delta w\|\,/\,\|w_0\|$",
    "gained": "foreground concepts\ngained in an epoch / cells",
    "lost": "foreground concepts\nlost in an epoch / cells",
    "overlap": "IoU with the teacher's last\nforeground concepts / share",
    "epoch": "training epoch $k$",
    "margin": "margin $b$ / nats",
}


def unit(metric: str) -> str:
    """The metric's unit as readers see it; the unit 1 of a share is written out."""
    return "share" if METRICS[metric].unit == "1" else METRICS[metric].unit


def axis_label(metric: str) -> str:
    """Title, symbol and unit: "foreground concepts N_fg / cells"."""
    return f"{TITLES[metric]} {MATH[metric]} / {unit(metric)}"


def page_label(name: str, *, broken: bool = False) -> str:
    """The label of an axis on a printed page: of a metric or of what is drawn beside them.

    broken: the sign and the unit on a line of their own.
    """
    label = BESIDE[name] if name in BESIDE else axis_label(name)
    return label.replace(" $", "\n$", 1) if broken else label


def direction(metric: str) -> str:
    """An arrow and a word: where a better student lies."""
    return "↑ higher is better" if METRICS[metric].higher_is_better else "↓ lower is better"
