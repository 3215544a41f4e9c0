"""The scripts in figures/ that draw the tables of a sweep, and the table that each reads first."""

import importlib.util
from pathlib import Path

SCRIPTS = {
    "concept_curves": "curves",
    "concept_sets": "sets",
    "entropy_histograms": "histograms",
    "peak_epochs": "peaks",
    "detours": "forgetting",
    "overlap": "overlap",
    "accuracy": "accuracy",
    "margins": "margins",
    "layers": "comparisons",
    "sensitivity": "sensitivity",
}


def load(script):
    path = Path(__file__).parents[2] / "figures" / f"{script}.py"
    spec = importlib.util.spec_from_file_location(f"figure_{script}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
