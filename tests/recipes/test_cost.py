"""Passes of a step, counted by hand: forward 1, backward 2, plain training 3."""

import pytest

from kdprobe.recipes import Peer, Source, Stage, Term, load_recipe
from kdprobe.recipes.cost import extra_trainings, recipe_cost, stage_cost

LABELS, KD = Term("cross_entropy"), Term("kd")


@pytest.mark.parametrize(
    ("stage", "fresh", "cached"),
    [
        (Stage("a", (LABELS,)), 3, 3),
        (Stage("a", (KD,), teacher=True), 3 + 1, 3),
        (Stage("a", (KD,), teachers=(Source(), Source("b"), Source("c"))), 3 + 3, 3),
        (Stage("a", (KD,), teachers=(Source(anchors=4),)), 3 + 1, 3),
        (Stage("a", (LABELS, Term("class_wise")), batches="class_pairs"), 3 + 1, 3 + 1),
        (
            Stage("a", (Term("class_wise"), Term("view_consistency")), batches="class_pairs", view=True),
            3 + 2,
            3 + 2,
        ),
        (Stage("a", (Term("ensemble_kd"),), peers=(Peer("b"), Peer("c"))), 9, 9),
        (
            Stage("a", (Term("ensemble_kd"), Term("view_consistency")), view=True, peers=(Peer("b"),)),
            2 * (3 + 1),
            2 * (3 + 1),
        ),
        (Stage("a", (LABELS, Term("kd", until=0.5)), teacher=True), 3 + 0.5, 3),
        (Stage("a", (LABELS, Term("kd", from_=0.75)), teacher=True), 3 + 0.25, 3),
    ],
)
def test_a_step_costs_its_passes(stage, fresh, cached):
    assert stage_cost(stage) == pytest.approx((fresh / 3, cached / 3))


def test_each_stage_has_its_own_cost_and_networks_before_are_counted_apart():
    assert recipe_cost(load_recipe("feature")) == (pytest.approx((4 / 3, 1)), pytest.approx((1, 1)))
    assert [extra_trainings(load_recipe(name)) for name in ("kd", "tf_kd_self", "takd", "ban")] == [
        0,
        0,
        1,
        2,
    ]
