"""The live probe: looks at a network in the middle of its training, and changes nothing."""

import time
import warnings
from collections.abc import Callable, MutableMapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor, nn

from kdprobe.errors import ConfigError, InputError
from kdprobe.estimator import EntropyEstimator, Protocol, parameters_below
from kdprobe.estimator.solvers import Solver
from kdprobe.estimator.taps import bare, check_tap
from kdprobe.live.budget import LIVE_SOLVER
from kdprobe.live.counting import CountRules
from kdprobe.live.early_warning import checked_look_back
from kdprobe.live.failures import Failures
from kdprobe.live.observing import unnoticed
from kdprobe.live.pictures import Picture
from kdprobe.live.publish import Published
from kdprobe.live.reading import LiveReading
from kdprobe.live.so_far import SoFar
from kdprobe.live.subject import Subject


class LiveProbe:
    """Counts the concepts of a few fixed images at every epoch of any training loop::

        probe = LiveProbe(images, masks, "fc1", "runs/mine")
        probe.observe(model, epoch=0)
        for epoch in range(1, epochs + 1):
            train_one_epoch(model)
            probe.observe(model, epoch=epoch)

    Each observation appends a line to `folder`/metrics.jsonl and rewrites `folder`/live.html (curves, maps). The
    training goes on as if it had never been looked at: weights, buffers, gradients, training flags and all random
    numbers are left as they were, bit by bit.

    images: (N, C, H, W) floating point, normalised as the model expects them; always the same, un-augmented. N decides
    the cost; with fewer than 6 there is no early warning. foreground: (N, H, W) bool masks, whose cells are those of
    which more than half is foreground, or (N, grid, grid) bool cells. layer: a name in ``model.taps`` or a module path.
    name: the network's. ids, labels: texts, one for each image. display: makes of an image (C, H, W) what is shown,
    (H, W, 3) in 0 ... 1; by default it is stretched from its lowest to its highest value. shown: images with pictures.
    margin, scope, empty: how concepts are counted, as in the report. initial: whether epoch 0 enters stability.
    weights: names of the parameters whose way is measured; by default those on which the layer depends. look_back: the
    early warning (`EarlyWarning`) compares with so many observations before; None: there is none. page: the page's
    file; a relative one lies in `folder`; None: no page. In an experiment's folder it shows all its networks, and
    `gallery` holds their pictures by name.

    solver: by default a short round of the report's solver (`LIVE_SOLVER`), whose noise is in the intervals; what it
    costs and how near it comes is in analyses/results/benchmark_live_probe.csv. on_error: with "warn" a measurement
    that fails or a file that cannot be written gives a warning and a sentence in `failures`, and training goes on; with
    "raise" the error is raised. What is wrong from the start raises InputError (ConfigError, LayerError) in both cases,
    by the constructor or the first observation, before anything is trained.
    """

    def __init__(
        self,
        images: Tensor,
        foreground: Tensor,
        layer: str,
        folder: str | Path,
        *,
        name: str = "student",
        ids: Sequence[str] | None = None,
        labels: Sequence[Any] | None = None,
        display: Callable[[Tensor], np.ndarray] | None = None,
        shown: int = 2,
        grid: int = 16,
        margin: float = 0.2,
        scope: str = "dataset",
        empty: str = "skip",
        initial: bool = False,
        protocol: str | Protocol = "cheng2020",
        solver: str | Solver = LIVE_SOLVER,
        weights: Sequence[str] | None = None,
        look_back: int | None = 2,
        page: str | Path | None = "live.html",
        gallery: MutableMapping[str, tuple[Picture, ...]] | None = None,
        title: str | None = None,
        on_error: str = "warn",
        seed: int = 0,
    ) -> None:
        self.name, self.layer, self.folder = name, layer, Path(folder)
        self._failures = Failures(on_error)
        self._subject = Subject.of(
            images, foreground, grid, ids=ids, labels=labels, shown=shown, display=display
        )
        self._rules = CountRules(margin=margin, scope=scope, empty=empty, initial=initial, seed=seed)
        self._how = {"protocol": protocol, "solver": solver, "grid": grid, "seed": seed}
        self._weights = None if weights is None else tuple(weights)
        self._look_back = checked_look_back(look_back)
        self._so_far: SoFar | None = None
        file = None if page is None else self.folder / page
        self._published = Published(self.folder, file, name, title or f"{name}: {layer}", gallery)

    @property
    def failures(self) -> tuple[str, ...]:
        """A sentence for each observation or file that failed."""
        return self._failures.sentences

    @property
    def epoch(self) -> int | None:
        """The last one observed."""
        return None if self._so_far is None else self._so_far.epoch

    def start(self, model: nn.Module, state: dict[str, Any] | None = None) -> None:
        """Looks whether `model` can be observed, and goes on from `state`, a `state_dict`, if there is one.

        `observe` does this by itself where there is none. Lines of the log that are newer than `state` make way.
        Raises InputError for a layer that cannot be measured, weights that are not there, another probe's state.
        """
        network, example, parameters = bare(model), self._subject.images[:1], _parameters(model)
        with unnoticed(network):
            check_tap(network, self.layer, example)
            EntropyEstimator(network, self.layer, **self._how)  # refuses settings that do not go together
            names = self._weights or parameters_below(network, self.layer, example)
        if missing := [name for name in names if name not in parameters]:
            raise ConfigError(f"{type(network).__name__} has no parameter {missing[0]!r} to follow.")
        how = self.layer, *map(str, self._how.values()), self._rules, tuple(names), self._look_back
        so_far = SoFar(self._subject.cells, self._rules, names, self._look_back, self._subject.digest(*how))
        if state is not None:
            so_far.load_state_dict(state, parameters)
        self._so_far = so_far
        with self._failures.tolerated():
            self._published.forget(-1 if self.epoch is None else self.epoch)

    def observe(self, model: nn.Module, *, epoch: int, step: int = 0, stage: int = 0) -> LiveReading | None:
        """Measures `model` after `epoch` epochs (0: before the first) and writes it down.

        epoch, step, stage: counted over the whole training; epochs must grow. None where `on_error` let a failed
        measurement pass.
        """
        if self._so_far is None:
            self.start(model)
        if self.epoch is not None and epoch <= self.epoch:
            raise InputError(f"Epochs must grow between observations, got {epoch} after {self.epoch}.")
        first, self._so_far.epoch = self.epoch is None, epoch
        network, reading = bare(model), None
        but = (InputError,) if first else ()  # nothing is trained yet: the settings are wrong
        with self.tolerated(f"Epoch {epoch} was not measured", but), unnoticed(network):
            reading = self._measured(network, epoch, step, stage)
        if reading is None:
            return None
        with self._failures.tolerated():
            self._published.add(reading.line(), reading.pictures)
        if self._so_far.warning is not None and self._so_far.warning.onset:
            warnings.warn(f"{self.name}, epoch {epoch}: {reading.warning}", UserWarning, stacklevel=2)
        return reading

    def close(self) -> None:
        """The training is over: the page, if it shows this network alone, says so and no longer reloads itself."""
        if self.epoch is not None and self._published.alone:
            with self._failures.tolerated():
                self._published.rewrite(done=True)

    def state_dict(self, model: nn.Module | None = None) -> dict[str, Any]:
        """What a resumed training hands to `start`: numbers, texts and tensors. Empty before the first observation.

        With `model`, the weights of the last observation are left out if they are the model's: they lie in the
        checkpoint already.
        """
        if self.epoch is None:
            return {}
        return self._so_far.state_dict(None if model is None else _parameters(model))

    def tolerated(self, failed: str, but: tuple[type[Exception], ...] = ()) -> AbstractContextManager[None]:
        """What fails inside becomes a warning and a sentence in `failures`, or is raised: `Failures.tolerated`."""
        return self._failures.tolerated(failed, but)

    def _measured(self, network: nn.Module, epoch: int, step: int, stage: int) -> LiveReading:
        began, so_far, subject = time.perf_counter(), self._so_far, self._subject
        path = so_far.walk.add(_parameters(network))
        result = EntropyEstimator(network, self.layer, **self._how).estimate(subject.images)
        counted = so_far.counts.count(result, epoch)
        reading = LiveReading(
            network=self.name,
            epoch=epoch,
            stage=stage,
            step=step,
            layer=self.layer,
            images=len(subject.images),
            seconds=0.0,
            **counted.intervals(self._rules),
            weight_path=path,
            warning=None if so_far.warning is None else so_far.warning.look(counted),
            pictures=subject.pictures(self.name, result, counted, self._rules),
        )
        return replace(reading, seconds=time.perf_counter() - began)


def _parameters(model: nn.Module) -> dict[str, Tensor]:
    return dict(bare(model).named_parameters())
