"""A user's own method in the user's own folder works by name; kdprobe is not edited."""

import re
import textwrap
from pathlib import Path

import pytest
import torch

from kdprobe.cli import main
from kdprobe.errors import ConfigError
from kdprobe.objectives import find_objective
from kdprobe.recipes import Features, Source, load_recipe

RECIPE = """
title: My method
paper: mine
stages:
  - name: mimic
    objective:
      - cross_entropy
      - {name: "my_loss.py:shrunk", weight: 0.5, options: {power: 2}}
      - {name: "my_loss.py:Bridge", options: {width: 3}, until: 0.5}
    tap: fc1
    teacher: {network: teacher, epoch: 0.5}
"""

LOSS = """
import torch
from torch import nn

with open(__file__.replace("my_loss.py", "executed"), "a") as file:
    file.write("x")

def shrunk(student_logits, teacher_logits, power):
    return (student_logits - teacher_logits).abs().pow(power).sum(dim=1)

class Bridge(nn.Module):
    def __init__(self, example, width):
        super().__init__()
        self.width = width
        self.map = nn.Linear(example["student_feature"].shape[1], example["teacher_feature"].shape[1])

    def forward(self, student_feature, teacher_feature):
        return (self.map(student_feature) - teacher_feature).square().mean(dim=1)
"""


@pytest.fixture
def mine(tmp_path, monkeypatch):
    folder = tmp_path / "far away"
    folder.mkdir()
    (folder / "my_method.yaml").write_text(RECIPE)
    (folder / "my_loss.py").write_text(LOSS)
    monkeypatch.chdir(folder)
    return folder


def test_function_and_class_are_found_beside_the_recipe(mine, monkeypatch):
    monkeypatch.chdir(mine.parent)
    recipe = load_recipe("far away/my_method.yaml")
    (stage,) = recipe.stages
    labels, function, connector = stage.objective
    assert recipe.name == "my_method" and recipe.kind == "" and stage.analysed
    assert function.objective == f"{mine}/my_loss.py:shrunk" and function.weight == 0.5
    assert function.inputs == ("student_logits", "teacher_logits")
    assert connector.inputs == ("student_feature", "teacher_feature") and connector.options == {"width": 3}
    assert stage.inputs_at(2, 2) == {"labels", *function.inputs}
    assert stage.teachers == (Source("teacher", epoch=0.5),) and recipe.sources == ("teacher",)
    assert labels.objective == "cross_entropy"
    assert find_objective(connector.objective).__name__ == "Bridge"


def test_the_file_is_executed_once_for_each_of_its_objectives_however_often_their_inputs_are_asked(mine):
    recipe = load_recipe("my_method.yaml")
    for epoch in range(1, 101):
        recipe.stages[0].inputs_at(epoch, 100)
    assert (mine / "executed").read_text() == "xx"


def test_the_command_line_explains_it(mine, capsys):
    assert main(["methods", "my_method.yaml"]) == 0
    text = capsys.readouterr().out
    assert text.startswith("my_method: My method\n")
    assert text.endswith("kdprobe run --students '[my_method.yaml]'\n")
    text = " ".join(text.split())
    assert "0.5 shrunk(power 2)" in text and "Bridge(width 3) until 50 % of the epochs" in text
    assert "taught by teacher after 50 % of the epochs" in text and "shrunk.power = 2" in text
    assert "mimic: 1.33 times" in text


def test_what_is_wrong_with_it_is_one_sentence(mine):
    (mine / "my_loss.py").write_text("def shrunk(student_logits, teacher_logits): pass\n")
    with pytest.raises(
        ConfigError, match=r"my_method\.yaml, stage 0: The objective shrunk has no option 'power'"
    ):
        load_recipe("my_method.yaml")
    (mine / "my_loss.py").unlink()
    with pytest.raises(ConfigError, match=r"my_method\.yaml, stage 0: No file .*my_loss\.py"):
        load_recipe("my_method.yaml")


README = (Path(__file__).parents[2] / "README.md").read_text()


def test_the_recipe_of_the_readme_is_one(mine):
    example = re.search(r"^ {6}title: Mine\n(?: {6}.*\n)+", README, re.MULTILINE).group()
    (mine / "mine.yaml").write_text(textwrap.dedent(example))
    (mine / "my_losses.py").write_text(
        "def function(student_logits, teacher_logits, temperature): return student_logits[:, 0]\n"
    )
    recipe = load_recipe("mine.yaml")
    assert recipe.sources == ("teacher", "assistant")
    assert recipe.stages[0].teachers == (Source("assistant", epoch=0.5),)


def test_the_recipe_of_the_readme_that_looks_inside_is_one_and_its_class_computes(mine):
    example = re.search(r"^ {6}title: Mine, inside\n(?: {6}.*\n)+", README, re.MULTILINE).group()
    (code,) = re.findall(r"^ {2}```python\n(.*?)^ {2}```", README, re.MULTILINE | re.DOTALL)
    (mine / "inside.yaml").write_text(textwrap.dedent(example))
    (mine / "my_losses.py").write_text("from torch import nn\n" + textwrap.dedent(code))
    (stage,) = load_recipe("inside.yaml").stages
    assert stage.features == Features(("{stages}",), ("{stages_preact}",)) and stage.teacher_mode == "train"
    term = stage.objective[1]
    assert [term.weight_at(epoch, 10) for epoch in (1, 2)] == [100, pytest.approx(70)]
    cls = find_objective(term.objective)
    given = {
        "student_features": (torch.zeros(3, 2, 4, 4), torch.zeros(3, 5, 2, 2)),
        "teacher_features": (torch.ones(3, 4, 8, 8), torch.ones(3, 6, 2, 2)),
    }
    assert set(given) == set(term.inputs)
    loss = cls(given)
    for bridge in loss.maps:
        torch.nn.init.zeros_(bridge.bias)
    assert loss(**given).tolist() == [2.0] * 3 and cls.memory_bytes(given, 64) == 4 * 64 * 10
