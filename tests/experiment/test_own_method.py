"""A method of one's own, from outside the package: a recipe, a loss and a loss with weights of its own, by path."""

import pytest
import torch
from experiment.quick import changed, quietly, untried

from kdprobe.errors import ConfigError
from kdprobe.storage import read_json

LOSSES = '''
import torch
from torch import nn

def pull(student_feature, teacher_feature, power=2.0):
    """A loss of the user's own."""
    return (student_feature - teacher_feature).abs().pow(power).flatten(1).mean(1)

class Hint(nn.Module):
    """A regressor from the student's feature to the teacher's."""

    def __init__(self, example, hidden=3):
        super().__init__()
        wide, target = (example[f"{who}_feature"].flatten(1).shape[1] for who in ("student", "teacher"))
        self.to_teacher = nn.Sequential(nn.Linear(wide, hidden), nn.Linear(hidden, target))

    def forward(self, student_feature, teacher_feature):
        return (self.to_teacher(student_feature.flatten(1)) - teacher_feature.flatten(1)).square().mean(1)
'''
RECIPE = """
title: A method of one's own
stages:
  - name: hint
    objective:
      - {name: "losses.py:Hint", weight: 2.0, options: {hidden: 4}}
      - {name: cross_entropy, weight: 0.5}
    tap: "{layer}"
    epochs: 2
    analysed: true
  - name: pull
    objective:
      - {name: "losses.py:pull", options: {power: 1.5}}
      - kd
    tap: "{layer}"
    epochs: 1
"""


@pytest.fixture
def own(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "losses.py").write_text(LOSSES)
    (tmp_path / "mine" / "my_method.yaml").write_text(RECIPE)
    return tmp_path / "mine" / "my_method.yaml"


@pytest.mark.slow  # three runs
def test_it_runs_beside_those_of_kdprobe_and_a_change_of_its_code_is_noticed(own, tmp_path, monkeypatch):
    untried(monkeypatch)
    config, folder = changed(students=["dkd", str(own)], data={"classes": ["0", "1", "4"]}), tmp_path / "out"
    summary, _ = quietly(config, folder)
    assert [network.name for network in summary.networks] == [
        "teacher", "baseline", "student-dkd", "student-my_method",
    ]  # fmt: skip
    assert {c.student for c in summary.comparisons} == {"student-dkd", "student-my_method"}
    network = folder / "networks" / "student-my_method"
    record = read_json(network / "run.json")
    assert [stage["name"] for stage in record["stages"]] == ["hint", "pull"] and record[
        "accuracy"
    ] is not None
    assert set(record["specification"]["files"]) == {
        f"{own.parent}/losses.py:{name}" for name in ("Hint", "pull")
    }
    assert len(list((network / "connectors").rglob("*.h5"))) == 3
    _, again = quietly(config, folder)
    assert sum("trained before" in line for line in again) == 4
    (own.parent / "losses.py").write_text(LOSSES + "\n# another version\n")
    with pytest.raises(ConfigError, match=r"student-my_method holds a network .* \(files differ\)"):
        quietly(config, folder)


def test_its_own_weights_let_it_imitate_a_wider_teacher(own, tmp_path, monkeypatch):
    untried(monkeypatch)
    (own.parent / "my_method.yaml").write_text(RECIPE[: RECIPE.index("  - name: pull")])
    config = changed(students=[str(own)], teacher={"model_options": {"fc": 9}})
    summary, _ = quietly(config, tmp_path / "out")
    assert len(summary.comparisons) and torch.isfinite(torch.tensor(summary.networks[-1].path)).all()


def test_a_loss_that_cannot_compare_the_layers_is_named_before_anything_is_trained(own, tmp_path):
    config = changed(students=[str(own)], teacher={"model_options": {"fc": 9}})
    with pytest.raises(
        ConfigError, match=r"student-my_method.*'pull'.*losses\.py:pull cannot compare"
    ) as caught:
        quietly(config, tmp_path / "out")
    assert "\n" not in str(caught.value) and not (tmp_path / "out").exists()
