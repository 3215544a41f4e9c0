"""What an experiment found, as files: tables, figures, report, and last of all comparison.json."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from kdprobe.experiment.config import ExperimentConfig
from kdprobe.experiment.measuring import Measurable
from kdprobe.experiment.setup import Material
from kdprobe.experiment.summarise import summarise
from kdprobe.records import ExperimentSummary, UnmeasuredNetwork
from kdprobe.report import comparison_json, write_figures, write_report, write_tables
from kdprobe.storage import write_json
from kdprobe.storage.atomic import fsync_folder, named_failure
from kdprobe.storage.plain_json import json_bytes

_COMPARISON = "comparison.json"


def publish(
    config: ExperimentConfig,
    material: Material,
    networks: Sequence[Measurable],
    folder: Path,
    others: Sequence[UnmeasuredNetwork] = (),
) -> ExperimentSummary:
    """Writes tables, figures, the report and comparison.json of what was measured.

    comparison.json holds nothing that two runs of one experiment on one machine do not share (no times, no command). It
    is there only while all the rest is there as it says: one that says otherwise goes first, the new one comes last;
    one that says the same stays. Raises SnapshotError if the system refuses.
    """
    folder = Path(folder)
    summary = summarise(config, material, networks, others, explorer=True)
    lasting = {key: value for key, value in summary.provenance.items() if key not in ("command", "trained")}
    found = comparison_json(replace(summary, provenance=lasting))
    path = folder / _COMPARISON
    _withdraw(path, json_bytes(found))
    write_tables(summary, folder / "tables")
    write_figures(summary, folder / "figures")
    write_report(summary, folder / "report")
    write_json(path, found)
    return summary


def _withdraw(path: Path, content: bytes) -> None:
    """Removes the file at `path`, and from the disk, unless `content` is what it holds."""
    with named_failure("remove", path):
        if path.exists() and path.read_bytes() != content:
            path.unlink()
            fsync_folder(path.parent)
