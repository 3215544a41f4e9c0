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
    "at": [[("cross_entropy", 1, {}), ("at", 1000, {"p": 2})]],
    "at_paper": [[("cross_entropy", 1, {}), ("at_paper", 0.1 / 2, {"p": 2})]],
    "at_gradient": [[("cross_entropy", 1, {}), ("at_gradient", 1 / 2, {})]],
    "nst": [[("cross_entropy", 1, {}), ("nst", 50, {})]],
    "fsp": [[("fsp", 1, {})], [("cross_entropy", 1, {})]],
    "fsp_joint": [[("cross_entropy", 1, {}), ("fsp", 1, {})]],
    "sp": [[("cross_entropy", 1, {}), ("sp", 3000, {})]],
    "rkd": [[("cross_entropy", 1, {}), ("rkd_distance", 25, {}), ("rkd_angle", 50, {})]],
    "rkd_distance": [[("cross_entropy", 1, {}), ("rkd_distance", 25, {})]],
    "rkd_angle": [[("cross_entropy", 1, {}), ("rkd_angle", 50, {})]],
    "pkt": [[("cross_entropy", 1, {}), ("pkt", 30000, {})]],
    "darkrank_hard": [
        [
            ("cross_entropy", 1, {}),
            ("darkrank_hard", 2, {"alpha": 3, "beta": 3, "length": 4, "normalise": True}),
        ]
    ],
    "darkrank_soft": [
        [
            ("cross_entropy", 1, {}),
            ("darkrank_soft", 16 / 8, {"alpha": 3.5**2, "beta": 4, "length": 4, "normalise": True}),
        ]
    ],
    "crd": [
        [
            ("cross_entropy", 1, {}),
            ("crd", 0.8, {"width": 128, "negatives": 16384, "temperature": 0.07, "momentum": 0.5}),
        ]
    ],
    "crd_kd": [
        [
            ("cross_entropy", 1, {}),
            ("kd", 1, {"temperature": 4}),
            ("crd", 0.8, {"width": 128, "negatives": 16384, "temperature": 0.07, "momentum": 0.5}),
        ]
    ],
    "fitnets": [
        [("hint", 1, {"normalised": False})],
        [("cross_entropy", 1, {}), ("kd", (4 + 1) / 2 / 3**2, {"temperature": 3})],
    ],
    "fitnets_joint": [[("cross_entropy", 1, {}), ("hint", 100, {"normalised": True})]],
    "ab": [[("ab", 1, {"margin": 1})], [("kd", 1 / 3**2, {"temperature": 3})]],
    "ab_joint": [[("cross_entropy", 1, {}), ("ab", 1, {"margin": 1})]],
    "ofd": [[("cross_entropy", 1, {}), ("ofd", 1, {})]],
    "review_kd": [[("cross_entropy", 1, {}), ("review_kd", 1, {"width": 512})]],
    "information_flow": [
        [("information_flow", 1, {"layers": "last"}), ("information_flow", 100, {"layers": "but_last"})],
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


@pytest.mark.parametrize("name", ["at", "at_paper", "nst", "fsp_joint"])
def test_attention_selectivity_and_flow_look_at_all_stages_after_their_relu(name):
    (stage,) = load_recipe(name).stages
    assert stage.features.student == stage.features.teacher == ("{stages}",) and stage.tap is None


def test_similarities_are_those_of_the_last_stage():
    assert [(stage.tap, stage.features) for stage in load_recipe("sp").stages] == [("{last}", None)]


def test_flow_alone_comes_first_and_labels_alone_are_analysed():
    flow, labels = load_recipe("fsp").stages
    assert flow.features.student == flow.features.teacher == ("{stages}",) and flow.teacher
    assert (labels.teacher, labels.analysed, labels.features) == (False, True, None)


@pytest.mark.parametrize(
    "name", ["rkd", "rkd_distance", "rkd_angle", "pkt", "darkrank_hard", "darkrank_soft", "crd", "crd_kd"]
)
def test_relations_of_images_are_those_of_the_penultimate_vector(name):
    (stage,) = load_recipe(name).stages
    assert (stage.tap, stage.features) == ("{embedding}", None)


def test_information_flows_from_an_auxiliary_and_its_critical_period_fades():
    recipe = load_recipe("information_flow")
    (auxiliary,) = recipe.networks
    assert [stage.teachers for stage in auxiliary.stages] == [(), (Source("teacher"),)]
    assert auxiliary.stages[1].features.student == ("{embedding}",)
    flow, classifier = recipe.stages
    assert flow.teachers == (Source("auxiliary"),) and flow.analysed
    assert flow.features.student == flow.features.teacher == ("{stages}", "{embedding}")
    weights = [[term.weight_at(epoch, 50) for term in flow.objective] for epoch in (1, 2, 50)]
    assert weights == [[1, 100], [1, pytest.approx(70)], [1, pytest.approx(100 * 0.7**49)]]
    assert (classifier.tap, classifier.learns, classifier.teacher) == ("{embedding}", "above_tap", False)


def test_a_hint_is_given_at_the_middle_stage_after_its_relu():
    hint, distillation = load_recipe("fitnets").stages
    assert (hint.tap, hint.learns, hint.teacher, hint.analysed) == ("{middle}", "below_tap", True, False)
    assert (distillation.tap, distillation.learns, distillation.analysed) == (None, "all", True)
    assert [stage.tap for stage in load_recipe("fitnets_joint").stages] == ["{middle}"]


@pytest.mark.parametrize("name", ["ab", "ab_joint", "ofd"])
def test_boundaries_and_the_overhaul_look_at_all_stages_before_their_relu(name):
    features = load_recipe(name).stages[0].features
    assert features.student == features.teacher == ("{stages_preact}",)


def test_a_review_sees_the_student_after_and_the_teacher_before_the_relu_and_rises_over_20_epochs():
    (stage,) = load_recipe("review_kd").stages
    assert stage.features.student == ("{stages}", "{embedding}")
    assert stage.features.teacher == ("{stages_preact}", "{embedding}")
    assert [stage.objective[1].weight_at(epoch, 240) for epoch in (1, 10, 20, 240)] == [0.05, 0.5, 1.0, 1.0]
