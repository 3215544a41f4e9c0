"""One stage of a recipe as a Lightning module."""

from contextlib import nullcontext
from dataclasses import dataclass

import lightning.pytorch as L
import torch
from torch import Tensor, nn

from kdprobe.errors import ConfigError, TrainingError
from kdprobe.estimator.taps import capture
from kdprobe.objectives import find_objective
from kdprobe.recipes import Stage
from kdprobe.training.batches import Batches
from kdprobe.training.scope import LearningScope
from kdprobe.training.seeds import derive_seed
from kdprobe.training.settings import TrainingSettings


@dataclass(frozen=True)
class StagePlan:
    """A stage of a recipe with everything filled in."""

    index: int
    stage: Stage
    tap: str | None
    scope: LearningScope
    epochs: int
    first_epoch: int  #: epochs trained before this stage
    first_step: int  #: optimiser steps done before this stage


class StageModule(L.LightningModule):
    """Trains `student` as `plan` says. The student is forwarded once a step; the teacher is no part of it."""

    def __init__(
        self,
        student: nn.Module,
        teacher: nn.Module | None,
        plan: StagePlan,
        batches: Batches,
        settings: TrainingSettings,
        seed: int,
    ) -> None:
        super().__init__()
        self.student = student
        self._teacher = (teacher,)  # in a tuple: Lightning would move, train and save it
        self.plan = plan
        self._terms = [(t.objective, find_objective(t.objective), t.inputs, t) for t in plan.stage.objective]
        self._inputs = plan.stage.inputs
        self._batches = batches
        self._settings = settings
        self._seed = seed
        self._loss_sum = torch.zeros(())
        self._images = 0

    @property
    def epoch(self) -> int:
        """The running epoch, counted from 1 over all stages."""
        return self.plan.first_epoch + self.current_epoch + 1

    @property
    def mean_loss(self) -> float:
        """Mean over the images of the running epoch so far."""
        return float(self._loss_sum) / max(self._images, 1)

    def train_dataloader(self) -> Batches:
        return self._batches

    def on_train_epoch_start(self) -> None:
        self.plan.scope.set_modes(self.student)
        self._batches.set_epoch(self.epoch - 1)
        dropout_seed = derive_seed(self._seed, "dropout", self.plan.index, self.epoch - 1)
        torch.default_generator.manual_seed(dropout_seed)
        if self.device.type == "cuda":
            torch.cuda.manual_seed(dropout_seed)
        self._loss_sum = torch.zeros((), dtype=torch.float64, device=self.device)
        self._images = 0

    def training_step(self, batch: tuple[Tensor, Tensor], batch_index: int) -> Tensor:
        losses = self._losses(*batch)
        loss = losses.mean()
        if not torch.isfinite(loss):
            step = self.plan.first_step + self.global_step + 1
            raise TrainingError(
                f"The loss became {float(loss.detach())} in epoch {self.epoch} "
                f"(stage {self.plan.stage.name!r}), step {step}; lower the learning rate or look at the "
                "data."
            )
        self._loss_sum += losses.detach().sum()
        self._images += len(losses)
        return loss

    def _losses(self, images: Tensor, labels: Tensor) -> Tensor:
        """(B,): the weighted sum of the stage's objectives."""
        given = {"labels": labels}
        given |= self._outputs(self.student, "student", images)
        if self.plan.stage.teacher:
            with torch.no_grad():
                given |= self._outputs(self._teacher[0], "teacher", images)
        total = torch.zeros(len(images), device=images.device)
        for name, objective, inputs, term in self._terms:
            values = objective(**{key: given[key] for key in inputs}, **term.options)
            if not isinstance(values, Tensor) or values.shape != total.shape:
                got = tuple(values.shape) if isinstance(values, Tensor) else type(values).__name__
                raise ConfigError(
                    f"The objective {name} must return one value per sample, shape {tuple(total.shape)}, "
                    f"got {got}; leave out its mean or sum over the batch."
                )
            total = total + term.weight * values
        return total

    def _outputs(self, network: nn.Module, who: str, images: Tensor) -> dict[str, Tensor]:
        wants_feature = f"{who}_feature" in self._inputs
        with capture(network, self.plan.tap) if wants_feature else nullcontext() as tap:
            logits = network(images)
        return {f"{who}_logits": logits} | ({f"{who}_feature": tap.value} if wants_feature else {})

    def configure_optimizers(self):
        s = self._settings
        parameters = [p for name, p in self.student.named_parameters() if name in self.plan.scope.parameters]
        if s.optimiser == "adamw":
            optimiser = torch.optim.AdamW(parameters, lr=s.learning_rate, weight_decay=s.weight_decay)
        else:
            optimiser = torch.optim.SGD(
                parameters, lr=s.learning_rate, momentum=s.momentum, weight_decay=s.weight_decay
            )
        if s.schedule == "constant":
            return optimiser
        per_epoch, epochs = len(self._batches), self.plan.epochs
        if s.schedule == "one_cycle":
            schedule = torch.optim.lr_scheduler.OneCycleLR(
                optimiser, max_lr=s.learning_rate, total_steps=per_epoch * epochs
            )
        else:
            schedule = torch.optim.lr_scheduler.LambdaLR(
                optimiser, lambda step: 10 ** -min(step // per_epoch / max(epochs - 1, 1), 1)
            )
        return {"optimizer": optimiser, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}
