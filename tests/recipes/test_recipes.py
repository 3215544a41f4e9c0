"""The recipes that come with kdprobe say what the papers say."""

import json

import pytest

from kdprobe.recipes import LAYER, Recipe, Stage, Term, list_recipes, load_recipe


def test_the_list_is_sorted_and_every_recipe_loads():
    assert list_recipes() == tuple(sorted(list_recipes()))
    assert set(list_recipes()) >= {"baseline", "feature", "kd"}
    for name in list_recipes():
        recipe = load_recipe(name)
        assert recipe.name == name and recipe.title and recipe.paper
        assert sum(stage.analysed for stage in recipe.stages) == 1


def test_baseline_is_labels_and_nothing_else():
    assert load_recipe("baseline").stages == (
        Stage("labels", (Term("cross_entropy", 1.0, {}),), analysed=True),
    )
    assert not load_recipe("baseline").teacher


def test_kd_is_a_tenth_labels_and_nine_tenths_teacher_at_temperature_4():
    (stage,) = load_recipe("kd").stages
    assert stage.objective == (Term("cross_entropy", 0.1, {}), Term("kd", 0.9, {"temperature": 4.0}))
    assert stage.teacher and stage.analysed and stage.learns == "all" and stage.epochs == "epochs"


def test_feature_imitates_one_layer_and_then_trains_the_rest_on_labels():
    recipe = load_recipe("feature")
    assert recipe.analysed_stage == 0 and recipe.teacher
    assert recipe.stages == (
        Stage("feature", (Term("feature_mse"),), LAYER, "below_tap", "epochs", teacher=True, analysed=True),
        Stage("classifier", (Term("cross_entropy"),), LAYER, "above_tap", "classifier_epochs"),
    )


@pytest.mark.parametrize("name", list_recipes())
def test_a_description_survives_json(name):
    recipe = load_recipe(name)
    described = json.loads(json.dumps(recipe.describe()))
    stages = tuple(
        Stage(**{**stage, "objective": tuple(Term(**term) for term in stage["objective"])})
        for stage in described.pop("stages")
    )
    assert Recipe(**described, stages=stages) == recipe
