"""What any of Lightning's loggers is told: numbers, and pictures where it takes them."""

from collections.abc import Iterable, Sequence
from typing import Any

from kdprobe.errors import ConfigError
from kdprobe.live import LiveProbe, LiveReading, Picture
from kdprobe.live.observing import same_numbers

LOGGED = "probe"  #: under which everything is logged


def place_in_logs(probe: LiveProbe, together: Sequence[LiveProbe]) -> str:
    """Under which name `probe`, one of those `together` in a training, is logged.

    Raises ConfigError for two that would mix their lines: in one folder, or of one name at one layer, whom neither
    loggers nor checkpoints could tell from each other.
    """
    folders = [each.folder.resolve() for each in together]
    names = [(each.name, each.layer) for each in together]
    for k, (folder, name) in enumerate(zip(folders, names, strict=True)):
        if folder in folders[:k]:
            raise ConfigError(
                f"Two KnowledgeProbes of one Trainer write to {folder}; give each its own folder."
            )
        if name in names[:k]:
            raise ConfigError(
                f"Two KnowledgeProbes of one Trainer are called {name[0]!r} at layer {name[1]}; give each its own name."
            )
    return LOGGED if len(together) == 1 else f"{LOGGED}/{probe.name}/{probe.layer}"


def log_everywhere(loggers: Iterable[Any], reading: LiveReading, step: int, place: str = LOGGED) -> None:
    """The numbers and pictures of `reading` at optimiser step `step` to every logger, under `place`.

    All take numbers (`log_metrics`). Pictures go, under `place`/maps, to those of TensorBoard (`experiment.add_image`),
    W&B (`log_image` with a list) and MLflow (`experiment.log_image` with a run_id), told by what they offer, so that
    loggers made after these work too. Others, CSVLogger for one, get none. Random numbers that a logger draws, for the
    names of its files or between two attempts, are not missed by the training.
    """
    with same_numbers():
        for logger in loggers:
            logger.log_metrics(reading.logged(place), step=step)
            if reading.pictures:
                _log_pictures(logger, reading.pictures, step, f"{place}/maps")


def _log_pictures(logger: Any, pictures: Sequence[Picture], step: int, key: str) -> None:
    if hasattr(logger, "log_image"):
        captions = [_caption(picture) for picture in pictures]
        logger.log_image(
            key=key, images=[picture.pixels for picture in pictures], step=step, caption=captions
        )
        return
    experiment = getattr(logger, "experiment", None)
    for place, picture in enumerate(pictures):
        if hasattr(experiment, "add_image"):
            experiment.add_image(f"{key}/{place}", picture.pixels, step, dataformats="HWC")
        elif hasattr(experiment, "log_image") and hasattr(logger, "run_id"):
            experiment.log_image(logger.run_id, picture.pixels, key=f"{key}/{place}", step=step)


def _caption(picture: Picture) -> str:
    return ", ".join(
        [part for part in (picture.image_id, picture.label) if part] + [f"epoch {picture.epoch}"]
    )
