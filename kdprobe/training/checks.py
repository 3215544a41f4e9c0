"""All that can be known of a training before its first step."""

import torch
from torch import nn

from kdprobe.data import LabelledImages
from kdprobe.errors import ConfigError, DataError, TrainingError
from kdprobe.estimator.taps import check_tap, untouched
from kdprobe.recipes import LAYER, Recipe, Stage


def filled_in_tap(stage: Stage, layer: str | None) -> str | None:
    """The stage's tap, {layer} replaced by the layer under study. Raises ConfigError if there is none."""
    if stage.tap != LAYER:
        return stage.tap
    if layer is None:
        raise ConfigError(
            f"The stage {stage.name!r} works at the layer under study; name one, for example layer: fc1."
        )
    return layer


def check_training(
    model: nn.Module,
    recipe: Recipe,
    taps: list[str | None],
    train_data: LabelledImages,
    teacher: nn.Module | None,
) -> None:
    """Raises ConfigError (no teacher), DataError, LayerError or TrainingError for what can never be trained."""
    if len(train_data) == 0:
        raise DataError(
            f"The training split of {train_data.name} holds no images; look at its path and options."
        )
    if recipe.teacher and teacher is None:
        raise ConfigError(f"The recipe {recipe.name!r} needs a teacher; train or load one first.")
    if next(model.parameters(), None) is None:
        raise TrainingError(f"{type(model).__name__} has no parameters: nothing can learn.")
    example = example_of(model, train_data)
    with untouched(model), torch.no_grad():
        logits = model(example)
    classes = int(train_data.labels.max()) + 1
    if not isinstance(logits, torch.Tensor) or logits.ndim != 2 or logits.shape[1] < classes:
        got = tuple(logits.shape) if isinstance(logits, torch.Tensor) else type(logits).__name__
        raise DataError(
            f"{train_data.name} has {classes} classes, so the network must return (batch, {classes} or "
            f"more), got {got}."
        )
    for stage, tap in zip(recipe.stages, taps, strict=True):
        if tap is not None:
            check_tap(model, tap, example)
            if stage.teacher:
                check_tap(teacher, tap, example_of(teacher, train_data))


def example_of(model: nn.Module, data: LabelledImages) -> torch.Tensor:
    """Two images, where `model` is."""
    return data.normalised.on(next(model.parameters()).device)[:2]
