"""The tutorial notebook: it runs as it stands, in time, shows its results, and shows the same when it is run again."""

import re
from base64 import b64decode

import nbformat
import pytest
from notebooks import ROOT, executed, shown

TUTORIAL = ROOT / "analyses" / "tutorial.ipynb"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return executed(TUTORIAL, tmp_path_factory.mktemp("tutorial"))


def test_it_is_kept_without_outputs():
    notebook = nbformat.read(TUTORIAL, as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(not cell.outputs and cell.execution_count is None for cell in code)
    words = [cell for cell in notebook.cells if cell.cell_type == "markdown"]
    assert len(words) >= 10 and notebook.cells[0] in words


@pytest.mark.slow  # trains and measures three networks
def test_it_runs_in_time_and_says_nothing_but_results(run):
    found = shown(run)
    assert [content for content in found if "stderr" in content or "stdout" in content] == []
    assert sum("image/png" in content for content in found) == 3
    assert all(b64decode(c["image/png"]).startswith(b"\x89PNG") for c in found if "image/png" in c)


@pytest.mark.slow  # trains and measures three networks
def test_its_results_show_themselves(run):
    tables = [content["text/html"] for content in shown(run) if "text/html" in content]
    titles = [re.search("<caption[^>]*>(.*?)</caption>", table)[1] for table in tables]
    assert [title.split(" ")[0] for title in titles] == [
        "Entropy", "Entropy", "student", "student", "student", "Shapes",
    ]  # fmt: skip
    metrics, differences, hypotheses, experiment = tables[2:]
    for table in (metrics, differences, experiment):
        assert all(sign in table for sign in ("N_fg", "N_bg", "λ", "D_mean", "D_std", "ρ"))
    assert len(re.findall("✓ supported|✗ contradicted|\\? undecided", hypotheses)) == 3
    assert "n/a" not in metrics + differences


@pytest.mark.slow  # trains and measures three networks, twice
def test_the_same_comes_out_again(run, tmp_path):
    assert shown(executed(TUTORIAL, tmp_path)) == shown(run)
