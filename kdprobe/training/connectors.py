"""Objectives with parameters of their own, built once for a stage from what it hands them."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn

from kdprobe.objectives import find_objective, is_connector
from kdprobe.recipes import Stage
from kdprobe.training.layers import STUDENT
from kdprobe.training.seeds import derive_seed


def connector_name(stage: Stage, term: int, network: str) -> str | None:
    """The name of the connector of the stage's `term` (index) for `network`; None if that term is a plain function.

    It is the class's name and the index; a peer's name stands before it.
    """
    objective = find_objective(stage.objective[term].objective)
    if not is_connector(objective):
        return None
    name = f"{objective.__name__}_{term}"
    return name if network == STUDENT else f"{network}_{name}"


def build_connectors(
    stage: Stage,
    networks: Mapping[str, nn.Module],
    example: Callable[[str, nn.Module], Mapping[str, Any]],
    seed: int,
    index: int,
    device: torch.device,
) -> nn.ModuleDict:
    """A connector for every term of `stage`, the recipe's stage `index`, that has parameters, and every one of
    the `networks` that learn.

    `example` runs two images through a network and gives all inputs of the stage; a connector gets those that it
    takes. The initial values depend on `seed`, stage, term and network alone; the caller's generators stay as they are.
    """
    built = {}
    for name, network in networks.items():
        given = None
        for number, term in enumerate(stage.objective):
            key = connector_name(stage, number, name)
            if key is None:
                continue
            given = example(name, network) if given is None else given
            with torch.random.fork_rng(devices=[device.index or 0] if device.type == "cuda" else []):
                torch.manual_seed(derive_seed(seed, "connector", index, number, name))
                cls = find_objective(term.objective)
                built[key] = cls({wanted: given[wanted] for wanted in term.inputs}, **term.options).to(device)
    return nn.ModuleDict(built)


def set_modes(connectors: nn.ModuleDict) -> None:
    """Training mode for connectors that learn, evaluation mode for those of which every parameter is frozen."""
    for connector in connectors.values():
        parameters = [*connector.parameters()]
        connector.train(not parameters or any(p.requires_grad for p in parameters))
