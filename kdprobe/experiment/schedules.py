"""Whether student and baseline were trained alike: the learning distance is partly a matter of optimiser settings."""

from collections.abc import Mapping, Sequence
from typing import Any

from kdprobe.experiment.measuring import Measurable
from kdprobe.experiment.members import Member

#: settings of the training that must agree, with their names in words
_MATCHED = {
    "optimiser": "optimiser",
    "learning_rate": "learning rate",
    "schedule": "schedule",
    "momentum": "momentum",
    "weight_decay": "weight decay",
    "batch_size": "batch size",
    "flips": "flips",
    "epochs": "epochs",
}


def schedule_notes(found: Sequence[Measurable]) -> list[str]:
    """A sentence for each student beside a baseline, from what their records say; [] without such a pair."""
    baseline = next((m.member for m in found if m.member.role == "baseline"), None)
    if baseline is None:
        return []
    students = [m.member for m in found if m.member.role == "student"]
    return [_sentence(student, baseline) for student in students]


def _sentence(student: Member, baseline: Member) -> str:
    names = f"{student.name} and {baseline.name}"
    ours, theirs = _settings(student), _settings(baseline)
    if ours is None or theirs is None:
        return (
            f"Whether {names} had matched schedules is not known: a training of one's own does not record them. "
            "D is partly a matter of optimiser settings."
        )
    different = [
        f"{word} {ours.get(name)} against {theirs.get(name)}"
        for name, word in _MATCHED.items()
        if ours.get(name) != theirs.get(name)
    ]
    if different:
        return (
            f"{names} did not have matched schedules ({', '.join(different)}): D is partly a matter of these settings. "
            "training.student_learning_rate null matches the learning rates."
        )
    shared = ", ".join(f"{word} {ours[name]}" for name, word in _MATCHED.items() if name in ours)
    return f"{names} had matched schedules ({shared}); their losses may still differ in scale, and so may D."


def _settings(member: Member) -> Mapping[str, Any] | None:
    """The training's settings with the epochs of the analysed stage; None if nothing is recorded."""
    record = member.record()
    training = record["specification"].get("training")
    if not training:
        return None
    stage = next(stage for stage in record["stages"] if stage["analysed"])
    return {**training, "epochs": stage["last_epoch"] - max(stage["first_epoch"] - 1, 0)}
