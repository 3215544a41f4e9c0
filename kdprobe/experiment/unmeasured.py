"""Networks that teach and are not measured: assistants, and a teacher of another architecture without the layer."""

from collections.abc import Sequence

from kdprobe.analysis import Measurement
from kdprobe.estimator.taps import has_layer
from kdprobe.experiment.architecture import architecture
from kdprobe.experiment.config import ExperimentConfig
from kdprobe.experiment.members import Member
from kdprobe.experiment.setup import Material, build_empty
from kdprobe.records import UnmeasuredNetwork


def reason_unmeasured(config: ExperimentConfig, material: Material, member: Member) -> str | None:
    """Why `member` is not measured, in words; None if it is. Students and baseline always are."""
    if member.role == "assistant":
        return "not measured: it was trained to teach"
    if member.role != "teacher" or not differs(config):
        return None
    if has_layer(build_empty(config, material, "teacher"), config.measure.layer):
        return None
    return f"not measured: {architecture(config, 'teacher')[0]} has no layer {config.measure.layer!r}"


def measured_members(config: ExperimentConfig, material: Material, found: Sequence[Member]) -> list[Member]:
    """Those of the networks `found` of an experiment that are measured, in their order."""
    return [member for member in found if reason_unmeasured(config, material, member) is None]


def unmeasured_networks(
    config: ExperimentConfig, material: Material, found: Sequence[Member]
) -> tuple[UnmeasuredNetwork, ...]:
    """What the report says of the finished networks among `found` that are not measured."""
    networks = []
    for member in found:
        reason = reason_unmeasured(config, material, member)
        if reason is not None:
            seen = getattr(member.network, "inputs", "image")
            note = f"{reason}; accuracy on the foregrounds alone" if seen == "foreground" else reason
            name, recipe = architecture(config, member.role, member.network)[0], member.recipe.name
            accuracy = member.record()["accuracy"]
            networks.append(UnmeasuredNetwork(member.name, member.role, recipe, name, accuracy, note))
    return tuple(networks)


def mute_teachers(
    config: ExperimentConfig, measured: Sequence[tuple[Member, Measurement]]
) -> tuple[UnmeasuredNetwork, ...]:
    """Teachers of whose maps none can be used, where those of other networks can: they would leave out every image."""
    if not any(measurement.usable.any() for _, measurement in measured):
        return ()
    networks = []
    for member, measurement in measured:
        if member.role == "teacher" and not measurement.usable.any():
            outcomes = ", ".join(f"{count} {kind}" for kind, count in measurement.outcomes.items())
            note = f"no probe image could be measured at every epoch ({outcomes}); the others are compared without it"
            name, record = architecture(config, "teacher")[0], member.record()
            recipe = member.recipe.name
            networks.append(UnmeasuredNetwork(member.name, "teacher", recipe, name, record["accuracy"], note))
    return tuple(networks)


def differs(config: ExperimentConfig) -> bool:
    """Whether the teacher's architecture is another one than the students'."""
    name, options = architecture(config, "teacher")
    return (name, {**options, "pretrained": None}) != (
        config.model,
        {**config.model_options, "pretrained": None},
    )


def architecture_notes(config: ExperimentConfig, measured: Sequence[Member]) -> list[str]:
    """What a reader must know of a teacher that is built otherwise than the students."""
    if not differs(config):
        return []
    name, options = architecture(config, "teacher")
    built = f"{name} ({', '.join(f'{k} {v}' for k, v in options.items())})" if options else name
    if any(member.role == "teacher" for member in measured):
        return [
            f"The teacher is another network than student and baseline, {built}: its layer {config.measure.layer} is "
            "another layer, so its numbers stand beside theirs and are no yardstick for them."
        ]
    if any(member.role == "student" for member in measured):
        return [
            f"The teacher is another network than student and baseline, {built}, and has no layer "
            f"{config.measure.layer}: it was not measured."
        ]
    return []
