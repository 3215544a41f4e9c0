"""A network and a data set small enough that a whole training takes a fraction of a second."""

from collections import OrderedDict

import pytest
import torch
from torch import nn

from kdprobe.data import LabelledImages
from kdprobe.recipes import Recipe, Stage, Term, load_recipe
from kdprobe.storage import SnapshotStore
from kdprobe.training import TrainingResult, TrainingSettings, train_network

CLASSES = 3


class TinyNet(nn.Module):
    """Convolution, BatchNorm, dropout, two linear layers with a BatchNorm and dropout between them."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.features = nn.Sequential(
                OrderedDict(
                    conv=nn.Conv2d(3, 4, 3, stride=2, padding=1),
                    norm=nn.BatchNorm2d(4),
                    relu=nn.ReLU(inplace=True),
                    drop=nn.Dropout(0.2),
                )
            )
            self.head = nn.Sequential(
                OrderedDict(
                    flatten=nn.Flatten(),
                    fc1=nn.Linear(4 * 4 * 4, 6),
                    norm=nn.BatchNorm1d(6),
                    relu=nn.ReLU(inplace=True),
                    drop=nn.Dropout(0.2),
                    fc3=nn.Linear(6, CLASSES),
                )
            )
        self.taps = {"conv": "features.norm", "fc1": "head.fc1", "fc3": "head.fc3"}

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.head(self.features(images))


def tiny_images(count: int, seed: int) -> LabelledImages:
    """Images whose class is their brightest colour."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % CLASSES
    images = 0.5 * torch.rand(count, 3, 8, 8, generator=generator)
    images[torch.arange(count), labels] += 0.3
    return LabelledImages(
        name="colours",
        images=images,
        labels=labels,
        ids=[f"{seed}-{i}" for i in range(count)],
        classes=[f"colour {c}" for c in range(CLASSES)],
    )


@pytest.fixture(scope="session")
def train_data() -> LabelledImages:
    return tiny_images(40, seed=1)


@pytest.fixture(scope="session")
def test_data() -> LabelledImages:
    return tiny_images(30, seed=2)


@pytest.fixture
def net():
    """A function seed -> TinyNet."""
    return TinyNet


@pytest.fixture
def train(train_data, test_data, tmp_path):
    """A function that trains a TinyNet in few, short epochs: train(model, "kd", teacher=...)."""
    calls = iter(range(100))

    def run(
        model: nn.Module, recipe: str | Recipe = "baseline", *, seed: int = 5, **changes
    ) -> TrainingResult:
        small = {
            "epochs": 2,
            "classifier_epochs": 1,
            "batch_size": 16,
            "learning_rate": 1e-2,
            "device": "cpu",
        }
        settings = small | changes.pop("settings", {})
        given = {
            "train_data": train_data,
            "test_data": test_data,
            "settings": TrainingSettings(**settings),
            "layer": "fc1",
            "store": SnapshotStore(tmp_path / f"snapshots-{next(calls)}"),
        } | changes
        chosen = load_recipe(recipe) if isinstance(recipe, str) else recipe
        return train_network(model, chosen, seed=seed, **given)

    return run


@pytest.fixture
def method():
    """A function that makes a recipe of one stage from its terms (names or Terms) and what else the stage says."""

    def make(*terms: str | Term, **stage) -> Recipe:
        objective = tuple(Term(term) if isinstance(term, str) else term for term in terms)
        only = Stage("only", objective, analysed=True, **stage)
        return Recipe("own", title="A user's own", paper="", stages=(only,))

    return make


@pytest.fixture
def same():
    """A function that says whether two state dicts are bitwise equal (names, types and values)."""

    def compare(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
        return list(a) == list(b) and all(a[n].dtype == b[n].dtype and torch.equal(a[n], b[n]) for n in a)

    return compare


@pytest.fixture
def state():
    """A function that copies the state dict of a module."""

    def copy(model: nn.Module) -> dict[str, torch.Tensor]:
        return {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}

    return copy
