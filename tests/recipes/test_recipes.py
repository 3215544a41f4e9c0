"""The recipes that come with kdprobe say what the papers say."""

import json

import pytest

from kdprobe.recipes import LAYER, Source, Stage, Term, list_recipes, load_recipe


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


#: as run.json held them before recipes had networks, sources and spans
AS_RECORDED = {
    "baseline": """{"name": "baseline", "title": "Baseline, labels only",
        "paper": "no distillation: the network that every student is compared with",
        "stages": [{"name": "labels",
            "objective": [{"objective": "cross_entropy", "weight": 1.0, "options": {}}],
            "tap": null, "learns": "all", "epochs": "epochs", "teacher": false, "analysed": true}]}""",
    "kd": """{"name": "kd", "title": "Knowledge distillation with softened outputs",
        "paper": "Hinton, Vinyals, Dean 2015, arXiv 1503.02531",
        "stages": [{"name": "distillation",
            "objective": [{"objective": "cross_entropy", "weight": 0.1, "options": {}},
                          {"objective": "kd", "weight": 0.9, "options": {"temperature": 4.0}}],
            "tap": null, "learns": "all", "epochs": "epochs", "teacher": true, "analysed": true}]}""",
    "feature": """{"name": "feature", "title": "Feature distillation at one layer, then the classifier",
        "paper": "Cheng, Rao, Chen, Zhang 2020 (CVPR), Explaining Knowledge Distillation by Quantifying the Knowledge",
        "stages": [{"name": "feature",
            "objective": [{"objective": "feature_mse", "weight": 1.0, "options": {}}],
            "tap": "{layer}", "learns": "below_tap", "epochs": "epochs", "teacher": true, "analysed": true},
            {"name": "classifier",
            "objective": [{"objective": "cross_entropy", "weight": 1.0, "options": {}}],
            "tap": "{layer}", "learns": "above_tap", "epochs": "classifier_epochs", "teacher": false,
            "analysed": false}]}""",
}


@pytest.mark.parametrize("name", AS_RECORDED)
def test_runs_that_were_recorded_before_are_recognised(name):
    recorded = json.loads(AS_RECORDED[name])
    assert json.dumps(load_recipe(name).describe()) == json.dumps(recorded)


#: (objective, weight, options) of the student's stages; the numbers of papers and released code, typed by hand
NUMBERS = {
    "kd_mean": [[("cross_entropy", 0.1, {}), ("kd_mean", 0.9, {"temperature": 20})]],
    "label_smoothing": [[("label_smoothing", 1, {"alpha": 0.1})]],
    "label_smoothing_tfkd": [[("label_smoothing_tfkd", 1, {"alpha": 0.1})]],
    "tf_kd_self": [[("cross_entropy", 1 - 0.95, {}), ("kd", 0.95 * 50 / 100, {"temperature": 6})]],
    "tf_kd_virtual": [
        [
            ("cross_entropy", 1 - 0.1, {}),
            (
                "virtual_teacher",
                0.1 * 100 / 100,
                {"correct_probability": 0.99, "temperature": 20, "form": "released"},
            ),
        ]
    ],
    "dkd": [[("cross_entropy", 1, {}), ("dkd", 1, {"alpha": 1, "beta": 8, "temperature": 4})]],
    "cs_kd": [[("cross_entropy", 1, {}), ("class_wise", 1, {"temperature": 4})]],
    "ban": [[("kd", 1, {"temperature": 1})]],
    "kd_then_labels": [
        [("cross_entropy", 0.1, {}), ("kd", 0.9, {"temperature": 4})],
        [("cross_entropy", 1, {})],
    ],
}


@pytest.mark.parametrize("name", NUMBERS)
def test_the_numbers_are_those_of_papers_and_released_code(name):
    stages = load_recipe(name).stages
    assert len(stages) == len(NUMBERS[name])
    for stage, expected in zip(stages, NUMBERS[name], strict=True):
        found = [(term.objective, pytest.approx(term.weight), term.options) for term in stage.objective]
        assert expected == found


def test_dkd_rises_over_20_epochs_counted_from_1():
    labels, dkd = load_recipe("dkd").stages[0].objective
    assert [dkd.weight_at(epoch, 240) for epoch in (1, 10, 20, 21, 240)] == [0.05, 0.5, 1.0, 1.0, 1.0]
    assert [labels.weight_at(epoch, 240) for epoch in (1, 240)] == [1.0, 1.0]


def test_early_stopped_distillation_turns_to_labels_alone():
    stage = load_recipe("early_stopped_kd").stages[0]
    weights = [[term.weight_at(epoch, 90) for term in stage.objective] for epoch in (1, 60, 61, 90)]
    assert weights == [[0.1, 0.9, 0.0], [0.1, 0.9, 0.0], [0.0, 0.0, 1.0], [0.0, 0.0, 1.0]]
    assert "teacher_logits" in stage.inputs_at(60, 90) and "teacher_logits" not in stage.inputs_at(61, 90)


def test_who_teaches():
    def taught(name: str) -> list[tuple[Source, ...]]:
        return [stage.teachers for stage in load_recipe(name).stages]

    assert taught("kd") == taught("ban_cwtm") == [(Source("teacher"),)]
    assert taught("tf_kd_self") == [(Source("baseline"),)]
    assert taught("early_stopped_teacher") == [(Source("teacher", epoch=0.25),)]
    assert taught("rco") == [(Source("teacher", anchors=4),)]
    assert taught("rco_greedy") == [(Source("teacher", anchors=4, search="greedy", delta=0.8),)]
    assert taught("takd") == [(Source("assistant"),)]
    assert taught("ban_ensemble") == [(Source("generation_1"), Source("generation_2"))]
    assert taught("ensemble_kd") == taught("model_compression")
    assert [source.network for source in taught("ensemble_kd")[0]] == ["teacher", "member_1", "member_2"]
    assert load_recipe("ban").sources == ("teacher", "generation_1", "generation_2")
    assert load_recipe("ban_ensemble").stages[0].combine == "probabilities"
    assert load_recipe("ensemble_kd").stages[0].combine == "logits"


def test_privileged_inputs_are_the_teachers_alone():
    recipe = load_recipe("generalised_distillation")
    (stage,), (network,) = recipe.stages, recipe.networks
    assert (stage.student_inputs, stage.teacher_inputs) == ("image", "foreground")
    assert network.inputs == network.stages[0].student_inputs == "foreground"


@pytest.mark.parametrize("how", ["naive", "linear", "min_logit", "general"])
def test_each_online_ensemble_has_its_recipe(how):
    (stage,) = load_recipe(f"kdcl_{how}").stages
    assert stage.ensemble == how and len(stage.peers) == 1 and not stage.teacher
