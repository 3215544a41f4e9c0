"""At which of its epochs a network teaches, known before it is trained, and said."""

from typing import NamedTuple

from torch import nn

from kdprobe.errors import ConfigError
from kdprobe.experiment.sources import Origin
from kdprobe.recipes import Source
from kdprobe.recipes.term import epoch_number
from kdprobe.training.teaching import TeachingNetwork, span_of
from kdprobe.training.teaching import route as epochs_that_teach


class Route(NamedTuple):
    """The epochs of a network that teaches, in the order in which they do; of a greedy search all that it may take."""

    epochs: tuple[int, ...]
    sentence: str | None  #: what a user should be told of the choice


def route_of(student: str, source: Source, origin: Origin, stage_epochs: int) -> Route:
    """The epochs that `source` means, all of them with weights that are kept, or will be if all goes as planned.

    `stage_epochs`: of the (shortest) stage that it teaches; with fewer than anchors some of these have no turn.

    Raises ConfigError, in a sentence that begins with `student`, if the epoch is not kept or there are too few of them.
    """
    last, kept = origin.epochs
    try:
        epochs = epochs_that_teach(source, TeachingNetwork(nn.Identity(), last, kept))
    except ConfigError as error:
        advice = (
            " Set training.snapshots so that more are kept, train it for longer, or change the recipe."
            if last
            else ""
        )
        raise ConfigError(f"{student}: {error}{advice}") from error
    named = "its teacher" if source.network == "teacher" else f"its teacher {source.network}"
    return Route(epochs, _sentence(f"{student}: {named} teaches", source, last, epochs, stage_epochs))


def _sentence(said: str, source: Source, last: int, epochs: tuple[int, ...], stage_epochs: int) -> str | None:
    if source.anchors is not None:
        if source.search == "greedy":
            most = min(source.anchors, stage_epochs)
            return f"{said} by up to {most} of its {len(epochs)} kept epochs, found on the way."
        spans = dict.fromkeys(span_of(e, stage_epochs, len(epochs)) for e in range(1, stage_epochs + 1))
        listed = ", ".join(str(epochs[span]) for span in spans)
        few = len(epochs) - len(spans)
        left = f"; for {few} of its {len(epochs)} anchors the stage has too few epochs" if few else ""
        return f"{said} as it was after its epochs {listed}, one after the other{left}."
    if not isinstance(source.epoch, float):
        return None
    wished = epoch_number(source.epoch, last)
    nearest = "" if wished == epochs[0] else f", the kept one that is nearest to {wished:g}"
    return f"{said} as it was after epoch {epochs[0]} of {last}{nearest}."
