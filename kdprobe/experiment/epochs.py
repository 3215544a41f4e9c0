"""How many epochs a network has, and of which of them the weights are kept: as planned, or as it was trained."""

from itertools import accumulate, pairwise
from typing import NamedTuple

from kdprobe.experiment.config import ExperimentConfig
from kdprobe.experiment.members import Member, member_settings


class Epochs(NamedTuple):
    """The epochs of one training, counted on over its stages."""

    last: int
    kept: tuple[int, ...]  #: those with a snapshot, ascending, 0 (the initial weights) among them

    @classmethod
    def of_record(cls, record: dict) -> "Epochs":
        """Of a finished network's run.json."""
        last, lost = max(stage["last_epoch"] for stage in record["stages"]), record.get("epochs_not_kept", ())
        return cls(last, tuple(epoch for epoch in range(last + 1) if epoch not in lost))


def kept_by_stage(config: ExperimentConfig, member: Member) -> list[list[int]]:
    """The epochs of each stage of `member` that are to be kept; both ends of a stage always are."""
    if member.role == "teacher" and config.teacher.weights is not None:
        return [[0]]
    settings, ends = member_settings(config, member), stage_ends(config, member)
    return [settings.kept_epochs(first, last) for first, last in pairwise([0, *ends])]


def stage_ends(config: ExperimentConfig, member: Member) -> list[int]:
    """The last epoch of each stage of `member`, if it is trained as planned."""
    settings = member_settings(config, member)
    return [*accumulate(settings.stage_epochs(stage.epochs) for stage in member.recipe.stages)]


def epochs_of(config: ExperimentConfig, member: Member) -> Epochs:
    """Those of `member`: as it was trained, or as it is to be trained if it is not finished."""
    record = member.record()
    if record is not None:
        return Epochs.of_record(record)
    planned = kept_by_stage(config, member)
    return Epochs(planned[-1][-1], tuple(sorted({epoch for stage in planned for epoch in stage})))
