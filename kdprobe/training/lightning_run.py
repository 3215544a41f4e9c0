"""Lightning without its chatter, and without what it leaves behind in the process."""

import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import lightning.pytorch as L
import torch

from kdprobe.training.resume_points import HeldCheckpoint

#: true of a stage with a frozen part, and meant so; or about things that a small quiet training does not use
_EXPECTED_WARNINGS = (
    r".*Found \d+ module\(s\) in eval mode at the start of training",
    r".*GPU available but not used",
    r".*The .?train_dataloader.? does not have many workers",
    r".*LeafSpec.* is deprecated",
)


@contextmanager
def quiet() -> Iterator[None]:
    """Lightning says nothing but errors inside; its levels and the warning filters are put back."""
    loggers = [logging.getLogger(name) for name in ("lightning.pytorch", "lightning.fabric")]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings():
        for message in _EXPECTED_WARNINGS:
            warnings.filterwarnings("ignore", message=message)
        try:
            for logger in loggers:
                logger.setLevel(logging.ERROR)
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)


def quiet_trainer(
    epochs: int, device: torch.device, callbacks: Sequence[L.Callback], held: HeldCheckpoint
) -> L.Trainer:
    """A Trainer on one device that logs and prints nothing, and whose checkpoints stay in memory."""
    return L.Trainer(
        max_epochs=epochs,
        accelerator=device.type,
        devices=1 if device.type == "cpu" else [device.index or 0],
        callbacks=list(callbacks),
        plugins=[held],
        logger=False,
        enable_checkpointing=False,
        enable_model_summary=False,
        enable_progress_bar=False,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
    )


class _Interrupt(L.Callback):
    seen = False

    def on_exception(self, trainer: L.Trainer, pl_module: L.LightningModule, exception) -> None:
        self.seen = isinstance(exception, KeyboardInterrupt)


def fit(
    module: L.LightningModule,
    epochs: int,
    device: torch.device,
    callbacks: Sequence[L.Callback],
    held: HeldCheckpoint | None = None,
) -> None:
    """Trains `module`, on from the checkpoint in `held` if there is one; exceptions come through as they are.

    Lightning answers Ctrl-C by leaving the process: here KeyboardInterrupt is raised, so that the caller can
    tidy up.
    """
    interrupt, held = _Interrupt(), held or HeldCheckpoint()
    goes_on = None if held.checkpoint is None else "resume.ckpt"  # the name is never opened
    with quiet(), torch.enable_grad():
        trainer = quiet_trainer(epochs, device, [*callbacks, interrupt], held)
        try:
            trainer.fit(module, ckpt_path=goes_on)
        except SystemExit:
            if not interrupt.seen:
                raise
            raise KeyboardInterrupt from None
