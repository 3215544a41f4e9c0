"""What can be saved from a report: tables and settings as files inside the page."""

from base64 import b64encode

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
        {"name": name, "words": _WORDS[name], "uri": _uri(name, content)} for name, content in files.items()
    ]


def _uri(name: str, content: bytes) -> str:
    kind = "text/csv" if name.endswith(".csv") else "application/yaml"
    return f"data:{kind};charset=utf-8;base64,{b64encode(content).decode()}"
