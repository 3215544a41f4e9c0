"""Stages: who teaches, what an epoch needs, and what is written of them."""

import pytest

from kdprobe.recipes import Peer, Recipe, Source, Stage, Term

KD, LABELS = Term("kd", 0.9, {"temperature": 4.0}), Term("cross_entropy")


def test_teacher_and_teachers_say_the_same():
    assert Stage("a", (KD,), teacher=True) == Stage("a", (KD,), teachers=(Source("teacher"),))
    assert Stage("a", (KD,), teachers=(Source("baseline"),)).teacher
    assert not Stage("a", (LABELS,)).teacher and Stage("a", (LABELS,)).teachers == ()
    with pytest.raises(AttributeError):
        Stage("a", (LABELS,)).teacher = True


def test_an_epoch_takes_only_what_its_terms_take():
    stage = Stage("a", (LABELS, Term("kd", until=0.5), Term("class_wise", from_=3)), teacher=True)
    assert stage.inputs == {"student_logits", "labels", "teacher_logits", "partner_logits"}
    assert stage.inputs_at(1, 4) == {"student_logits", "labels", "teacher_logits"}
    assert stage.inputs_at(3, 4) == {"student_logits", "labels"}
    assert stage.inputs_at(4, 4) == {"student_logits", "labels", "partner_logits"}


def described(**keys) -> dict:
    (stage,) = Recipe("r", "t", "p", (Stage("a", (KD,), **keys),)).describe()["stages"]
    return stage


def test_only_what_is_not_usual_is_added_to_a_description():
    usual = described(teacher=True)
    assert list(usual) == ["name", "objective", "tap", "learns", "epochs", "teacher", "analysed"]
    assert described(teachers=(Source(),)) == usual
    assert described(teachers=(Source("baseline"),)) == {**usual, "teachers": [{"network": "baseline"}]}
    early = described(teachers=(Source("teacher", epoch=0.25),))
    assert early == {**usual, "teachers": [{"network": "teacher", "epoch": 0.25}]}
    peer = described(teacher=True, peers=(Peer("x"),), ensemble="linear", view=True)
    assert peer == {**usual, "peers": [{"name": "x"}], "ensemble": "linear", "view": True}


@pytest.mark.parametrize(
    ("term", "added"),
    [
        (Term("kd"), {}),
        (Term("kd", until=1.0), {}),
        (Term("kd", until=1), {"until": 1}),
        (Term("kd", warm_up=20, from_=0.5), {"warm_up": 20, "from_": 0.5}),
    ],
)
def test_an_epoch_and_a_share_are_described_as_two_things(term, added):
    (stage,) = Recipe("r", "t", "p", (Stage("a", (term,), teacher=True),)).describe()["stages"]
    assert stage["objective"] == [{"objective": "kd", "weight": 1.0, "options": {}, **added}]


def test_what_explains_a_recipe_decides_nothing():
    plain = Recipe("r", "t", "p", (Stage("a", (LABELS,), analysed=True),))
    told = Recipe(
        "r", "t", "p", plain.stages, kind="labels", formula="CE", provenance={"cross_entropy.weight": "me"},
        unchecked=("All.",), departures=("None.",),
    )  # fmt: skip
    assert told == plain and told.describe() == plain.describe()
