"""What the report says of a preset: that it was named, what was changed in it, what it leaves open."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from kdprobe.experiment.config import ExperimentConfig
from kdprobe.experiment.members import Member
from kdprobe.experiment.presets import ROWS, plain, preset_settings, setting_of, view
from kdprobe.experiment.specification import member_settings
from kdprobe.recipes import load_recipe

_LEFT = {
    "paper": "The paper leaves open, as far as known here",
    "released": "Of these the released code says nothing clear, or nothing for such a network",
}
_OTHERWISE = (
    "What no setting changes, and the released code does otherwise: where it mirrors training images it also crops "
    "them at random; the students' rate is constant for some layers; it updates the students' BatchNorm statistics "
    "twice a step; it trains the classifier after the distillation at rates of its own, which no number here rests "
    "on; it draws its images without regard to their classes."
)


def preset_notes(config: ExperimentConfig, found: Sequence[Member] = ()) -> list[str]:
    """What the reader must know of the preset that `config` names, and of what was changed in it; [] without one.

    What run.json of the networks `found` says of their training stands above `config`, which may be another than the
    one that they were trained with.
    """
    if config.preset is None:
        return []
    wanted = preset_settings(config.preset, view(config))
    has = {row.setting: plain(setting_of(config, row.setting)) for row in ROWS} | _as_trained(config, found)
    unknown = [member.name for member in found if not _trained(member)]
    hidden = ("training.", "students") if unknown and not any(map(_learner, found)) else ()
    changed = [
        f"{setting} ({has[setting]} instead of {value})"
        for setting, value in wanted.items()
        if has[setting] != plain(value) and not setting.startswith(hidden)
    ]
    if config.teacher.weights is not None:
        changed.append(f"teacher.weights ({config.teacher.weights} instead of a training)")
    what = "nothing changed" if not changed else f"changed: {', '.join(changed)}"
    notes = [f"Counted by the preset {config.preset}{', ' if not changed else '; '}{what}."]
    if unknown:
        notes.append(
            f"How {', '.join(unknown)} was trained is not recorded, so whether as the preset {config.preset} says is "
            "not known."
        )
    left = [
        f"{row.setting} ({_shown(row.setting, has[row.setting])})"
        for row in ROWS
        if row.setting not in wanted and not row.setting.startswith(hidden)
    ]
    if left:
        notes.append(f"{_LEFT[config.preset]}, and this experiment has: {', '.join(left)}.")
    if config.preset == "released":
        solver = config.measure.solver
        notes.append(
            _OTHERWISE
            if solver == "sgd"
            else f"{_OTHERWISE} Sigma was found by the solver {solver}; the code's own descent is measure.solver sgd."
        )
    return notes


def _shown(setting: str, value: Any) -> Any:
    return "the data set's own" if value is None and setting.startswith("data.") else value


def _as_trained(config: ExperimentConfig, found: Sequence[Member]) -> dict[str, Any]:
    """Dotted setting -> what a network was trained with, where `config` says otherwise."""
    told: dict[str, Any] = {}
    for member in found:
        specification = _trained(member)
        if not specification:
            continue
        said = asdict(member_settings(config, member))
        recorded = {
            "snapshots": 1,
            **specification["training"],
            "path_length": "path_length" in specification,
        }
        for name, value in recorded.items():
            if name in said and value != said[name]:
                told[_setting(member, name)] = value
    students = [m.recipe.name for m in found if m.role == "student" and _trained(m)]
    if students and students != [load_recipe(name).name for name in config.students]:
        told["students"] = students
    return told


def _setting(member: Member, name: str) -> str:
    """Where the config has the setting `name` of the training of `member`."""
    if member.role == "teacher" and name in ("epochs", "learning_rate"):
        return f"teacher.{name}"
    if member.role == "student" and name == "learning_rate":
        return "training.student_learning_rate"
    return f"training.{name}"


def _trained(member: Member) -> dict[str, Any]:
    """What the record says of the training; {} if nothing."""
    specification = (member.record() or {}).get("specification") or {}
    return specification if specification.get("training") else {}


def _learner(member: Member) -> bool:
    return member.role != "teacher" and bool(_trained(member))
