"""The scripts in figures/ draw from the tables of a finished experiment what the experiment itself drew."""

import json
import runpy
from pathlib import Path

import pytest
from report.summaries import summary

from kdprobe.report import comparison_json, write_figures, write_tables

SCRIPTS = Path(__file__).parents[2] / "figures"


def run(script: str, *arguments: str) -> int:
    return runpy.run_path(str(SCRIPTS / f"{script}.py"))["main"]([*map(str, arguments)])


@pytest.fixture(scope="module")
def experiment(tmp_path_factory):
    folder = tmp_path_factory.mktemp("experiment")
    record = summary(1, maps=2)
    write_tables(record, folder / "tables")
    (folder / "comparison.json").write_text(json.dumps(comparison_json(record)), encoding="utf-8")
    write_figures(record, folder / "figures")
    return folder


@pytest.mark.slow  # every script twice
@pytest.mark.parametrize(
    ("script", "names"),
    [("curves", ["curves"]), ("table", ["table"]), ("concept_maps", ["concept_maps_01", "concept_maps_02"])],
)
def test_scripts_draw_the_same_bytes_as_the_run(experiment, tmp_path, script, names):
    assert run(script, experiment, "--out", tmp_path / script) == 0
    for name in names:
        for form in ("pdf", "png"):
            drawn = (experiment / "figures" / f"{name}.{form}").read_bytes()
            assert (tmp_path / f"{name}.{form}").read_bytes() == drawn


@pytest.mark.parametrize("script", ["curves", "table", "concept_maps"])
def test_a_missing_experiment_is_one_sentence(script, tmp_path, capsys):
    assert run(script, tmp_path) == 2
    assert "comparison.json does not exist" in capsys.readouterr().err


@pytest.mark.slow  # an experiment
def test_networks_can_be_chosen_for_the_maps(experiment, tmp_path, capsys):
    assert run("concept_maps", experiment, "--out", tmp_path / "m", "--networks", "baseline") == 0
    assert (tmp_path / "m_02.png").exists()
    assert run("concept_maps", experiment, "--networks", "nobody") == 2
    assert "no maps of 'nobody'; there are maps of: baseline, student-feature" in capsys.readouterr().err
