"""Stages that look at several layers: what may be written, what it is read as, and what is refused."""

from pathlib import Path

import pytest
import yaml

from kdprobe.errors import ConfigError
from kdprobe.networks import ROLES
from kdprobe.recipes import LAYER, Features, Source, Stage, Term, load_recipe
from kdprobe.recipes.cost import stage_cost
from kdprobe.recipes.in_words import stage_in_words, term_in_words
from kdprobe.recipes.layers import MANY, ONE
from kdprobe.recipes.numbers import recipe_numbers

OWN = Path(__file__).parents[1] / "training" / "own_objectives.py"
GAP, NORMS, SHARP, GRADIENTS, HINT = (
    f"{OWN}:{name}" for name in ("feature_gap", "norm_gap", "sharpness", "gradient_gap", "Hint")
)
LABELS = "cross_entropy"


def loaded(folder: Path, *objective, **keys):
    """The one stage, as a recipe's file says it."""
    content = {"title": "t", "stages": [{"name": "a", "objective": list(objective), **keys}]}
    (folder / "mine.yaml").write_text(yaml.safe_dump(content))
    return load_recipe(folder / "mine.yaml")


def test_the_roles_are_those_that_networks_fill():
    assert {*ONE, *MANY} == {*ROLES}


def test_a_list_is_of_both_networks_and_a_pair_of_lists_is_of_each(tmp_path):
    (stage,) = loaded(tmp_path, GAP, features=["{stages}", "fc1"]).stages
    assert stage.features == Features(("{stages}", "fc1"), ("{stages}", "fc1")) and stage.teacher
    (stage,) = loaded(tmp_path, GAP, features={"student": ["conv", 3], "teacher": ["a.b", LAYER]}).stages
    assert stage.features == Features(("conv", "3"), ("a.b", LAYER))
    (stage,) = loaded(tmp_path, GAP, features={"student": ["conv"], "teacher": ["{stages}"]}).stages
    assert stage.features == Features(("conv",), ("{stages}",))


def test_the_teachers_mode_and_the_decay_are_read(tmp_path):
    recipe = loaded(tmp_path, LABELS, {"name": "kd", "weight": 100, "decay": "7e-1"}, teacher_mode="train")
    (stage,) = recipe.stages
    assert stage.teacher_mode == "train" and stage.objective[1].decay == 0.7
    weights = [stage.objective[1].weight_at(epoch, 50) for epoch in (1, 2, 3, 50)]
    assert weights == pytest.approx([100, 70, 49, 100 * 0.7**49])
    assert ("kd.decay", (0.7,), None) in [tuple(number) for number in recipe_numbers(recipe)]
    assert term_in_words(stage.objective[1]) == "100 kd times 0.7 after each epoch"


def test_a_decay_rises_with_a_warm_up_and_ends_with_its_span():
    term = Term("kd", 8.0, warm_up=4, from_=1, until=5, decay=0.5)
    weights = [term.weight_at(epoch, 10) for epoch in range(1, 8)]
    assert weights == [0.0, 8 * 2 / 4 / 2, 8 * 3 / 4 / 4, 8 / 8, 8 / 16, 0.0, 0.0]


def test_what_is_not_used_is_not_described(tmp_path):
    described = loaded(tmp_path, "kd").describe()["stages"][0]
    assert not {"features", "teacher_mode"} & set(described)
    assert set(described["objective"][0]) == {"objective", "weight", "options"}
    recipe = loaded(tmp_path, {"name": GAP, "decay": 0.5}, features=["{stages}"], teacher_mode="train")
    described = recipe.describe()["stages"][0]
    assert described["features"] == {"student": ["{stages}"], "teacher": ["{stages}"]}
    assert described["teacher_mode"] == "train" and described["objective"][0]["decay"] == 0.5


def test_the_layers_are_said_in_words(tmp_path):
    features = {"student": ["{stages_preact}", "fc1"], "teacher": ["{stages_preact}", "{embedding}"]}
    (stage,) = loaded(tmp_path, GAP, features=features, teacher_mode="train").stages
    said = stage_in_words(stage)
    assert "at all its stages before their ReLU and fc1, of the teacher all its stages before" in said
    assert "its BatchNorms take the statistics of the batch" in said
    (stage,) = loaded(tmp_path, HINT, tap="{middle}", learns="below_tap").stages
    assert "at its middle stage; what lies below its middle stage learns" in stage_in_words(stage)


PAIR = {"student": ["a", "b"], "teacher": ["c"]}
WRONG = {
    "nobody takes them": ([LABELS], {"features": ["{stages}"]}, "no objective takes student_features"),
    "none given": ([GAP], {}, "takes student_features, so the stage needs a list of features"),
    "norms without": ([LABELS, NORMS], {}, "takes student_features, so the stage needs a list of features"),
    "empty": ([GAP], {"features": []}, "features must be a list with at least one layer, got []"),
    "no list": ([GAP], {"features": "{stages}"}, "features must be a list with at least one layer"),
    "no layer": ([GAP], {"features": [None]}, "features must name layers, got None"),
    "a truth": ([GAP], {"features": [True]}, "features must name layers, got True"),
    "unknown role": ([GAP], {"features": ["{stage}"]}, "no known role, '{stage}': did you mean '{stages}'"),
    "braces unquoted": ([GAP], {"features": [{"stages": None}]}, "write '{stages}' in quotes"),
    "tap unquoted": ([HINT], {"tap": {"layer": None}}, "write '{layer}' in quotes"),
    "tap unknown role": ([HINT], {"tap": "{midle}"}, "tap names no known role, '{midle}'"),
    "tap of many": ([HINT], {"tap": "{stages}"}, "tap is one layer, and {stages} are several"),
    "student alone": ([GAP], {"features": {"student": ["a"]}}, "the key 'teacher' is missing"),
    "unknown side": ([GAP], {"features": {"pupil": ["a"], "teacher": ["a"]}}, "unknown key 'pupil'"),
    "unequal": ([GAP], {"features": PAIR}, "names 2 layers of the student and 1 of the teacher"),
    "several teachers": (
        [GAP],
        {"features": ["a"], "teacher": ["teacher", "baseline"]},
        "the features of several teachers have no common axes",
    ),
    "gradients of several": (
        [LABELS, GRADIENTS],
        {"teacher": ["teacher", "baseline"]},
        "and teacher_input_gradient of several no mean",
    ),
    "mode of nobody": ([LABELS], {"teacher_mode": "train"}, "teacher_mode, but the objective takes nothing"),
    "mode unknown": (["kd"], {"teacher_mode": "off"}, "teacher_mode must be one of eval, train, got 'off'"),
    "no decay": ([{"name": "kd", "decay": 0}], {}, "decay of kd must be a number above 0, got 0"),
    "growth": ([{"name": "kd", "decay": 1.5}], {}, "decay of kd must be a number above 0 and at most 1"),
    "below nothing": ([GAP], {"features": ["a"], "learns": "below_tap"}, "learns: below_tap needs a tap"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_cannot_work_is_refused_in_one_sentence(tmp_path, case):
    terms, keys, says = WRONG[case]
    with pytest.raises(ConfigError) as refusal:
        loaded(tmp_path, *terms, **keys)
    sentence = str(refusal.value)
    assert says in sentence and "mine.yaml" in sentence and "\n" not in sentence


FEATURES = {"features": Features(("a",), ("a",)), "teacher": True}


@pytest.mark.parametrize(
    ("stage", "fresh", "cached"),
    [
        (Stage("a", (Term(LABELS), Term(GAP)), **FEATURES), 3 + 1, 3),
        (Stage("a", (Term(GAP),), teacher_mode="train", **FEATURES), 3 + 1, 3 + 1),
        (Stage("a", (Term(SHARP),)), 3 + 2 + 4, 3 + 2 + 4),
        (Stage("a", (Term(LABELS), Term(GRADIENTS)), teacher=True), 9 + 3, 9 + 3),
        (Stage("a", (Term(GRADIENTS),), teachers=(Source(anchors=4),)), 9 + 3, 9 + 3),
        (
            Stage("a", (Term(LABELS), Term(GRADIENTS, until=0.5)), teacher=True),
            3 + 6 / 2 + 3 / 2,
            3 + 3 + 1.5,
        ),
    ],
)
def test_a_step_costs_its_passes(stage, fresh, cached):
    """Forward 1, backward 2; the way back through a backward 4; plain training 3."""
    assert stage_cost(stage) == pytest.approx((fresh / 3, cached / 3))
