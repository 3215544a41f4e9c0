"""The live probe of an experiment: which networks it looks at, what that costs, and live.html."""

import time
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor, nn

from kdprobe.analysis import weight_names
from kdprobe.errors import LayerError
from kdprobe.estimator import EntropyEstimator
from kdprobe.estimator.taps import layer_path
from kdprobe.experiment.config import ExperimentConfig
from kdprobe.experiment.epochs import stage_ends
from kdprobe.experiment.members import Member
from kdprobe.experiment.setup import Material, build_empty, device
from kdprobe.experiment.unmeasured import reason_unmeasured
from kdprobe.live import LIVE_SOLVER, LiveProbe, Picture, read_lines
from kdprobe.live.failures import Failures
from kdprobe.live.page import is_done, write_page
from kdprobe.training.live_stages import LiveStages

PAGE = "live.html"


def is_live(config: ExperimentConfig, material: Material, member: Member) -> bool:
    """Whether `member` is looked at while it is trained: all that are measured afterwards, if the config wants it."""
    if not config.live.images or (member.role == "teacher" and config.teacher.weights is not None):
        return False
    if reason_unmeasured(config, material, member) is not None:
        return False
    try:
        layer_path(build_empty(config, material, member.role, member.network), config.measure.layer)
    except LayerError:  # in a sweep, which goes on at the other layers; elsewhere it was refused before
        return False
    return True


class LiveView:
    """Looks at the networks of the experiment in `folder` while they are trained, and shows all of them in its page."""

    def __init__(self, config: ExperimentConfig, material: Material, folder: Path) -> None:
        self._config = config
        self._material = material
        self.page = folder.resolve() / PAGE
        self._title = _title(config)
        self._gallery: dict[str, tuple[Picture, ...]] = {}

    def of(self, member: Member, model: nn.Module) -> LiveStages | None:
        """The probe for the training of `member`, whose network is `model`; None if it is not looked at."""
        config, probe = self._config, self._material.probe
        if not is_live(config, self._material, member):
            return None
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
            weights=weight_names(model, measure.layer, probe.images[:2].to(device(config)), measure.weights),
            look_back=config.live.look_back,
            page=self.page,
            gallery=self._gallery,
            title=self._title,
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
        write_page(self.page, read_lines(self.page.parent), pictures, self._title, done=True)

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


def _title(config: ExperimentConfig) -> str:
    return config.report.title or f"{config.data.name}, {config.model}, layer {config.measure.layer}"
