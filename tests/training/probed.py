"""A Lightning training that KnowledgeProbe looks at."""

import random

import lightning.pytorch as L
import numpy as np
import torch
from live.subjects import Net, images, masks, options
from torch.utils.data import DataLoader, TensorDataset

from kdprobe.storage import read_jsonl
from kdprobe.training import KnowledgeProbe
from kdprobe.training.lightning_run import quiet


class Pupil(L.LightningModule):
    """Dropout, BatchNorm, random numbers of its own, momentum; the network is `net`."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        self.net = Net(seed)

    def training_step(self, batch, batch_index):
        return torch.nn.functional.cross_entropy(self.net(batch[0]), batch[1])

    def validation_step(self, batch, batch_index):
        self.net(batch[0])

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05, momentum=0.9)


def shuffled() -> DataLoader:
    """Three batches an epoch, in an order drawn from torch's global numbers."""
    return DataLoader(TensorDataset(images(24, seed=5), torch.arange(24) % 3), batch_size=8, shuffle=True)


def probe(folder, **changes) -> KnowledgeProbe:
    return KnowledgeProbe(images(), masks(), "fc1", folder, **{"module": "net", **options(**changes)})


def taught(
    callbacks, *, module: Pupil | None = None, data=None, epochs: int = 3, ckpt_path=None, **more
) -> L.Trainer:
    """A whole training of `epochs`, with a validation after each, from fixed random numbers."""
    torch.manual_seed(11)
    np.random.seed(11)
    random.seed(11)
    quietly = {"enable_checkpointing": False, "enable_model_summary": False, "enable_progress_bar": False}
    with quiet():
        trainer = L.Trainer(
            **({"max_epochs": epochs, "accelerator": "cpu", "logger": False} | quietly | more),
            num_sanity_val_steps=0,  # so that a network that was refused has seen nothing
            callbacks=callbacks,
        )
        seen = DataLoader(shuffled().dataset, batch_size=12)
        trainer.fit(module or Pupil(), data or shuffled(), seen, ckpt_path=ckpt_path)
    return trainer


def places(folder) -> list[tuple[int, int]]:
    """(epoch, step) of each line."""
    return [(line["epoch"], line["step"]) for line in read_jsonl(folder / "metrics.jsonl")]
