"""Laws that hold for every recipe that comes with kdprobe."""

import inspect
import json

import pytest

from kdprobe.objectives import INPUTS, find_objective
from kdprobe.recipes import KINDS, Recipe, list_recipes, load_recipe
from kdprobe.recipes.cost import recipe_cost
from kdprobe.recipes.numbers import recipe_numbers
from kdprobe.recipes.parse import parse_recipe

EVERY = pytest.mark.parametrize(
    "recipe", [load_recipe(name) for name in list_recipes()], ids=lambda r: r.name
)

#: the methods that users can name
PROMISED = [
    "baseline", "kd", "feature", "kd_mean", "logit_regression",
    "label_smoothing", "label_smoothing_tfkd", "tf_kd_virtual", "tf_kd_self", "dkd",
    "cs_kd", "cs_kd_view", "early_stopped_teacher", "early_stopped_kd", "kd_then_labels",
    "takd", "ban", "ban_cwtm", "ban_dkpp", "ban_ensemble",
    "rco", "rco_greedy", "kdcl_naive", "kdcl_linear", "kdcl_min_logit",
    "kdcl_general", "generalised_distillation", "ensemble_kd", "model_compression",
    "at", "at_paper", "at_gradient", "nst", "fsp", "fsp_joint", "sp",
    "fitnets", "fitnets_joint", "ab", "ab_joint", "ofd", "review_kd",
    "rkd", "rkd_distance", "rkd_angle", "pkt", "darkrank_hard", "darkrank_soft", "crd", "crd_kd", "information_flow",
]  # fmt: skip


def stages_of(recipe: Recipe) -> list:
    return [*(stage for network in recipe.networks for stage in network.stages), *recipe.stages]


def as_written(described: dict) -> dict:
    """A description under the keys of a recipe file."""

    def term(content: dict) -> dict:
        keys = {"objective": "name", "from_": "from"}
        return {keys.get(key, key): value for key, value in content.items()}

    def stage(content: dict) -> dict:
        content = {**content, "objective": [term(each) for each in content["objective"]]}
        content["teacher"] = content.pop("teachers", content["teacher"])
        if "student_inputs" in content:
            content["inputs"] = content.pop("student_inputs")
        return content

    def with_stages(content: dict) -> dict:
        return {**content, "stages": [stage(each) for each in content["stages"]]}

    written = with_stages({key: value for key, value in described.items() if key != "name"})
    if "networks" in written:
        written["networks"] = [with_stages(network) for network in written["networks"]]
    return written


def test_every_promised_method_is_there():
    assert set(PROMISED) == set(list_recipes())


@EVERY
def test_it_says_what_it_is(recipe):
    assert recipe.title and recipe.paper and recipe.formula and recipe.kind in KINDS
    for sentence in (*recipe.unchecked, *recipe.departures):
        assert sentence[0].isupper() or sentence[0] in "λαT", sentence
        assert sentence.endswith("."), sentence


@EVERY
def test_a_description_survives_json_and_makes_the_same_recipe_again(recipe):
    described = json.loads(json.dumps(recipe.describe()))
    assert parse_recipe(described["name"], "described", as_written(described), None) == recipe
    assert not {"kind", "formula", "provenance", "unchecked", "departures"} & set(described)


@EVERY
def test_every_number_says_where_it_comes_from(recipe):
    alone = [stage.objective[0] for stage in stages_of(recipe) if len(stage.objective) == 1]
    together = [term for stage in stages_of(recipe) if len(stage.objective) > 1 for term in stage.objective]
    free = {f"{t.objective}.weight" for t in alone} - {f"{t.objective}.weight" for t in together}
    for number in recipe_numbers(recipe):
        assert number.origin or (number.name in free and number.values == (1.0,)), number


@EVERY
def test_what_is_recalled_or_chosen_is_admitted(recipe):
    origins = [number.origin or "" for number in recipe_numbers(recipe)]
    if any("memory" in origin or "choice" in origin for origin in origins):
        assert recipe.unchecked


@EVERY
def test_no_option_is_left_to_the_default_of_a_function(recipe):
    for stage in stages_of(recipe):
        for term in stage.objective:
            taken = set(inspect.signature(find_objective(term.objective)).parameters)
            assert set(term.options) == taken - {*INPUTS, "example"}, (stage.name, term)


@EVERY
def test_all_that_teach_are_there_when_they_are_needed(recipe):
    there = {"teacher", "baseline"}
    for network in recipe.networks:
        assert {source.network for stage in network.stages for source in stage.teachers} <= there
        there.add(network.name)
    assert {source.network for stage in recipe.stages for source in stage.teachers} <= there
    assert {network.name for network in recipe.networks} <= set(recipe.sources) <= there


@EVERY
def test_a_teacher_is_named_exactly_where_the_objective_takes_one(recipe):
    for stage in stages_of(recipe):
        assert (
            stage.teacher == bool(stage.teachers) == any(name.startswith("teacher") for name in stage.inputs)
        )


@EVERY
@pytest.mark.parametrize("epochs", [1, 2, 3, 7, 10, 150, 240])
def test_every_epoch_has_a_loss(recipe, epochs):
    for stage in stages_of(recipe):
        for epoch in range(1, epochs + 1):
            assert sum(term.weight_at(epoch, epochs) for term in stage.objective) > 0
            assert any(name.startswith("student_") for name in stage.inputs_at(epoch, epochs))


@EVERY
def test_no_method_is_cheaper_than_plain_training(recipe):
    costs = recipe_cost(recipe)
    assert len(costs) == len(recipe.stages)
    for cost in costs:
        assert cost.fresh >= cost.cached >= 1
