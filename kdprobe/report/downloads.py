"""What can be saved from a report: tables and settings as files inside the page."""

from kdprobe.pages import data_uri
from kdprobe.records import ExperimentSummary
from kdprobe.report.reproduce import config_text
from kdprobe.report.tables import csv_files

_WORDS = {
    "metrics.csv": "every metric of every network, with interval and n",
    "comparisons.csv": "every difference student − baseline, with interval, n and verdict",
    "curves.csv": "N_fg, N_bg and lambda at every epoch, with interval, n and weight distance",
    "config.yaml": "all settings, as kdprobe run --config reads them",
}


def downloads(summary: ExperimentSummary) -> list[dict[str, str]]:
    """Name, words and data: URI of each file."""
    files = csv_files(summary)
    config = config_text(summary)
    if config is not None:
        files["config.yaml"] = config.encode()
    return [
        {"name": name, "words": _WORDS[name], "uri": data_uri(_kind(name), content)}
        for name, content in files.items()
    ]


def _kind(name: str) -> str:
    return f"{'text/csv' if name.endswith('.csv') else 'application/yaml'};charset=utf-8"
