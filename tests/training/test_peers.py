"""Networks that learn together."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy, kl_div, log_softmax, softmax

from kdprobe.errors import ConfigError, TrainingError
from kdprobe.objectives import kdcl_target
from kdprobe.recipes import Peer, Recipe, Stage, Term
from kdprobe.training.batches import Batches
from kdprobe.training.module import StageModule

PLAIN = {"optimiser": "sgd", "momentum": 0.0, "schedule": "constant", "weight_decay": 0.0, "epochs": 3}
ENSEMBLES = ["naive", "linear", "min_logit", "general"]


def together(method, ensemble: str = "naive", peers: tuple[str, ...] = ("peer",)) -> Recipe:
    terms = "cross_entropy", Term("ensemble_kd", options={"temperature": 2.0})
    return method(*terms, peers=tuple(Peer(name) for name in peers), ensemble=ensemble)


def without_dropout(model: nn.Module) -> nn.Module:
    model.features.drop.p = model.head.drop.p = 0.0
    return model


def least_error(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """C⁻¹ 1 / (1ᵀ C⁻¹ 1) with C the correlation of the errors over all images at once, in numpy."""
    errors = softmax(logits.double(), 2).numpy() - np.eye(3)[labels.numpy()]
    solved = np.linalg.solve(np.einsum("kbc,lbc->kl", errors, errors) / len(labels), np.ones(len(logits)))
    return torch.from_numpy(solved / solved.sum()).float()


@pytest.mark.parametrize("ensemble", ENSEMBLES)
def test_student_and_peers_are_those_of_a_bare_loop(net, train, method, train_data, ensemble):
    """The loss is the sum over the networks of the mean over the batch; the ensemble gets no gradient."""
    trained = [without_dropout(net(seed=k)) for k in range(3)]
    plain = [without_dropout(net(seed=k)) for k in range(3)]
    recipe = together(method, ensemble, ("first", "second"))
    train(trained[0], recipe, peers={"second": trained[2], "first": trained[1]}, settings=PLAIN)
    optimiser = torch.optim.SGD([p for model in plain for p in model.parameters()], lr=1e-2)
    batches = Batches(train_data.images, train_data.labels, 16, seed=5)
    weights = torch.full((3,), 1 / 3)
    for epoch in range(3):
        batches.set_epoch(epoch)
        seen = []
        for images, labels in batches:
            optimiser.zero_grad()
            logits = [model(images) for model in plain]
            stacked = torch.stack(logits).detach()
            seen.append((stacked, labels))
            target = kdcl_target(stacked, labels, ensemble, weights if ensemble == "general" else None)
            for one in logits:
                soft = kl_div(log_softmax(one / 2, 1), softmax(target / 2, 1), reduction="batchmean")
                (cross_entropy(one, labels) + 4 * soft).backward()
            optimiser.step()
        weights = least_error(torch.cat([s for s, _ in seen], 1), torch.cat([y for _, y in seen]))
    for model, other in zip(trained, plain, strict=True):
        for name, tensor in other.state_dict().items():
            assert torch.allclose(model.state_dict()[name], tensor, atol=2e-5), name


def test_every_network_is_forwarded_once_a_step_in_training_mode(net, train, method):
    models, calls = [net(seed=k).eval() for k in range(2)], [[], []]
    for model, seen in zip(models, calls, strict=True):
        model.register_forward_pre_hook(
            lambda module, _, seen=seen: seen.append(module.training) if torch.is_grad_enabled() else None
        )
    result = train(models[0], together(method), peers={"peer": models[1]})
    assert calls == [[True] * result.steps] * 2
    assert not any(model.training for model in models)


def test_peers_are_in_the_optimiser_and_those_of_another_stage_are_not(net, train, monkeypatch):
    given, configure = [], StageModule.configure_optimizers

    def spy(module):
        found = configure(module)
        names = {id(parameter): name for name, parameter in module.named_parameters()}
        given.append(
            {
                names[id(p)].split(".")[0:2][-1] if names[id(p)].startswith("peers") else "student"
                for p in found["optimizer"].param_groups[0]["params"]
            }
        )
        return found

    monkeypatch.setattr(StageModule, "configure_optimizers", spy)
    terms = Term("cross_entropy"), Term("ensemble_kd")
    stages = (
        Stage("one", terms, epochs=1, peers=(Peer("a"),), analysed=True),
        Stage("alone", (Term("cross_entropy"),), epochs=1),
        Stage("both", terms, epochs=1, peers=(Peer("b"), Peer("a"))),
    )
    train(net(seed=0), Recipe("three", "Three", "", stages), peers={"a": net(seed=1), "b": net(seed=2)})
    assert given == [{"student", "a"}, {"student"}, {"student", "a", "b"}]


def test_only_the_student_is_kept_and_its_loss_logged(net, train, method, tmp_path):
    from kdprobe.storage import SnapshotStore

    store = SnapshotStore(tmp_path / "snapshots")
    one, peer = net(seed=0), net(seed=1)
    result = train(one, together(method), peers={"peer": peer}, store=store)
    assert list(store.load(store.list()[-1])) == list(one.state_dict())
    assert 0.5 < result.loss_by_epoch[1] < 1.7  # of two networks together it would be twice that
    assert not torch.equal(peer.head.fc3.weight, net(seed=1).head.fc3.weight)


def test_a_peer_that_is_missing_shared_or_of_other_classes_is_refused(net, train, method):
    model = net(seed=0)
    with pytest.raises(ConfigError, match="trains the peer peer with the student; build it"):
        train(model, together(method))
    with pytest.raises(TrainingError, match="The peer peer and the student share weights"):
        train(model, together(method), peers={"peer": model})
    other = net(seed=1)
    other.head.fc3 = nn.Linear(6, 5)
    with pytest.raises(
        ConfigError, match=r"The peer peer returns \(2, 5\) where the student returns \(2, 3\)"
    ):
        train(model, together(method), peers={"peer": other})
