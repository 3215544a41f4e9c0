"""The benchmark of methods: what is compared does the passes that are counted, and times are taken in turn."""

from dataclasses import replace

import pytest
import torch

from analyses import benchmark_methods
from analyses.benchmark_methods import MethodStep, Pair, PlainStep
from kdprobe.networks import build_network
from kdprobe.recipes import list_recipes, load_recipe
from kdprobe.recipes.cost import stage_cost
from kdprobe.training.batches import Batches
from kdprobe.training.teacher_cache import TeacherCache


@pytest.fixture(scope="module")
def pair():
    tiny = [
        build_network("vgg_small", num_classes=10, image_shape=(3, 32, 32), seed=k, widths=(2, 3), fc=4)
        for k in (0, 1)
    ]
    return replace(
        benchmark_methods.resnets(20), name="a <- b", student=tiny[0], teacher=tiny[1], layer="fc1"
    )


@pytest.fixture
def batches(pair):
    return Batches(pair.data.normalised, pair.data.labels, 10, seed=0)


def forwards(networks):
    """[whether with gradient] of each forward of `networks`, as they come."""
    seen = []
    for network in networks:
        network.register_forward_pre_hook(lambda _module, _inputs: seen.append(torch.is_grad_enabled()))
    return seen


def passes(seen):
    return (3 * sum(seen) + len(seen) - sum(seen)) / 3


def cases():
    for name in list_recipes():
        for whole in load_recipe(name).stages:
            for number, stage in enumerate(benchmark_methods.stretches(whole)):
                for cached in (False, True)[: 1 + benchmark_methods.kept(stage)]:
                    yield pytest.param(name, stage, cached, id=f"{name}-{stage.name}-{number}-{cached}")


@pytest.mark.parametrize(("name", "stage", "cached"), [*cases()])
def test_stage_and_plain_loop_do_the_passes_that_are_counted(pair, batches, tmp_path, name, stage, cached):
    recipe, cost = load_recipe(name), stage_cost(stage)
    wanted = pytest.approx(cost.cached if cached else cost.fresh)
    cache = TeacherCache(tmp_path / "taught", 20, 10) if cached else None
    method = MethodStep(pair, recipe, stage, batches, cache)
    teachers = [seat.model for seat in method.module._teachers.seats]
    seen = forwards([method.module.student, *method.module.peers.values(), *teachers])
    method()
    double = 2 * ("student_input_gradient" in stage.inputs)  # there and back again: no forward, so not seen
    assert passes(seen) + double == wanted
    plain = PlainStep(*benchmark_methods.passes_of(pair, recipe, stage, cached), batches)
    seen = forwards([*plain.learners, *plain.teachers])
    plain()
    single = 2 / 3 * ("teacher_input_gradient" in stage.inputs)  # the plain loop has no gradients by images
    assert passes(seen) + double + single == wanted


@pytest.mark.parametrize("name", [name for name in list_recipes() if name != "kdcl_linear"])
def test_a_step_asks_the_device_for_no_number(pair, batches, name):
    recipe = load_recipe(name)
    for stage in recipe.stages:
        method = MethodStep(pair, recipe, stage, batches, None)
        method()  # the last of two batches: the next one begins an epoch, and draws its partners
        method()
        method()
        assert benchmark_methods.counted_waits(method.loss) == 0


def test_waits_are_seen():
    numbers = torch.arange(3)
    assert (
        benchmark_methods.counted_waits(lambda: (int(numbers.max()), bool(numbers[1]), numbers.nonzero()))
        == 3
    )


def test_a_stage_whose_terms_change_has_a_stretch_for_each_set_of_terms():
    early = benchmark_methods.stretches(load_recipe("early_stopped_kd").stages[0])
    assert [[term.objective for term in stage.objective] for stage in early] == [
        ["cross_entropy", "kd"],
        ["cross_entropy"],
    ]
    assert [stage_cost(stage).fresh for stage in early] == [pytest.approx(4 / 3), 1]


def test_ratios_are_taken_within_a_round():
    assert benchmark_methods.ratio([2.0, 30.0, 4.0], [1.0, 10.0, 4.0]) == (2.0, 1.0, 3.0)


def test_rows_of_a_recipe_and_of_lightning(pair, monkeypatch):
    monkeypatch.setattr(benchmark_methods, "surroundings", lambda: {"load": 0.5, "machine": "one"})
    rows = list(benchmark_methods.benchmark(pair, ["kd"], torch.device("cpu"), 5, rounds=2, steps=1))
    assert [(row["teacher"], row["loop"]) for row in rows] == [
        ("fresh", "stage"),
        ("fresh", "Lightning"),
        ("cached", "stage"),
    ]
    for row in rows:
        assert 0 < row["lowest"] <= row["of_passes"] <= row["highest"]
        assert row["rounds"] == 2 and row["load"] == 0.5 and row["machine"] == "one"
    assert rows[0]["passes"] == pytest.approx(4 / 3) and rows[2]["passes"] == 1
    assert rows[2]["passes_ms"] == rows[2]["student_ms"]


@pytest.mark.parametrize("name", ["feature", "fsp"])
def test_features_are_learned_from_a_network_of_equal_width(pair, name):
    stage = load_recipe(name).stages[0]
    fitted = benchmark_methods.fitting(pair, stage)
    assert fitted.teacher is pair.student and fitted.name == "a <- a"
    assert benchmark_methods.fitting(pair, load_recipe("kd").stages[0]) is pair
    assert isinstance(fitted, Pair)
