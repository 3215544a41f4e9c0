"""Images and what was estimated of them."""

from dataclasses import dataclass, field
from enum import Enum
from typing import Any, NamedTuple

from kdprobe.records.notebook import MOST, NotebookCell, NotebookTable, grey_picture, shortened
from kdprobe.records.record import Record


class Outcome(Enum):
    """How an estimate of one image ended. `advice` is the sentence shown to the user."""

    OK = "ok"
    DEGENERATE_FEATURE = "degenerate feature"
    NON_FINITE_INPUT = "non-finite input"
    NON_FINITE_ACTIVATION = "non-finite activation"
    TARGET_NOT_REACHED = "target entropy not reached"

    @property
    def advice(self) -> str:
        return _ADVICE[self]

    @property
    def usable(self) -> bool:
        """True if the map may enter a metric (a missed target is flagged, not dropped)."""
        return self in (Outcome.OK, Outcome.TARGET_NOT_REACHED)


_ADVICE = {
    Outcome.OK: "The estimate ended as its protocol prescribes.",
    Outcome.DEGENERATE_FEATURE: (
        "The layer does not react to noise on this image (all units dead?): look at an earlier layer, "
        "or at the value before its activation (feature_activation none)."
    ),
    Outcome.NON_FINITE_INPUT: "The image holds NaN or infinite values: mend or leave out the image.",
    Outcome.NON_FINITE_ACTIVATION: (
        "The layer returned NaN or infinite values: the training has diverged or the weights are damaged."
    ),
    Outcome.TARGET_NOT_REACHED: (
        "The mean entropy stayed short of the protocol's target; the nearest iterate is reported: "
        "more steps or a larger entropy weight would reach it."
    ),
}


class Sample(NamedTuple):
    """One item of a data set."""

    image: Any  #: (C, H, W) float32 tensor, normalised
    label: int  #: index into the data set's `classes`
    foreground: Any  #: (H, W) bool tensor, or None where the data set knows no foreground
    id: str  #: stable: the same image has the same id on every machine


@dataclass(frozen=True, eq=False)
class EntropyResult(Record):
    """Entropy maps of N images and how sure they are."""

    entropy: Any  #: (N, g, g) float64 tensor, nats; NaN where the outcome is not usable
    #: (N, g, g) float64 tensor, nats: standard error of each cell's entropy relative to the image's mean (which the
    #: protocol pins) from the estimator's own noise
    std_error: Any
    outcome: tuple[Outcome, ...]  #: one per image
    stats: dict[str, Any] = field(default_factory=dict)  #: protocol, solver, seed, work and diagnostics
    #: (N, R, g, g) float32 tensor, nats: R independent deviations whose squares add up to std_error². A map with fresh
    #: noise is entropy + sum_r xi_r noise_r with xi ~ N(0, 1): cells are then as correlated as they are. The same r
    #: stands for the same random numbers in every network that was measured with one seed, as far as their solvers
    #: put them to the same use (probes follow the feature).
    noise: Any = None

    def tables(self) -> list[NotebookTable]:
        first = self.entropy[:MOST]
        known = first[first == first]
        low, high = (float(known.min()), float(known.max())) if len(known) else (0.0, 0.0)
        rows = []
        for image, (cells, errors) in enumerate(zip(first, self.std_error[:MOST], strict=True)):
            lacking = bool((cells != cells).any())
            numbers = [f"{float(end):.2f}" for end in (cells.min(), cells.mean(), cells.max())]
            rows.append(
                (
                    NotebookCell(
                        "", picture=grey_picture(cells, low, high), alt=f"entropy map of image {image}"
                    )
                    if not lacking
                    else "",
                    str(image),
                    *(["n/a"] * 4 if lacking else [*numbers, f"{float(errors.mean()):.3f}"]),
                    self.outcome[image].value,
                )
            )
        count, grid = len(self.outcome), self.entropy.shape[-1]
        _, more = shortened(self.outcome, "images")
        head = ("map", "image", "least", "mean", "most", "mean standard error", "outcome")
        title = f"Entropy maps of {count} images, {grid} × {grid} cells, nats"
        return [
            NotebookTable(
                title, head, rows, [f"dark: kept ({low:.2f}), bright: discarded ({high:.2f})", *more]
            )
        ]
