"""Training alone, measured later."""

import pytest
from experiment.quick import SMALL, quietly

from kdprobe.experiment import train_experiment

pytestmark = pytest.mark.usefixtures("runs_untried")


def test_what_was_only_trained_is_found_by_a_run_and_measured(tmp_path):
    said = []
    train_experiment(SMALL, tmp_path / "out", say=said.append, show_progress=False)
    assert sum(": trained, accuracy" in sentence for sentence in said) == 3
    assert {path.name for path in (tmp_path / "out").iterdir() if not path.name.startswith(".")} == {
        "config.yaml",
        "networks",
    }
    assert not list((tmp_path / "out").rglob("entropy"))
    later, said = quietly(SMALL, tmp_path / "out")
    assert sum(": trained before, accuracy" in sentence for sentence in said) == 3
    at_once, _ = quietly(SMALL, tmp_path / "at_once")
    assert [network.metrics for network in later.networks] == [
        network.metrics for network in at_once.networks
    ]
