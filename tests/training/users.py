"""Somebody's Lightning training: a module that is not ours, and a Trainer that prints nothing."""

import lightning.pytorch as L
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from kdprobe.storage import SnapshotStore
from kdprobe.training.lightning_run import quiet


class Users(L.LightningModule):
    """Somebody's module: a network under `net.model` and a loss weight of its own.

    `fail` is raised by the training step with that number, counted from 1.
    """

    def __init__(self, seed: int = 0, fail: dict[int, BaseException] | None = None) -> None:
        super().__init__()
        self.fail = fail or {}
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            network = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))
        self.net = nn.ModuleDict({"model": network})
        self.scale = nn.Parameter(torch.ones(()))

    def training_step(self, batch, batch_index):
        inputs, targets = batch
        if self.global_step + 1 in self.fail:
            raise self.fail[self.global_step + 1]
        return nn.functional.cross_entropy(self.scale * self.net["model"](inputs), targets)

    def validation_step(self, batch, batch_index):
        pass

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


class ByHand(Users):
    """Two optimiser steps in every batch, there and some of the way back, with manual optimisation.

    `trace`: the weights of the first layer at the start and after every step.
    """

    def __init__(self) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.trace = [self._weight()]

    def _weight(self) -> torch.Tensor:
        return self.net["model"][0].weight.detach().clone()

    def training_step(self, batch, batch_index):
        optimiser = self.optimizers()
        for sign in (1, -0.5):
            optimiser.zero_grad()
            self.manual_backward(sign * super().training_step(batch, batch_index))
            optimiser.step()
            self.trace.append(self._weight())


def loader(count: int = 32) -> DataLoader:
    generator = torch.Generator().manual_seed(1)
    inputs = torch.randn(count, 4, generator=generator)
    return DataLoader(TensorDataset(inputs, (inputs[:, 0] > 0).long()), batch_size=8)


def fit(module, callbacks, *, data=None, ckpt_path=None, **options) -> L.Trainer:
    """Three epochs of four steps, with a validation after each."""
    plain = {"logger": False, "enable_checkpointing": False, "enable_model_summary": False}
    with quiet():
        trainer = L.Trainer(
            **({"max_epochs": 3, "accelerator": "cpu", "enable_progress_bar": False} | plain | options),
            callbacks=callbacks,
        )
        trainer.fit(module, loader() if data is None else data, loader(), ckpt_path=ckpt_path)
    return trainer


def numbers(store: SnapshotStore) -> list[tuple[int, int, int]]:
    """(epoch, step, stage) of each snapshot."""
    return [(snapshot.epoch, snapshot.step, snapshot.stage) for snapshot in store.list()]


def places(folder) -> list[tuple]:
    """(epoch, step) of each snapshot, and "partial" behind those that were taken inside an epoch."""
    return [(s.epoch, s.step, *["partial"] * s.partial) for s in SnapshotStore(folder).list()]
