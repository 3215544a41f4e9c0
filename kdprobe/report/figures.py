"""The figures of an experiment as files."""

from pathlib import Path

from kdprobe.plots import curves_figure, maps_figure, save, table_figure
from kdprobe.records import ExperimentSummary


def write_figures(summary: ExperimentSummary, folder: str | Path) -> list[Path]:
    """Write curves, table and concept_maps_NN per image, PDF and PNG, into `folder`; return the paths."""
    folder = Path(folder)
    paths = [*save(curves_figure(summary), folder / "curves"), *save(table_figure(summary), folder / "table")]
    for k, maps in enumerate(summary.maps, start=1):
        paths += save(maps_figure(maps), folder / f"concept_maps_{k:02d}")
    return paths
