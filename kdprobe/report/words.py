"""What the metrics, the hypotheses and the verdicts mean, in plain words. No numbers of a run stand here."""

from math import isfinite
from typing import NamedTuple

from kdprobe.metrics import METRICS


class Words(NamedTuple):
    """How one metric is written and what it means."""

    letter: str  #: symbol without its index
    index: str  #: index of the symbol, or empty
    latex: str  #: symbol in LaTeX
    title: str
    meaning: str  #: one sentence


#: In the order in which every table lists them; the keys are the names in comparison.json.
WORDS = {
    "n_foreground": Words(
        "N",
        "fg",
        r"$N_\mathrm{fg}$",
        "foreground concepts",
        "How many grid cells on the object count as visual concepts, on average over the images: "
        "how much of the object the layer looks at.",
    ),
    "n_background": Words(
        "N",
        "bg",
        r"$N_\mathrm{bg}$",
        "background concepts",
        "How many grid cells beside the object count as visual concepts, on average over the images: "
        "how much it looks at that the class does not need.",
    ),
    "relevance_ratio": Words(
        "λ",
        "",
        r"$\lambda$",
        "relevance ratio",
        "Which share of an image's visual concepts lies on the object, on average: 1 means that the layer "
        "looks at nothing else.",
    ),
    "learning_distance_mean": Words(
        "D",
        "mean",
        r"$D_\mathrm{mean}$",
        "learning distance, mean",
        "How far the weights had travelled, in units of their length at the start, when an image had most "
        "foreground concepts: short means learned fast.",
    ),
    "learning_distance_std": Words(
        "D",
        "std",
        r"$D_\mathrm{std}$",
        "learning distance, std",
        "How much that distance differs between images: small means that all of them were learned at about "
        "the same time.",
    ),
    "learning_distance_var": Words(
        "D",
        "var",
        r"$D_\mathrm{var}$",
        "learning distance, variance",
        "The square of that spread, in squared units: what the paper's formula for the spread gives.",
    ),
    "stability": Words(
        "ρ",
        "",
        r"$\rho$",
        "stability",
        "Which share of the cells on the object that were a concept after any epoch still are one at the "
        "end: 1 means that nothing once learned was dropped, no detours.",
    ),
}


def reach(metric: str) -> str:
    """The values that a metric can take, in words."""
    low, high = METRICS[metric].range
    if METRICS[metric].unit == "cells":
        return f"{low:g} … all cells"
    return f"{low:g} … {high:g}" if isfinite(high) else f"≥ {low:g}"


#: What the explorer and the other sections speak of.
TERMS = (
    (
        "entropy H of a cell, nats",
        "How much of the cell's information the layer throws away: the logarithm of the strength of the noise that it "
        "tolerates in this cell, plus a constant. Low means kept, high means discarded. It has no fixed range: only "
        "differences within one network, layer and epoch mean something.",
    ),
    (
        "baseline entropy H̄, nats",
        "The mean entropy of the background cells of one network at one epoch: what the layer discards where nothing "
        "matters for the class.",
    ),
    (
        "margin b, nats, above 0",
        "How far below the baseline a cell's entropy must lie to count: the larger b, the fewer concepts.",
    ),
    (
        "visual concept",
        "A grid cell with H̄ − H > b: the layer keeps clearly more of it than of the background on average. "
        "Foreground concepts lie on the object, background concepts beside it.",
    ),
    (
        "weight distance, initial weight norms",
        "The length of the way of the weights, epoch by epoch, divided by their length at the start: 0 before "
        "training, growing ever after.",
    ),
)

#: What a hypothesis says of the student, by the way its test ended.
FINDINGS = {
    "H1": {
        "supported": "The student looks more at the object and less beside it than the baseline.",
        "contradicted": "The student does not look more at the object: where decided, the baseline leads.",
        "undecided": "Whether the student looks more at the object and less beside it stays open.",
    },
    "H2": {
        "supported": "The student learned its concepts faster and more at the same time than the baseline.",
        "contradicted": "The student did not learn faster or more evenly: where decided, the baseline leads.",
        "undecided": "Whether the student learned its concepts faster and more at the same time stays open.",
    },
    "H3": {
        "supported": "The student took fewer detours: it kept more of the concepts that it once had.",
        "contradicted": "The student took more detours: it dropped more of the concepts that it once had.",
        "undecided": "Whether the student took fewer detours than the baseline stays open.",
    },
}

#: Why a verdict is what it is.
REASONS = {
    "supported": "Every interval lies on the side that the hypothesis expects.",
    "contradicted": "At least one interval lies on the wrong side, and none on the expected one.",
    "undecided": "At least one interval includes zero, so these images do not settle it.",
    "missing": "At least one of its metrics has no value, so it cannot be judged.",
    "mixed": "The metrics disagree: one interval lies on the expected side and another on the wrong one.",
}

#: How the entropies of an experiment came about.
MEASURED = (
    "Entropies at layer {layer} by the protocol {protocol} with the solver {solver}, seed {seed}: in each of the "
    "{grid} × {grid} cells of {probe_images} images, the strength of the noise that the layer's value tolerates."
)

#: Of a page in which the margin can be moved.
MARGIN_LIMIT = (
    "The verdicts hold for the margin that was set beforehand. Moving it in this page is for looking: a difference "
    "that shows up at one of many margins was searched for and proves nothing."
)
LIMITS = (
    "A visual concept is a cell of a grid in which the layer discards clearly less of the input than it "
    "does on the background on average. It is no object part and has no name: the counts say how much "
    "the network looks at, and where, not what it recognises there.",
    "The counts depend on the protocol, the margin, the grid and the layer. Compare them only between "
    "networks that were measured alike, as here, and not with numbers from elsewhere.",
    "What counts as foreground comes from masks, boxes or a fixed square. A box also holds some background.",
    "That a layer keeps a cell's information does not prove that the prediction uses it.",
    "The verdicts are about one layer. Another layer may tell another story.",
    MARGIN_LIMIT,
    "More or cleaner concepts do not by themselves mean better accuracy, and a difference found here "
    "does not say which part of the distillation caused it.",
    "The learning distance depends on which weights it counts. It and the stability compare only "
    "networks that were followed for the same number of epochs.",
    "A verdict rests on 95 % intervals, one per metric, without a correction for looking at several of "
    "them: among many comparisons a few will look decided by chance.",
)

SEEDS = (
    "Each network here is one training run: the intervals leave out the variation between seeds. "
    "Another seed may give another verdict."
)
EPOCHS_DIFFER = (
    "The networks were followed for different numbers of epochs ({epochs}): "
    "D and ρ of these networks must not be compared with each other."
)
CEILING = (
    "Noise ceiling of ρ: maps that never changed would show less than 1, since every epoch is measured with noise. "
    "The maps of the last epoch with the noise of each epoch give on average {values}; a measured ρ cannot be "
    "expected to come closer to 1 than that."
)
FLAGGED = (
    "Estimates that did not reach the protocol's target entropy: {values}. The nearest iterate was used; "
    "they are in the numbers."
)
LEFT_OUT = "Images without a value, left out of the metric, of {name}: {values}."
MISSING_MAPS = "No concept maps were kept for this experiment."
