"""What an experiment found, as files: tables, figures, report, and last of all comparison.json."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from kdprobe.experiment.config import ExperimentConfig
from kdprobe.experiment.measuring import Measurable
from kdprobe.experiment.setup import Material
from kdprobe.experiment.summarise import summarise
from kdprobe.records import ExperimentSummary
from kdprobe.report import comparison_json, write_figures, write_report, write_tables
from kdprobe.storage import write_json

_COMPARISON = "comparison.json"


def publish(
    config: ExperimentConfig, material: Material, networks: Sequence[Measurable], folder: Path
) -> ExperimentSummary:
    """Writes tables, figures, the report and comparison.json of what was measured.

    comparison.json holds nothing that two runs of one experiment on one machine do not share (no times, no command). It
    is there only while all the rest is there as it says: an older one goes first, the new one comes last.
    """
    folder = Path(folder)
    summary = summarise(config, material, networks)
    lasting = {key: value for key, value in summary.provenance.items() if key not in ("command", "trained")}
    (folder / _COMPARISON).unlink(missing_ok=True)
    write_tables(summary, folder / "tables")
    write_figures(summary, folder / "figures")
    write_report(summary, folder / "report")
    write_json(folder / _COMPARISON, comparison_json(replace(summary, provenance=lasting)))
    return summary
