"""What the connectors of a network's stages, their memories too, will take on the disk."""

from collections.abc import Sequence

import torch
from torch import nn

from kdprobe.experiment.config import ExperimentConfig
from kdprobe.experiment.epochs import kept_by_stage
from kdprobe.experiment.forecast import resume_bytes
from kdprobe.experiment.members import Member
from kdprobe.experiment.setup import Material, device
from kdprobe.experiment.teachers import Teaches
from kdprobe.experiment.trial import trial_inputs
from kdprobe.objectives import find_objective, is_connector
from kdprobe.recipes import Stage
from kdprobe.storage import snapshot_bytes


def connector_bytes(
    config: ExperimentConfig,
    material: Material,
    member: Member,
    teachers: Sequence[Teaches],
    done: int | None,
) -> int:
    """Bytes of the snapshots of the connectors of `member` after epoch `done` (None: of all), and of their part of
    what is kept of a running training to go on. Peers are taken to need what the student does."""
    snapshots, resume = 0, 0
    with torch.random.fork_rng(devices=[device(config)] if device(config).type == "cuda" else []):
        for stage, epochs in zip(member.recipe.stages, kept_by_stage(config, member), strict=True):
            built = _connectors(config, material, member, stage, teachers)
            if len(built):
                learn = 1 + len(stage.peers)
                left = sum(done is None or epoch > done for epoch in epochs)
                snapshots += left * learn * snapshot_bytes(built)
                resume = max(resume, learn * resume_bytes(built, config.training))
    return snapshots + resume


def _connectors(
    config: ExperimentConfig, material: Material, member: Member, stage: Stage, teachers: Sequence[Teaches]
) -> nn.ModuleList:
    """Those of the student, built for a few images."""
    terms = [term for term in stage.objective if is_connector(find_objective(term.objective))]
    given = trial_inputs(config, material, member, stage, teachers)[0] if terms else {}
    return nn.ModuleList(
        find_objective(term.objective)({name: given[name] for name in term.inputs}, **term.options)
        for term in terms
    )
