"""The live probe of an experiment: which networks it looks at, what that costs, and live.html."""

import time
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor, nn

from kdprobe.estimator import EntropyEstimator
from kdprobe.estimator.taps import has_layer
from kdprobe.experiment.config import ExperimentConfig
from kdprobe.experiment.epochs import stage_ends
from kdprobe.experiment.members import Member
from kdprobe.experiment.say import Say
from kdprobe.experiment.setup import Material, followed_weights
from kdprobe.experiment.unmeasured import reason_unmeasured
from kdprobe.live import LIVE_SOLVER, LiveProbe, Picture, read_lines
from kdprobe.live.failures import Failures
from kdprobe.live.page import is_done, write_page
from kdprobe.training.live_stages import LiveStages

PAGE = "live.html"


def is_live(config: ExperimentConfig, material: Material, member: Member, model: nn.Module) -> bool:
    """Whether `member`, built as `model`, is looked at while it is trained: all that are measured afterwards, if the
    config wants it."""
    if not config.live.images or (member.role == "teacher" and config.teacher.weights is not None):
        return False
    # A sweep goes on at its other layers; elsewhere a layer that is not there was refused before.
    return reason_unmeasured(config, material, member) is None and has_layer(model, config.measure.layer)


class LiveView:
    """Looks at the networks of the experiment in `folder` while they are trained, and shows all of them in its page."""

    def __init__(self, config: ExperimentConfig, material: Material, folder: Path, say: Say) -> None:
        self._config = config
        self._material = material
        self._say = say
        self.page = folder.resolve() / PAGE
        self._announced = False
        self._gallery: dict[str, tuple[Picture, ...]] = {}

    def of(self, member: Member, model: nn.Module) -> LiveStages | None:
        """The probe for the training of `member`, whose network is `model`; None if it is not looked at.

        The first time that there is one, `say` hears where to look.
        """
        config, probe = self._config, self._material.probe
        if not is_live(config, self._material, member, model):
            return None
        if not self._announced:
            self._say(f"Live: {self.page} (in the terminal: kdprobe watch {self.page.parent}).")
            self._announced = True
        measure, first = config.measure, slice(config.live.images)
        by_pixel = measure.cell_rule == "majority"  # as the live probe itself makes cells of masks
        live = LiveProbe(
            probe.images[first],
            (probe.foregrounds if by_pixel else probe.foreground_cells)[first],
            measure.layer,
            member.folder,
            name=member.name,
            ids=probe.ids[first],
            labels=[self._material.train.classes[int(label)] for label in probe.labels[first]],
            display=self._display,
            shown=config.live.pictures,
            margin=measure.margin,
            scope=measure.scope,
            empty=measure.empty,
            initial=measure.initial is not False,
            weights=followed_weights(config, model, probe),
            look_back=config.live.look_back,
            page=self.page,
            gallery=self._gallery,
            title=config.title,
            **_how(config),
        )
        return LiveStages(live, config.live.every_n_epochs)

    def close(self) -> None:
        """All are trained: the page says so and reloads itself no more. One of an earlier run that says so stays."""
        with Failures("warn").tolerated():
            self._finish()

    def _finish(self) -> None:
        if not self.page.exists() or (not self._gallery and is_done(self.page)):
            return
        pictures = [each for shown in self._gallery.values() for each in shown]
        write_page(self.page, read_lines(self.page.parent), pictures, self._config.title, done=True)

    def _display(self, image: Tensor) -> np.ndarray:
        shown = self._material.train.to_display(image)
        return shown if shown.shape[2] == 3 else shown[:, :, :1].repeat(3, 2)


def live_seconds(config: ExperimentConfig, material: Material, model: nn.Module) -> float:
    """Wall time of one look at `model`, tried out here on as many as 2 of the images."""
    estimator = EntropyEstimator(model, config.measure.layer, **_how(config))
    images = material.probe.images[: min(2, config.live.images)]
    estimator.estimate(images[:1])
    began = time.perf_counter()
    estimator.estimate(images)
    looked_at = min(config.live.images, len(material.probe.ids))
    return (time.perf_counter() - began) / len(images) * looked_at


def looks(config: ExperimentConfig, member: Member, done: int | None) -> int:
    """How often `member` will be looked at after `done` epochs; None: from the beginning."""
    ends, every = stage_ends(config, member), config.live.every_n_epochs
    first = 0 if done is None else done + 1
    return sum(epoch % every == 0 or epoch in ends for epoch in range(first, ends[-1] + 1))


def _how(config: ExperimentConfig) -> dict[str, Any]:
    """How an entropy map is made."""
    measure = config.measure
    return {
        "protocol": measure.protocol,
        "solver": LIVE_SOLVER,
        "grid": measure.grid,
        "seed": config.seed,
    }
