"""Whole recipes against plain loops written from the papers' formulas: the same weights after the same batches."""

import pytest
import torch
from experiment.quick import changed, quietly, trained_only

from kdprobe.experiment.setup import load_material
from kdprobe.storage import SnapshotStore
from kdprobe.training import TrainingSettings
from kdprobe.training.batches import Batches

pytestmark = pytest.mark.slow
EPOCHS = 5
NETWORK = """
from torch import nn

def net(num_classes, image_shape, width):
    pixels = image_shape[0] * image_shape[1] * image_shape[2]
    below = nn.Flatten(), nn.Linear(pixels, width), nn.BatchNorm1d(width), nn.ReLU()
    return nn.Sequential(*below, nn.Linear(width, num_classes))
"""
RECIPES = [
    "kd", "kd_mean", "logit_regression", "label_smoothing", "label_smoothing_tfkd", "tf_kd_virtual", "tf_kd_self",
    "dkd", "early_stopped_teacher", "early_stopped_kd", "takd", "ban", "ban_cwtm", "ban_ensemble", "rco", "ensemble_kd",
    "model_compression", "generalised_distillation",
]  # fmt: skip


def softmax(z, t=1.0):
    e = ((z - z.amax(1, keepdim=True)) / t).exp()
    return e / e.sum(1, keepdim=True)


def ce(s, q):
    """Mean over the images of the cross-entropy with the target probabilities `q`."""
    return -(q * softmax(s).log()).sum() / len(s)


def kl(teacher, s, t):
    p, q = softmax(teacher, t), softmax(s, t)
    return t * t * (p * (p.log() - q.log())).sum() / len(s)


def onehot(y, true=1.0, wrong=0.0):
    q = torch.full((len(y), 3), wrong)
    q[torch.arange(len(y)), y] = true
    return q


def kd(teacher, s, y, t=4.0):
    return 0.1 * ce(s, onehot(y)) + 0.9 * kl(teacher, s, t)


def dkd(teacher, s, y, epoch):
    """One image after the other, the other classes listed by hand; α 1, β 8, T 4, 20 epochs of warm-up."""
    total = 0.0
    for p, q, label in zip(softmax(teacher, 4.0), softmax(s, 4.0), y.tolist(), strict=True):
        rest = [c for c in range(3) if c != label]
        target = p[label] * (p[label] / q[label]).log()
        target = target + p[rest].sum() * (p[rest].sum() / q[rest].sum()).log()
        p, q = p[rest] / p[rest].sum(), q[rest] / q[rest].sum()
        total = total + 16 * (target + 8 * (p * (p / q).log()).sum())
    return ce(s, onehot(y)) + epoch / 20 * total / len(y)


def losses(net, foreground):
    """By recipe: (student's logits, images, labels, epoch, indices) -> loss. `net(name, epoch)`: a trained network."""
    teacher, by_epoch = net("teacher"), {k: net("teacher", k) for k in range(1, EPOCHS + 1)}

    def of(name):
        return net(f"student-{name}")

    def mean(x, name):
        return (teacher(x) + of(f"{name}.member_1")(x) + of(f"{name}.member_2")(x)) / 3

    def confident(s, x, y):
        weight = softmax(teacher(x)).amax(1)
        return -(weight * softmax(s).log()[torch.arange(len(y)), y]).sum() / weight.sum()

    def generations(s, x):
        q = (softmax(of("ban_ensemble.generation_1")(x)) + softmax(of("ban_ensemble.generation_2")(x))) / 2
        return (q * (q.log() - softmax(s).log())).sum() / len(s)

    def virtual(s, y):
        q = softmax(onehot(y, 0.99, 0.005), 20.0)
        return 0.9 * ce(s, onehot(y)) + 0.1 * (q * (q.log() - softmax(s).log())).sum() / len(y)

    def privileged(s, x, y, rows):
        seen = softmax(of("generalised_distillation.privileged")(x * foreground[rows][:, None]))
        return 0.5 * ce(s, onehot(y)) + 0.5 * ce(s, seen)

    return {
        "kd": lambda s, x, y, e, i: kd(teacher(x), s, y),
        "kd_mean": lambda s, x, y, e, i: 0.1 * ce(s, onehot(y)) + 0.9 * kl(teacher(x), s, 20.0) / 3,
        "logit_regression": lambda s, x, y, e, i: (s - teacher(x)).square().sum() / 2 / len(y),
        "label_smoothing": lambda s, x, y, e, i: ce(s, onehot(y, 0.9 + 0.1 / 3, 0.1 / 3)),
        "label_smoothing_tfkd": lambda s, x, y, e, i: ce(s, onehot(y, 0.9, 0.05)),
        "tf_kd_virtual": lambda s, x, y, e, i: virtual(s, y),
        "tf_kd_self": lambda s, x, y, e, i: 0.05 * ce(s, onehot(y)) + 0.475 * kl(net("baseline")(x), s, 6.0),
        "dkd": lambda s, x, y, e, i: dkd(teacher(x), s, y, e),
        "early_stopped_teacher": lambda s, x, y, e, i: kd(by_epoch[1](x), s, y),  # 1.25 of 5 epochs
        "early_stopped_kd": lambda s, x, y, e, i: kd(teacher(x), s, y) if e <= 3 else ce(s, onehot(y)),
        "takd": lambda s, x, y, e, i: kd(of("takd.assistant")(x), s, y),
        "ban": lambda s, x, y, e, i: kl(of("ban.generation_2")(x), s, 1.0),
        "ban_cwtm": lambda s, x, y, e, i: confident(s, x, y),
        "ban_ensemble": lambda s, x, y, e, i: generations(s, x),
        "rco": lambda s, x, y, e, i: kd(by_epoch[(1, 2, 4, 5, 5)[e - 1]](x), s, y),
        "ensemble_kd": lambda s, x, y, e, i: 0.5 * ce(s, onehot(y)) + kl(mean(x, "ensemble_kd"), s, 2.0),
        "model_compression": lambda s, x, y, e, i: (
            (s - mean(x, "model_compression")).square().sum() / 2 / len(y)
        ),
        "generalised_distillation": lambda s, x, y, e, i: privileged(s, x, y, i),
        "takd.assistant": lambda s, x, y, e, i: kd(teacher(x), s, y),
        "ban.generation_1": lambda s, x, y, e, i: kl(teacher(x), s, 1.0),
        "ban.generation_2": lambda s, x, y, e, i: kl(of("ban.generation_1")(x), s, 1.0),
    }


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("loops")
    (folder / "net.py").write_text(NETWORK)
    settings = TrainingSettings(
        epochs=EPOCHS, batch_size=5, device="cpu", optimiser="sgd", learning_rate=0.02, schedule="one_cycle"
    )
    config = changed(
        data={"classes": ["0", "1", "4"], "images_per_class": 7},
        model=f"{folder}/net.py:net",
        model_options={"width": 6},
        teacher={"epochs": EPOCHS, "model_options": {"width": 9}},
        students=RECIPES,
        training=settings,
        measure={"layer": "1"},
    )
    with pytest.MonkeyPatch.context() as patch:
        trained_only(patch)
        quietly(config, folder / "out")
    return config, folder


@pytest.mark.parametrize("name", [*RECIPES, "takd.assistant", "ban.generation_1", "ban.generation_2"])
def test_the_weights_of_a_recipe_are_those_of_a_plain_loop(name, trained):
    config, folder = trained
    data = load_material(config).train

    def net(of, epoch=EPOCHS):
        store = SnapshotStore(folder / "out" / "networks" / of / "snapshots")
        weights = store.load(next(s for s in store.list() if s.epoch == epoch))
        width = len(weights["1.bias"])
        pixels = weights["1.weight"].shape[1]
        layers = (
            torch.nn.Linear(pixels, width),
            torch.nn.BatchNorm1d(width),
            torch.nn.ReLU(),
            torch.nn.Linear(width, 3),
        )
        model = torch.nn.Sequential(torch.nn.Flatten(), *layers)
        model.load_state_dict(weights)
        return model.eval().requires_grad_(False)

    loss = losses(net, data.foregrounds)[name]
    student = net(f"student-{name}", 0).train().requires_grad_(True)
    batches = Batches(data.images, data.labels, 5, seed=config.seed)
    optimiser = torch.optim.SGD(student.parameters(), lr=0.02, momentum=0.9, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, max_lr=0.02, total_steps=4 * EPOCHS)
    for epoch in range(1, EPOCHS + 1):
        batches.set_epoch(epoch - 1)
        for rows, _ in batches.chosen():
            optimiser.zero_grad()
            loss(student(data.images[rows]), data.images[rows], data.labels[rows], epoch, rows).backward()
            optimiser.step()
            schedule.step()
    ended, start = net(f"student-{name}"), net(f"student-{name}", 0)
    for key, value in ended.state_dict().items():
        torch.testing.assert_close(student.state_dict()[key], value, rtol=1e-4, atol=2e-5)
    assert (ended[1].weight - start[1].weight).abs().max() > 1e-2
