"""``kdprobe methods``: the list, and what is said of one."""

import re
from pathlib import Path

import pytest

from kdprobe.cli import main
from kdprobe.recipes import list_recipes, load_recipe


def printed(capsys, *arguments: str) -> str:
    assert main(["methods", *arguments]) == 0
    return capsys.readouterr().out


def test_the_list_has_every_method_once_under_its_kind_within_100_columns(capsys):
    text = printed(capsys)
    assert max(map(len, text.splitlines())) <= 100
    table = text.partition("-" * 100)[2]
    for kind, rows in re.findall(r"\n\n(\w+): .*\n((?:.+\n)+)", table):
        names = re.findall(r"^(\w+) ", rows, re.MULTILINE)
        assert names == [name for name in list_recipes() if load_recipe(name).kind == kind]
    listed = re.findall(r"^(\w+) ", table, re.MULTILINE)
    assert sorted(listed) == list(list_recipes())
    for name in list_recipes():
        assert load_recipe(name).title.split()[0] in table and load_recipe(name).paper.split()[0] in table


@pytest.mark.parametrize(
    ("name", "row"),
    [
        ("baseline", "- 1.00 - -"),
        ("kd", "- 1.33 (1.00) - teacher"),
        ("feature", "layer 1.33 (1.00), 1.00 - teacher"),
        ("cs_kd_view", "- 1.67 - -"),
        ("kdcl_naive", "- 2.00 - each other, with peer"),
        ("takd", "- 1.33 (1.00) +1 assistant"),
        ("rco", "- 1.33 (1.00) - 4 anchors of teacher at equal"),
        ("early_stopped_teacher", "- 1.33 (1.00) - teacher after 25 % of the epochs"),
        ("ensemble_kd", "- 2.00 (1.00) +2 mean of the logits of teacher,"),
    ],
)
def test_a_row_says_layer_cost_networks_and_who_teaches(capsys, name, row):
    (line,) = [line for line in printed(capsys).splitlines() if line.startswith(f"{name} ")]
    assert line.split() == [name, *row.split()]


def test_the_cost_is_said_to_be_arithmetic(capsys):
    head = " ".join(printed(capsys).partition("-" * 100)[0].split())
    assert "This is arithmetic, as if all networks had one architecture" in head
    assert (
        "In parentheses: with the teachers' outputs cached, as they can be if inputs are not augmented"
        in head
    )


def test_one_method_is_explained(capsys):
    text = printed(capsys, "dkd")
    words = " ".join(text.split())
    recipe = load_recipe("dkd")
    for said in (recipe.title, recipe.paper, recipe.formula, *recipe.departures):
        assert " ".join(said.split()) in words
    assert "cross_entropy + dkd(alpha 1.0, beta 8.0, temperature 4.0) rising over 20 epochs" in words
    assert "dkd.beta = 8.0: the same: DKD.BETA" in words and "taught by teacher" in words
    assert text.endswith("use         kdprobe run --students '[dkd]'\n")
    assert "unchecked" not in text and max(map(len, text.splitlines())) <= 100


@pytest.mark.parametrize("name", list_recipes())
def test_every_explanation_holds_all_that_its_recipe_says(capsys, name):
    text, recipe = printed(capsys, name), load_recipe(name)
    words = " ".join(text.split())
    for said in (recipe.title, recipe.paper, recipe.formula, *recipe.unchecked, *recipe.departures):
        assert " ".join(said.split()) in words
    for number, origin in recipe.provenance.items():
        assert f"{number} = " in words and origin in words
    for network in recipe.networks:
        assert f"{network.name} (the {network.model}'s architecture, initial weights of draw" in words
    for stage in recipe.stages:
        assert f"{stage.name}: " in words
    assert max(map(len, text.splitlines())) <= 100


def test_what_else_a_stage_does_is_said(capsys):
    def words(name: str) -> str:
        return " ".join(printed(capsys, name).split())

    assert "each image comes with another one of its class; each image comes with an augmented view" in words(
        "cs_kd_view"
    )
    assert "together with peer (the teacher's architecture, initial weights of draw 1)" in words(
        "kdcl_linear"
    )
    assert "up to 4 anchors of teacher, found greedily (delta 0.8)" in words("rco_greedy")
    assert "those that teach see the foreground alone" in words("generalised_distillation")
    assert "what lies above the layer under study learns, the rest is frozen" in words("feature")
    assert "mean of the probabilities of generation_1, generation_2" in words("ban_ensemble")
    assert "training.classifier_epochs epochs" in words("feature")


def test_an_unknown_method_is_answered_with_the_nearest(capsys):
    assert main(["methods", "dkdd"]) == 2
    assert capsys.readouterr().err.startswith("kdprobe: No recipe 'dkdd': did you mean 'dkd'?")
    assert main(["methods", "none.yaml"]) == 2
    error = capsys.readouterr().err
    assert "No recipe file none.yaml" in error and error.count("\n") == 1


def test_the_readme_lists_every_method_beside_those_of_its_kind():
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    rows = re.findall(r"^\| [^|`]+ \| (`[\w`, ]+`) \|$", readme, re.MULTILINE)
    listed = [set(re.findall(r"`(\w+)`", row)) for row in rows]
    kinds = {name: load_recipe(name).kind for name in list_recipes()}
    of_kind = [{name for name in kinds if kinds[name] == kind} for kind in dict.fromkeys(kinds.values())]
    assert sorted(map(sorted, listed)) == sorted(map(sorted, of_kind))
