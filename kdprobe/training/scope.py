"""Which part of a network learns in a stage, and what freezing the rest means."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor, nn

from kdprobe.errors import TrainingError
from kdprobe.estimator.taps import modules_below, parameters_below


@dataclass(frozen=True)
class LearningScope:
    """The part of a network that learns; the rest is frozen and in evaluation mode."""

    parameters: frozenset[str]  #: names of those that learn
    resting: frozenset[str]  #: names of the modules that stay in evaluation mode
    tap_sees_all: bool  #: the tapped value depends on every parameter: it is the network's output

    def freeze(self, model: nn.Module) -> None:
        """Gradients for the parameters that learn, and for no others."""
        for name, parameter in model.named_parameters():
            parameter.requires_grad_(name in self.parameters)

    def set_modes(self, model: nn.Module) -> None:
        """Training mode for what learns, evaluation mode (BatchNorm, dropout) for what is frozen."""
        model.train()
        for name, module in model.named_modules():
            if name in self.resting:
                module.training = False


def learning_scope(model: nn.Module, learns: str, tap: str | None, example: Tensor) -> LearningScope:
    """What `learns` ("all", "below_tap", "above_tap") means for `model`, found by running a batch `example`.

    Parameters that the caller has frozen (requires_grad off) do not learn in any stage.
    Raises LayerError if the model has no layer `tap`, TrainingError if nothing below it may learn.
    """
    free = frozenset(name for name, parameter in model.named_parameters() if parameter.requires_grad)
    if tap is None:
        return LearningScope(free, frozenset(), tap_sees_all=False)
    below = frozenset(parameters_below(model, tap, example))
    tap_sees_all = below.issuperset(name for name, _ in model.named_parameters())
    if learns == "all":
        return LearningScope(free, frozenset(), tap_sees_all)
    ran = frozenset(modules_below(model, tap, example))

    def is_below(name: str) -> bool:
        return _is_below(model, name, ran, below)

    if learns == "above_tap":
        return LearningScope(free - below, _resting(model, is_below), tap_sees_all)
    if not free & below:
        raise TrainingError(f"No weight that may learn lies below the layer {tap!r}; choose a later layer.")
    return LearningScope(free & below, _resting(model, lambda name: not is_below(name)), tap_sees_all)


def _is_below(model: nn.Module, name: str, ran: frozenset[str], below: frozenset[str]) -> bool:
    """Whether the leaf module `name` lies below the tap: it ran, or its parent used its weights."""
    own = [f"{name}.{parameter}" for parameter, _ in model.get_submodule(name).named_parameters()]
    return name in ran or (bool(own) and below.issuperset(own))


def _resting(model: nn.Module, rests: Callable[[str], bool]) -> frozenset[str]:
    """Names of the modules that rest: leaves as `rests` says, and containers in which every leaf does."""
    resting = set()
    for name, module in model.named_modules():
        prefix = f"{name}." if name else ""
        leaves = [prefix + n for n, m in module.named_modules() if n and not any(m.children())] or [name]
        if all(leaf and rests(leaf) for leaf in leaves):
            resting.add(name)
    return frozenset(resting)
