"""Finding one's way back from a folder on disk to the experiment that it belongs to."""

from contextlib import suppress
from dataclasses import fields, is_dataclass
from pathlib import Path
from types import UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

import yaml

from kdprobe.errors import ConfigError, SnapshotError
from kdprobe.experiment.config import ExperimentConfig
from kdprobe.experiment.members import Member, members
from kdprobe.experiment.setup import Material, build_empty, with_image_size
from kdprobe.recipes import load_recipe
from kdprobe.storage import load_state, write_json

T = TypeVar("T")


def read_config(folder: str | Path) -> ExperimentConfig:
    """The config that `folder`/config.yaml records. Raises ConfigError if there is none or it cannot be read."""
    path = Path(folder) / "config.yaml"
    if not path.is_file():
        raise ConfigError(
            f"No {path}: {folder} is not the folder of an experiment; give one made by kdprobe run."
        )
    return config_of(path)


def config_of(path: str | Path) -> ExperimentConfig:
    """The config in the YAML file `path`, the rest as by default. Raises ConfigError if it is none."""
    return read_yaml(ExperimentConfig, path)


def read_yaml(kind: type[T], path: str | Path) -> T:
    """The record of `kind` that the YAML file `path` holds, strictly. Raises ConfigError if it is none."""
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read as a config ({error}); give a YAML file.") from error
    try:
        return filled(kind, yaml.safe_load(text))
    except ConfigError:
        raise
    except (yaml.YAMLError, TypeError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise ConfigError(f"{path} cannot be read as a config ({reason}); correct or remove it.") from error


def filled(kind: type[T], values: dict[str, Any]) -> T:
    """The record of `kind` with `values` by name, inner records too. Raises TypeError for what does not fit."""
    if not isinstance(values, dict):
        raise TypeError(f"expected settings by name, got {values!r}")
    hints = get_type_hints(kind)
    names = {field.name for field in fields(kind)}
    unknown = sorted(str(name) for name in set(values) - names)
    if unknown:
        raise TypeError(f"unknown setting {', '.join(unknown)}")
    made = {}
    for name, value in values.items():
        if is_dataclass(hints[name]):
            made[name] = filled(hints[name], value)
        else:
            made[name] = (
                tuple(value) if isinstance(value, list) and get_origin(hints[name]) is tuple else value
            )
            if not _fits(made[name], hints[name]):
                raise TypeError(f"{name} is {value!r}")
    return kind(**made)


def _fits(value: Any, hint: Any) -> bool:
    """Whether `value` is what the annotation `hint` of a setting says; a whole number is a float too."""
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (UnionType, Union):
        return any(_fits(value, each) for each in inner)
    if origin is tuple:
        return isinstance(value, tuple) and len(value) == len(inner) and all(map(_fits, value, inner))
    if origin is list:
        return isinstance(value, list) and all(_fits(each, inner[0]) for each in value)
    if hint is Any or origin is dict:
        return hint is Any or isinstance(value, dict)
    return type(value) in ((int, float) if hint is float else (hint,))


def experiment_folder(path: str | Path) -> Path | None:
    """The experiment that `path` (itself, one of its networks or that one's snapshots) belongs to, else None.

    A config.yaml of something else, in a parent or beside a folder of snapshots, makes no experiment.
    """
    path = Path(path).resolve()
    if (path / "config.yaml").is_file() and not (path / "snapshots").is_dir():
        return path
    for network in (path, path.parent):
        home = network.parent.parent
        if network.parent.name == "networks" and (home / "config.yaml").is_file():
            return home
    return None


def settled(config: ExperimentConfig, path: str | Path) -> ExperimentConfig:
    """`config` with the size of its images settled (see `with_image_size`).

    An experiment at `path` that was begun with this data set and network, but without a size, keeps the data set's own.
    """
    home, begun = experiment_folder(path), None
    if home is not None:
        with suppress(ConfigError):  # what cannot be read decides nothing here
            begun = read_config(home)
    same = begun is not None and (begun.data.name, begun.model) == (config.data.name, config.model)
    return config if same and begun.data.image_size is None else with_image_size(config)


def members_at(path: str | Path, config: ExperimentConfig, material: Material) -> list[Member]:
    """The finished networks at `path`: all of an experiment, one network, or a folder of snapshots of one's own.

    Snapshots without a run.json (from the callback or a loop of one's own) get a minimal one, written beside
    them, so that they can be measured with the config's data and model. Raises ConfigError if there is no such network,
    SnapshotError, before anything is written, if the snapshots are damaged or do not fit the config's model.
    """
    path = Path(path)
    if not path.is_dir():
        raise ConfigError(f"No folder {path}; give the folder of an experiment, a network or snapshots.")
    home = experiment_folder(path)
    if home is not None:
        known = [m for m in members(config, home) if m.record() is not None]
        here = path.resolve()
        chosen = [m for m in known if here in (home, m.folder.resolve(), m.folder.resolve() / "snapshots")]
        if chosen:
            return chosen
        raise ConfigError(
            f"{path} is not a finished network of {home} (finished: {', '.join(m.name for m in known) or 'none'}); "
            "run kdprobe run first."
        )
    folder = path if (path / "snapshots").is_dir() else path.parent if path.name == "snapshots" else None
    if folder is None:
        raise ConfigError(
            f"{path} holds neither config.yaml nor a folder snapshots; give a folder made by kdprobe."
        )
    member = Member(folder.resolve().name, "student", load_recipe("baseline"), folder)
    record = member.record()
    if record is None or not record["specification"]:  # of one's own training, which may have gone on
        _adopt(config, material, member)
    return [member]


def _adopt(config: ExperimentConfig, material: Material, member: Member) -> None:
    """A run.json for snapshots of the user's own training; the first of them stands for its starting weights."""
    store = member.store
    whole = [snapshot for snapshot in store.list() if not snapshot.partial]
    epochs = [snapshot.epoch for snapshot in whole]
    if not epochs:
        raise ConfigError(f"{store.folder} holds no valid snapshot; save some first.")
    if store.skipped:
        raise SnapshotError(f"{store.skipped[0][1]} It cannot be told which epoch of {store.folder} is lost.")
    load_state(build_empty(config, material, member.role), store.load(whole[0]), source=str(whole[0].path))
    first, last = min(epochs), max(epochs)
    stage = {"index": 0, "name": "own training", "first_epoch": first + 1 if first else 0, "last_epoch": last}
    write_json(
        member.run_file,
        {
            "schema": 1,
            "name": member.name,
            "role": member.role,
            "specification": {},
            "provenance": {"git_revision": None},
            "accuracy": None,
            "accuracy_by_epoch": {},
            "loss_by_epoch": {},
            "seconds": None,
            "steps": None,
            "stages": [stage | {"classifier_trained": True, "analysed": True}],
            "epochs_not_kept": sorted(set(range(first, last + 1)) - set(epochs)),
        },
    )
