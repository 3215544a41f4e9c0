"""One stage of a recipe as a Lightning module."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import lightning.pytorch as L
import torch
from torch import Tensor, nn

from kdprobe.objectives import find_objective, labels_known
from kdprobe.recipes import Stage
from kdprobe.training.checks import check_values
from kdprobe.training.connectors import build_connectors, connector_name, set_modes
from kdprobe.training.examples import StageExamples
from kdprobe.training.finite import FiniteLosses
from kdprobe.training.layers import STUDENT, StageLayers
from kdprobe.training.optimiser import optimiser_of
from kdprobe.training.peers import Together
from kdprobe.training.reading import Reading
from kdprobe.training.scope import LearningScope
from kdprobe.training.seeds import derive_seed
from kdprobe.training.settings import TrainingSettings
from kdprobe.training.stage_batches import Batch, StageBatches
from kdprobe.training.stage_teachers import StageTeachers


@dataclass(frozen=True)
class StagePlan:
    """A stage of a recipe with everything filled in."""

    index: int
    stage: Stage
    layers: StageLayers
    scope: LearningScope
    epochs: int
    first_epoch: int  #: epochs trained before this stage
    first_step: int  #: optimiser steps done before this stage


class StageModule(L.LightningModule):
    """Trains `student` as `plan` says, and with it those of `peers` that the stage names.

    Every network is forwarded once a step with gradient; teachers are no part of the module. `peers`: all of the
    recipe's, so that those at rest are in every checkpoint. Connectors are built here.
    """

    def __init__(
        self,
        student: nn.Module,
        teachers: StageTeachers,
        plan: StagePlan,
        batches: StageBatches,
        settings: TrainingSettings,
        seed: int,
        device: torch.device,
        peers: Mapping[str, nn.Module] | None = None,
    ) -> None:
        super().__init__()
        stage = plan.stage
        self.student = student
        self.peers = nn.ModuleDict(peers or {})
        self._learners = (STUDENT, *(peer.name for peer in stage.peers))
        self.together = Together(len(self._learners), stage.ensemble) if stage.peers else None
        self.plan = plan
        self._teachers = teachers  # no module: Lightning would move, train and save them
        self._batches = batches
        self._settings = settings
        self._seed = seed
        self._wanted = stage.inputs
        self._readings = {
            name: Reading("student", plan.layers.tap.get(name), plan.layers.features.get(name, ()))
            for name in self._learners
        }
        self._train_labels = batches.labels.to(device)
        self._weights = [0.0] * len(stage.objective)
        self._loss_sum = torch.zeros(())
        self._finite = FiniteLosses(device)
        self._images = 0
        self._examples = StageExamples(batches, teachers, self._own, self._of_batch, stage.inputs, device)
        learners = {name: self._network(name) for name in self._learners}
        self.connectors = build_connectors(stage, learners, self._examples.inputs, seed, plan.index, device)
        self._terms = [
            (term.objective, term.inputs, self._callables(k)) for k, term in enumerate(stage.objective)
        ]
        for place, seat in enumerate(teachers.seats):
            if seat.source.anchors is not None and seat.source.search == "greedy":
                self.register_buffer(f"anchors_{place}", torch.full((seat.spans,), -1))

    @property
    def epoch(self) -> int:
        """The running epoch, counted from 1 over all stages."""
        return self.plan.first_epoch + self.current_epoch + 1

    @property
    def mean_loss(self) -> float:
        """The student's mean over the images of the running epoch so far."""
        return float(self._loss_sum) / max(self._images, 1)

    def train_dataloader(self) -> StageBatches:
        return self._batches

    def on_train_epoch_start(self) -> None:
        place, stage = self.current_epoch + 1, self.plan.stage
        self._wanted = stage.inputs_at(place, self.plan.epochs)
        self._weights = [term.weight_at(place, self.plan.epochs) for term in stage.objective]
        self._batches.set_epoch(self.epoch - 1)
        self._batches.wanted = self._wanted
        anchors = {
            int(n.removeprefix("anchors_")): b for n, b in self.named_buffers() if n.startswith("anchors_")
        }
        self._teachers.begin(place, anchors, self._examples.hardness_for(self.student), self._examples.taught)
        self.plan.scope.set_modes(self.student)
        for name in self._learners[1:]:
            self.peers[name].train()
        set_modes(self.connectors)
        if self.together is not None:
            self.together.epoch_begins()
        dropout_seed = derive_seed(self._seed, "dropout", self.plan.index, self.epoch - 1)
        torch.default_generator.manual_seed(dropout_seed)
        if self.device.type == "cuda":
            torch.cuda.manual_seed(dropout_seed)
        self._loss_sum = torch.zeros((), dtype=torch.float64, device=self.device)
        self._images = 0
        self._finite = FiniteLosses(self.device)

    def training_step(self, batch: Batch, batch_index: int) -> Tensor:
        shared = self._of_batch(batch)
        # Teachers first: beside what a student holds for its backward their forward takes longer, and more memory.
        if any(name.startswith("teacher") for name in self._wanted):
            teachers, images = self._teachers, batch.teacher_images
            shared |= teachers.outputs(images, batch.labels) if batch.taught is None else batch.taught
            shared |= teachers.constants()
        given = {name: self._own(name, batch, self._wanted) for name in self._learners}
        with labels_known():  # check_training has seen them all
            if "ensemble_logits" in self._wanted:
                logits = torch.stack([own["student_logits"].detach() for own in given.values()])
                shared["ensemble_logits"] = self.together.target(logits, batch.labels)
            losses = {name: self._losses(name, own | shared, batch_index) for name, own in given.items()}
        loss = losses[STUDENT].mean()
        for name in self._learners[1:]:
            loss = loss + losses[name].mean()
        step, last = self.plan.first_step + self.global_step + 1, batch_index + 1 == len(self._batches)
        self._finite.add(loss, step, f"epoch {self.epoch} (stage {self.plan.stage.name!r})", last)
        self._loss_sum += losses[STUDENT].detach().sum()
        self._images += len(batch.labels)
        return loss

    def _network(self, name: str) -> nn.Module:
        return self.student if name == STUDENT else self.peers[name]

    def _of_batch(self, batch: Batch) -> dict[str, Any]:
        """What all networks are given alike."""
        return {"labels": batch.labels, "indices": batch.indices, "train_labels": self._train_labels}

    def _own(self, name: str, batch: Batch, wanted: frozenset[str]) -> dict[str, Any]:
        """What one network makes of the batch; without gradient, as a target, what it makes of other images."""
        network = self._network(name)
        own = self._readings[name].whole(network, batch.images, wanted, batch.labels)
        with torch.no_grad():
            if "partner_logits" in wanted:
                own["partner_logits"] = network(batch.partners)
            if "view_logits" in wanted:
                own["view_logits"] = network(batch.views)
        return own

    def _losses(self, network: str, given: dict[str, Any], batch_index: int) -> Tensor:
        """(B,): the weighted sum of the stage's objectives, those that count in this epoch."""
        logits = given["student_logits"]
        total = torch.zeros(len(logits), device=logits.device)
        for number, (name, inputs, objectives) in enumerate(self._terms):
            weight = self._weights[number]
            if weight == 0:
                continue
            takes = {key: given[key] for key in inputs if key != "generator"}
            if "generator" in inputs:
                takes["generator"] = self._generator(batch_index, number)
            values = objectives[network](**takes)
            check_values(name, values, total.shape)
            total = total + weight * values
        return total

    def _callables(self, term: int) -> dict[str, Callable[..., Tensor]]:
        """For every network that learns the objective of a term: its connector, or the function with its options."""
        stage = self.plan.stage
        names = {network: connector_name(stage, term, network) for network in self._learners}
        plain = partial(find_objective(stage.objective[term].objective), **stage.objective[term].options)
        return {network: plain if key is None else self.connectors[key] for network, key in names.items()}

    def _generator(self, batch_index: int, term: int) -> torch.Generator:
        """The same for all networks of a step."""
        place = self.plan.index, self.epoch - 1, batch_index, term
        return torch.Generator().manual_seed(derive_seed(self._seed, "objective", *place))

    def configure_optimizers(self):
        learns = [p for name, p in self.student.named_parameters() if name in self.plan.scope.parameters]
        for network in (self.connectors, *(self.peers[name] for name in self._learners[1:])):
            learns += [parameter for parameter in network.parameters() if parameter.requires_grad]
        return optimiser_of(learns, self._settings, len(self._batches), self.plan.epochs)
