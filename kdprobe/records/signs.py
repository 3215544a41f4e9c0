"""How tables in notebooks name the metrics: sign, unit, and the side on which a better student lies."""

from typing import NamedTuple

from kdprobe.records.notebook import NotebookCell


class Sign(NamedTuple):
    """One metric in a table's first column."""

    sign: str
    unit: str
    higher_is_better: bool

    @property
    def reading(self) -> str:
        """Unit and better side, in words."""
        return f"{self.unit}, {'↑ higher' if self.higher_is_better else '↓ lower'} is better"


#: The names are those of kdprobe.metrics.METRICS, which this floor cannot see.
SIGNS = {
    "n_foreground": Sign("N_fg", "cells", True),
    "n_background": Sign("N_bg", "cells", False),
    "relevance_ratio": Sign("λ", "share", True),
    "learning_distance_mean": Sign("D_mean", "initial weight norms", False),
    "learning_distance_std": Sign("D_std", "initial weight norms", False),
    "learning_distance_var": Sign("D_var", "initial weight norms²", False),
    "stability": Sign("ρ", "share", True),
}


def metric_cell(metric: str) -> NotebookCell:
    """The sign of a metric with unit and better side; of one that kdprobe does not know, its name."""
    known = SIGNS.get(metric)
    return NotebookCell(known.sign, known.reading) if known else NotebookCell(metric)
