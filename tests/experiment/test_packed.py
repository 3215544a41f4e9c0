"""A trained experiment in one file and back: whatever its recipes leave in its folder."""

import pytest
from experiment.quick import HINT, changed, quietly, trained_only

from kdprobe.experiment.config import LiveConfig
from kdprobe.storage import inspect_run, pack_run, unpack_run

#: a loss with weights of its own, in an assistant and in two stages of its student
RECIPE = """
title: By an assistant
networks:
  - name: assistant
    initial: 1
    stages: [{name: taught, objective: ["hint.py:Hint", kd], tap: "{layer}"}]
stages:
  - {name: hint, objective: ["hint.py:Hint"], tap: "{layer}", teacher: assistant, analysed: true}
  - {name: both, objective: ["hint.py:Hint", cross_entropy], tap: "{layer}", teacher: assistant, epochs: 1}
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    own = tmp_path_factory.mktemp("own")
    (own / "chain.yaml").write_text(RECIPE)
    (own / "hint.py").write_text(HINT)
    folder = tmp_path_factory.mktemp("run") / "out"
    with pytest.MonkeyPatch.context() as patch:
        trained_only(patch)
        quietly(changed(students=[str(own / "chain.yaml")], live=LiveConfig()), folder)
    return folder


def files(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_run_with_connectors_and_an_assistant_survives_a_packed_file(run, tmp_path):
    pack_run(run, tmp_path / "run.h5")
    unpack_run(tmp_path / "run.h5", tmp_path / "again")
    made = (".kdprobe.lock", "live.html")  # of the moment; the page is made of the logs, which are packed
    wanted = {name: data for name, data in files(run).items() if name not in made}
    assert files(tmp_path / "again") == wanted
    for place in ("student-chain.assistant/connectors/stage-0/", "student-chain/connectors/stage-1/"):
        assert any(name.startswith(f"networks/{place}epoch-") for name in wanted), place


def test_what_is_listed_of_connectors_is_what_was_trained(run):
    found = {network.name: network for network in inspect_run(run).networks}
    assert found["student-chain.assistant"].role == "assistant"
    listed = {
        name: [(each.stage, each.epochs) for each in network.connectors] for name, network in found.items()
    }
    assert listed == {
        "teacher": [],
        "baseline": [],
        "student-chain.assistant": [(0, (0, 1, 2))],
        "student-chain": [(0, (0, 1, 2)), (1, (2, 3))],
    }
    assert inspect_run(run).sound
