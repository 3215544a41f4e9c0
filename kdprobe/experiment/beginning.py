"""What lies where a training is to begin: of a run killed in its first epoch, or of somebody else."""

import torch
from torch import nn

from kdprobe.analysis import PATH_FILE
from kdprobe.errors import SnapshotError
from kdprobe.experiment.members import Member
from kdprobe.storage.atomic import named_failure
from kdprobe.storage.snapshot_record import named_place, snapshot_file
from kdprobe.training.resume import remove_snapshots, snapshot_files


def check_beginning(member: Member, model: nn.Module) -> None:
    """Raises SnapshotError for snapshots that a run killed in the first epoch of `member` cannot have left.

    Such a run left those of epochs 0 and 1 at most, the first of them with the weights that `model` has untrained.
    """
    folder = member.store.folder
    found = snapshot_files(folder)
    first = folder / snapshot_file(0, 0)
    if not found or (first in found and named_place(found[-1])[0] <= 1 and _holds(member, model)):
        return
    raise SnapshotError(
        f"{folder} holds snapshots, but not of this training, or none of its resume points is left to go on from; "
        "move them away to train it anew, or choose another folder."
    )


def begin_anew(member: Member, model: nn.Module) -> None:
    """Removes what a run killed in the first epoch of `member` left; other files stay.

    Raises SnapshotError, and removes nothing, for what `check_beginning` refuses; or if the system refuses.
    """
    check_beginning(member, model)
    remove_snapshots(snapshot_files(member.store.folder))
    for log in (member.folder / "metrics.jsonl", member.folder / PATH_FILE):
        with named_failure("remove", log):
            log.unlink(missing_ok=True)


def _holds(member: Member, model: nn.Module) -> bool:
    """Whether the snapshot of epoch 0 has the weights of `model`."""
    stored, own = member.store.load(member.store.folder / snapshot_file(0, 0)), model.state_dict()
    return stored.keys() == own.keys() and all(torch.equal(stored[key], own[key].cpu()) for key in own)
