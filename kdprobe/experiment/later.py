"""What can be asked of networks that are trained already: measure, compare, report again."""

from dataclasses import replace
from pathlib import Path

from kdprobe.errors import ConfigError
from kdprobe.experiment.config import ExperimentConfig
from kdprobe.experiment.folders import members_at, read_config, settled
from kdprobe.experiment.lock import sole_run
from kdprobe.experiment.measuring import Measurable, measurable, measure_all
from kdprobe.experiment.members import Member, members
from kdprobe.experiment.publish import publish
from kdprobe.experiment.setup import Material, load_material
from kdprobe.experiment.specification import check_measurable
from kdprobe.experiment.summarise import summarise
from kdprobe.experiment.unmeasured import measured_members, unmeasured_networks
from kdprobe.records import ExperimentSummary


def measure_networks(
    path: str | Path, config: ExperimentConfig, *, show_progress: bool = True
) -> ExperimentSummary:
    """Measures the finished networks at `path` (see `members_at`) as `config` says; what is measured stays.

    Raises ConfigError if one was trained on other data, or as another network, than `config` says.
    """
    config = settled(config, path)
    material = load_material(config)
    here = members_at(path, config, material)
    asked = here if len(here) == 1 else measured_members(config, material, here)
    found = [_checked(config, material, member) for member in asked]
    measure_all(found, show_progress=show_progress)
    return summarise(config, material, found)


def compare_networks(
    student: str | Path, baseline: str | Path, config: ExperimentConfig, *, show_progress: bool = True
) -> ExperimentSummary:
    """Measures two networks over the same probe images, if that is still to do, and compares them."""
    config = settled(config, student)
    material = load_material(config)
    pair = []
    for path, role in ((student, "student"), (baseline, "baseline")):
        found = members_at(path, config, material)
        if len(found) != 1:
            raise ConfigError(f"{path} holds {len(found)} networks; give the folder of one.")
        pair.append(replace(found[0], role=role, name="baseline" if role == "baseline" else found[0].name))
    if pair[0].name == "baseline":
        pair[0] = replace(pair[0], name=f"student ({Path(student).name})")
    networks = [_checked(config, material, member) for member in pair]
    measure_all(networks, show_progress=show_progress)
    return summarise(config, material, networks)


def report_again(folder: str | Path, *, max_images: int | None = None) -> ExperimentSummary:
    """Writes tables, figures, report and comparison.json anew; measures only what is missing.

    `max_images`: another number than the config's of images in the report's explorer.
    """
    config = read_config(folder)
    if max_images is not None:
        config = replace(config, report=replace(config.report, max_images=max_images))
    material = load_material(config)
    found = members(config, Path(folder))
    unfinished = [member.name for member in found if member.record() is None]
    if unfinished:
        raise ConfigError(
            f"{folder}: {', '.join(unfinished)} not trained yet; run kdprobe run --out {folder} first."
        )
    with sole_run(Path(folder)):
        others = unmeasured_networks(config, material, found)
        networks = [_checked(config, material, m) for m in measured_members(config, material, found)]
        measure_all(networks, show_progress=True)
        return publish(config, material, networks, Path(folder), others)


def _checked(config: ExperimentConfig, material: Material, member: Member) -> Measurable:
    check_measurable(config, material, member)
    return measurable(config, material, member)
