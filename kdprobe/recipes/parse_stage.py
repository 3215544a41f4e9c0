"""One stage, and what in it must agree."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from kdprobe.errors import ConfigError
from kdprobe.recipes.keys import check_keys, choice, filled_list, truth
from kdprobe.recipes.parse_layers import parse_features, parse_tap
from kdprobe.recipes.parse_sources import parse_peers, parse_sources
from kdprobe.recipes.parse_terms import parse_terms
from kdprobe.recipes.stage import (
    BATCHES,
    COMBINE,
    ENSEMBLES,
    EPOCHS,
    IMAGES,
    LEARNS,
    TEACHER_MODES,
    USUAL_TEACHERS,
    Source,
    Stage,
)

_OPTIONAL = (
    "tap", "learns", "epochs", "teacher", "analysed", "combine", "inputs", "teacher_inputs", "batches", "view", "peers",
    "ensemble", "features", "teacher_mode",
)  # fmt: skip


def parse_stage(
    where: str, content: Any, folder: Path | None, before: Sequence[str] = (), later: Sequence[str] = ()
) -> Stage:
    """The stage in `content`. `before`, `later`: networks of the recipe trained by then, and those that are not.

    Raises ConfigError if a key is unknown or missing, a value cannot be used, or two of them do not agree.
    """
    check_keys(where, content, required=("name", "objective"), optional=_OPTIONAL)
    terms = filled_list(where, "objective", content["objective"], "term")
    stage = Stage(
        name=str(content["name"]),
        objective=parse_terms(where, terms, folder),
        tap=parse_tap(where, content.get("tap")),
        learns=choice(where, "learns", content.get("learns", "all"), LEARNS),
        epochs=_epochs(where, content.get("epochs", "epochs")),
        analysed=truth(where, "analysed", content.get("analysed", False)),
        combine=choice(where, "combine", content.get("combine", "logits"), COMBINE),
        student_inputs=choice(where, "inputs", content.get("inputs", "image"), IMAGES),
        teacher_inputs=choice(where, "teacher_inputs", content.get("teacher_inputs", "image"), IMAGES),
        batches=choice(where, "batches", content.get("batches", "shuffled"), BATCHES),
        view=truth(where, "view", content.get("view", False)),
        peers=parse_peers(where, content.get("peers", []), folder),
        ensemble=choice(where, "ensemble", content.get("ensemble", "naive"), ENSEMBLES),
        features=parse_features(where, content.get("features")),
        teacher_mode=choice(where, "teacher_mode", content.get("teacher_mode", "eval"), TEACHER_MODES),
    )
    declared = (
        parse_sources(where, content["teacher"], folder, before, later) if "teacher" in content else None
    )
    _check_inputs(where, stage, content)
    return _with_teachers(where, stage, declared)


def _check_inputs(where: str, stage: Stage, content: dict[str, Any]) -> None:
    """What the objective takes against what the stage gives."""
    inputs = stage.inputs
    features = sorted(name for name in inputs if name.endswith("_feature"))
    if stage.tap is None and features:
        raise ConfigError(
            f"{where}: the objective takes {features[0]}, so the stage needs a tap (tap: '{{layer}}')."
        )
    if stage.tap is None and stage.learns != "all":
        raise ConfigError(f"{where}: learns: {stage.learns} needs a tap to say where (tap: '{{layer}}').")
    listed = sorted(inputs & {"student_features", "teacher_features", "teacher_norms"})
    if stage.features is None and listed:
        raise ConfigError(
            f"{where}: the objective takes {listed[0]}, so the stage needs a list of features (features: "
            "['{stages}'])."
        )
    if stage.features is not None and not listed:
        raise ConfigError(
            f"{where}: features names layers, but no objective takes student_features or teacher_features; add one or "
            "drop the key."
        )
    if stage.learns == "above_tap" and "student_logits" not in inputs:
        raise ConfigError(f"{where}: learns: above_tap needs an objective that takes student_logits.")
    for name, given, key in (
        ("partner_logits", stage.batches == "class_pairs", "batches: class_pairs"),
        ("view_logits", stage.view, "view: true"),
        ("ensemble_logits", bool(stage.peers), "peers"),
    ):
        if name in inputs and not given:
            raise ConfigError(f"{where}: the objective takes {name}, which needs {key}; add it.")
        if given and name not in inputs:
            raise ConfigError(
                f"{where}: {key} makes {name}, but no objective takes them; add one or drop the key."
            )
    if "ensemble" in content and not stage.peers:
        raise ConfigError(f"{where}: ensemble says how peers are combined; list peers, or drop it.")


def _with_teachers(where: str, stage: Stage, declared: tuple[Source, ...] | None) -> Stage:
    """The stage with its teachers, after what was `declared` (None: nothing) has been compared with the objective."""
    needs_teacher = any(name.startswith("teacher") for name in stage.inputs)
    if declared is not None and bool(declared) != needs_teacher:
        takes = "takes" if needs_teacher else "takes nothing of"
        said = "false" if not declared else "true" if declared == USUAL_TEACHERS else declared[0].network
        raise ConfigError(
            f"{where}: teacher: {said}, but the objective {takes} a teacher; correct or drop the key."
        )
    teachers = declared or (USUAL_TEACHERS if needs_teacher else ())
    own = sorted(name for name in stage.inputs if name.startswith("teacher_") and name != "teacher_logits")
    if len(teachers) > 1 and own:
        raise ConfigError(
            f"{where}: the features of several teachers have no common axes, and {own[0]} of several no mean; name one "
            "teacher, or take teacher_logits."
        )
    if stage.combine != "logits" and len(teachers) < 2:
        raise ConfigError(
            f"{where}: combine says how several teachers are averaged; name several, or drop it."
        )
    for key, usual in (("teacher_inputs", "image"), ("teacher_mode", "eval")):
        if getattr(stage, key) != usual and not teachers:
            raise ConfigError(f"{where}: {key}, but the objective takes nothing of a teacher; drop the key.")
    return replace(stage, teachers=teachers)


def _epochs(where: str, value: Any) -> str | int:
    if isinstance(value, int) and not isinstance(value, bool) and value >= 1:
        return value
    if isinstance(value, str):
        return choice(where, "epochs", value, EPOCHS)
    raise ConfigError(
        f"{where}: epochs must be a number from 1 on or one of {', '.join(EPOCHS)}, got {value!r}."
    )
