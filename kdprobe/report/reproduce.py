"""How the numbers of a report are made again: the settings as a file, and the commands that read it."""

from shlex import quote
from typing import Any

import yaml

from kdprobe.records import ExperimentSummary
from kdprobe.report.comparison import plain
from kdprobe.report.words import MEASURED

_FOLDER = "runs/again"


def config_text(summary: ExperimentSummary) -> str | None:
    """The experiment's config as the YAML file that `kdprobe run --config` reads; None where none was recorded."""
    config = summary.settings.get("config")
    return yaml.safe_dump(plain(config), sort_keys=False, allow_unicode=False) if config else None


def measured(settings: dict[str, Any]) -> str | None:
    """How the entropies were measured, in one sentence; None where that was not recorded."""
    found = settings.get("measurement") or {}
    names = ("layer", "protocol", "solver", "seed", "grid", "probe_images")
    return MEASURED.format(**found) if all(name in found for name in names) else None


def reproduce(summary: ExperimentSummary) -> dict[str, Any] | None:
    """The commands, with what they need: versions, revision, seeds; None where no config was recorded."""
    config = summary.settings.get("config")
    if not config:
        return None
    layers = [layer.layer for layer in summary.explorer.layers[1:]] if summary.explorer else []
    more = [f"kdprobe measure {_FOLDER} --measure.layer {quote(layer)}" for layer in layers]
    more += [f"kdprobe report {_FOLDER}"] if layers else []
    return {
        "commands": [f"kdprobe run --config config.yaml --out {_FOLDER}", *more],
        "made_with": _made_with(summary.provenance),
        "seeds": _seeds(config),
    }


def _made_with(provenance: dict[str, Any]) -> str:
    versions = [
        f"{name} {provenance[name]}" for name in ("kdprobe", "torch", "python") if provenance.get(name)
    ]
    revision = provenance.get("git_revision")
    return ", ".join(versions + ([f"revision {revision}"] if revision else []))


def _seeds(config: dict[str, Any]) -> str:
    seed, probe = config.get("seed"), config.get("measure", {}).get("probe_seed")
    return f"{seed}" if probe is None else f"{seed}, and {probe} for the choice of the probe images"
