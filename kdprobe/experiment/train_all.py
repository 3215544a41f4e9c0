"""Trains the networks of an experiment, one after the other."""

from kdprobe.experiment.config import ExperimentConfig
from kdprobe.experiment.live import LiveView
from kdprobe.experiment.members import Member
from kdprobe.experiment.say import Say
from kdprobe.experiment.setup import Material
from kdprobe.experiment.specification import is_finished, resume_of, specification
from kdprobe.experiment.teachers import teacher_digests, teachers_of
from kdprobe.experiment.train_member import train_member


def train_all(
    config: ExperimentConfig, material: Material, found: list[Member], *, say: Say, show_progress: bool
) -> None:
    """Trains what is not trained; the teacher first, for the others learn from it; assistants before their student."""
    live = LiveView(config, material, found[0].folder.parent.parent, say)
    for member in found:
        teachers = teachers_of(config, material, member, found)
        wanted = specification(config, material, member, teacher_digests(teachers, found))
        if is_finished(member, wanted):
            resume_of(config, member, wanted).discard()  # of a run that was killed between run.json and this
            say(f"{member.name}: trained before, accuracy {_accuracy(member)}{_failed(member)}.")
        else:
            train_member(config, material, member, wanted, teachers, live, show_progress=show_progress)
            record = member.record()
            say(f"{member.name}: trained, accuracy {_accuracy(member)}{_failed(member)}.")
            for sentence in (record.get("started_from"), *record.get("taught", ())):
                if sentence:
                    say(sentence)
    live.close()


def _accuracy(member: Member) -> str:
    accuracy = member.record()["accuracy"]
    return "unknown" if accuracy is None else f"{accuracy:.3f}"


def _failed(member: Member) -> str:
    record = member.record()
    snapshots, notes = record.get("failed_snapshots", 0), record.get("failed_notes", 0)
    said = f"; {snapshots} of its snapshots could not be written" if snapshots else ""
    return said + (f"; {notes} of its log lines and resume points could not be written" if notes else "")
