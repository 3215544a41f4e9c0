"""A user's own recipe, and what is said of a wrong one."""

import os
from pathlib import Path

import pytest

from kdprobe.errors import ConfigError
from kdprobe.recipes import load_recipe

OWN = """
title: Mine
paper: nobody 2026
stages:
  - name: imitate
    objective:
      - {name: feature_mse, weight: 1e-3}
      - cross_entropy
    tap: conv
    epochs: 2
"""


def write(folder: Path, text: str, name: str = "mine.yaml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_a_users_own_file(tmp_path):
    recipe = load_recipe(write(tmp_path, OWN))
    (stage,) = recipe.stages
    assert recipe.name == "mine" and recipe.title == "Mine"
    assert [(term.objective, term.weight) for term in stage.objective] == [
        ("feature_mse", 0.001),
        ("cross_entropy", 1.0),
    ]
    assert stage.tap == "conv" and stage.epochs == 2 and stage.teacher and stage.analysed


def test_a_users_own_objective_is_looked_up_beside_the_recipe(tmp_path, monkeypatch):
    (tmp_path / "losses.py").write_text(
        "def l1(student_logits, teacher_logits, scale):\n"
        "    return scale * (student_logits - teacher_logits).abs().sum(1)\n"
    )
    own = OWN.replace("{name: feature_mse, weight: 1e-3}", "{name: losses.py:l1, options: {scale: 2}}")
    monkeypatch.chdir(tmp_path.parent)
    path = write(tmp_path, own)
    (stage,) = load_recipe(os.path.relpath(path)).stages
    assert stage.objective[0].objective == f"{tmp_path.resolve()}/losses.py:l1"
    assert stage.objective[0].options == {"scale": 2} and stage.teacher


def test_an_unknown_name_is_answered_with_the_nearest():
    with pytest.raises(ConfigError, match="did you mean 'feature'"):
        load_recipe("featur")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"No recipe file .*none\.yaml"):
        load_recipe(tmp_path / "none.yaml")


WRONG = {
    "not yaml": ("title: [", "not valid YAML"),
    "empty": ("", "expected the keys title"),
    "given twice": ("title: a\n" + OWN, "'title' is given twice"),
    "unknown key": (OWN.replace("paper:", "papers:"), "did you mean 'paper'"),
    "unknown stage key": (OWN.replace("tap:", "tapp:"), "stage 0: unknown key 'tapp': did you mean 'tap'"),
    "unknown term key": (OWN.replace("weight:", "wieght:"), "unknown key 'wieght': did you mean 'weight'"),
    "no stages": ("title: a\nstages: []\n", "at least one stage"),
    "no title": (OWN.replace("title: Mine", ""), "the key 'title' is missing"),
    "no objective": ("title: a\nstages: [{name: b, objective: []}]\n", "at least one term"),
    "unknown objective": (OWN.replace("feature_mse", "feature_mes"), "did you mean 'feature_mse'"),
    "unknown option": (OWN.replace("weight: 1e-3", "options: {p: 1}"), "has no option 'p'"),
    "options no mapping": (OWN.replace("weight: 1e-3", "options: 3"), "key: value pairs"),
    "weight zero": (OWN.replace("1e-3", "0"), "number above 0, got 0"),
    "weight a word": (OWN.replace("1e-3", "much"), "number above 0, got 'much'"),
    "weight true": (OWN.replace("1e-3", "true"), "number above 0, got True"),
    "no tap": (OWN.replace("tap: conv", ""), "needs a tap"),
    "learns what": (OWN + "    learns: everything\n", "learns must be one of all, below_tap, above_tap"),
    "above without logits": (
        OWN.replace("      - cross_entropy\n", "") + "    learns: above_tap\n",
        "student_logits",
    ),
    "below without tap": (
        "title: a\nstages: [{name: b, objective: [cross_entropy], learns: below_tap}]\n",
        "learns: below_tap needs a tap",
    ),
    "no epochs": (OWN.replace("epochs: 2", "epochs: 0"), "epochs must be a number from 1 on"),
    "epochs true": (OWN.replace("epochs: 2", "epochs: true"), "epochs must be a number from 1 on"),
    "epochs of what": (OWN.replace("epochs: 2", "epochs: epoch"), "one of epochs, classifier_epochs"),
    "teacher denied": (OWN + "    teacher: false\n", "teacher: false, but the objective takes a teacher"),
    "teacher a number": (OWN + "    teacher: 3\n", "teacher must be true or false, a network or a list"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_recipe_is_refused_in_one_sentence_that_names_the_file(tmp_path, case):
    text, says = WRONG[case]
    with pytest.raises(ConfigError) as refusal:
        load_recipe(write(tmp_path, text))
    assert says in str(refusal.value) and "mine.yaml" in str(refusal.value) and "\n" not in str(refusal.value)


TWO = """
title: a
stages:
  - {{name: {}, objective: [cross_entropy]{}}}
  - {{name: {}, objective: [cross_entropy]{}}}
"""


@pytest.mark.parametrize(
    ("filling", "says"),
    [
        (("x", "", "y", ""), "exactly one stage must have analysed: true"),
        (("x", ", analysed: true", "y", ", analysed: true"), "exactly one stage must have analysed: true"),
        (("x", ", analysed: true", "x", ""), "different names"),
    ],
)
def test_stages_that_do_not_fit_together(tmp_path, filling, says):
    with pytest.raises(ConfigError, match=says):
        load_recipe(write(tmp_path, TWO.format(*filling)))


def test_yaml_builds_nothing_but_plain_values(tmp_path):
    path = write(tmp_path, "title: !!python/object/apply:os.getcwd []\nstages: []\n")
    with pytest.raises(ConfigError, match="not valid YAML"):
        load_recipe(path)
