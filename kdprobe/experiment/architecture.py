"""Which architecture a network of the experiment has, and from which weights it starts."""

from typing import Any

from kdprobe.experiment.config import ExperimentConfig
from kdprobe.recipes import Network, Peer


def architecture(
    config: ExperimentConfig, role: str, network: Network | Peer | None = None
) -> tuple[str, dict[str, Any]]:
    """Name and options of the architecture of the network with that `role` ("teacher", "baseline", "student"), or of a
    recipe's own `network`. Where the teacher starts (`teacher.pretrained`) is part of its options, and of those of
    other networks of its architecture unless they start as the learners do.
    """
    if network is not None and network.model not in ("student", "teacher"):
        return network.model, network.model_options
    if (role if network is None else network.model) != "teacher":
        return config.model, config.model_options
    teacher = config.teacher
    inherited = config.model_options if teacher.model is None else {}
    options = {**inherited, **teacher.model_options}
    if teacher.pretrained and initial_weights(role, network) != "learner":  # others begin like the teacher
        options["pretrained"] = teacher.pretrained
    return teacher.model or config.model, options


def initial_weights(role: str, network: Network | Peer | None = None) -> str | int:
    """Which draw of the experiment's seed a network starts from: "teacher", "learner" (all others') or a number."""
    if network is not None:
        return network.initial
    return "teacher" if role == "teacher" else "learner"
