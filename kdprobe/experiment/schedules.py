"""Whether student and baseline were trained alike: the learning distance is partly a matter of optimiser settings."""

from collections.abc import Mapping, Sequence
from typing import Any

from kdprobe.experiment.measuring import Measurable

#: what must agree of the training, with its name in words; `_settings` says where it is from
_MATCHED = {
    "optimiser": "optimiser",
    "learning_rate": "learning rate",
    "schedule": "schedule",
    "momentum": "momentum",
    "weight_decay": "weight decay",
    "batch_size": "batch size",
    "flips": "flips",
    "epochs": "epochs",
    "steps": "optimiser steps",
    "seed": "seed of initial weights and batches",
}


def schedule_notes(found: Sequence[Measurable]) -> list[str]:
    """A sentence for each student beside a baseline, from what their records say; [] without such a pair."""
    baseline = next((m for m in found if m.member.role == "baseline"), None)
    if baseline is None:
        return []
    return [_sentence(student, baseline) for student in found if student.member.role == "student"]


def _sentence(student: Measurable, baseline: Measurable) -> str:
    names = f"{student.member.name} and {baseline.member.name}"
    ours, theirs = _settings(student), _settings(baseline)
    if ours is None or theirs is None:
        return (
            f"Whether {names} had matched schedules is not known: a training of one's own does not record them. "
            "D is partly a matter of optimiser settings."
        )
    matter = dict(_MATCHED)
    if not ours["optimiser"] == theirs["optimiser"] == "sgd":
        del matter["momentum"]
    different = [
        f"{word} {ours.get(name)} against {theirs.get(name)}"
        for name, word in matter.items()
        if ours.get(name) != theirs.get(name)
    ]
    if different:
        advice = (
            " training.student_learning_rate null matches the learning rates."
            if ours["learning_rate"] != theirs["learning_rate"]
            else ""
        )
        return (
            f"{names} did not have matched schedules ({', '.join(different)}): D is partly a matter of these settings."
            f"{advice}"
        )
    shared = ", ".join(f"{word} {ours[name]}" for name, word in matter.items() if name in ours)
    return f"{names} had matched schedules ({shared}); their losses may still differ in scale, and so may D."


def _settings(found: Measurable) -> Mapping[str, Any] | None:
    """The training's settings, with epochs and steps of the analysed stage; None if nothing is recorded."""
    record = found.member.record()
    specification = record["specification"]
    if not specification.get("training"):
        return None
    stage = next(stage for stage in record["stages"] if stage["analysed"])
    return {
        **specification["training"],
        "epochs": stage["last_epoch"] - max(stage["first_epoch"] - 1, 0),
        "steps": found.stage[-1].step - found.stage[0].step,
        "seed": specification.get("seed"),
    }
