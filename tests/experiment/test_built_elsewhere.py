"""A teacher that was trained elsewhere teaches as the network that it was, or not at all."""

import json

import pytest
import torch
from experiment.quick import changed, quietly

from kdprobe.errors import ConfigError
from kdprobe.storage import SnapshotStore

pytestmark = pytest.mark.usefixtures("runs_trained_only")
NETWORK = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self, classes, values):
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(values, 5), nn.Linear(5, classes)

    def forward(self, images):
        return self.fc2(torch.relu(self.fc1(images.flatten(1))))

def net(num_classes, image_shape):
    return Net(num_classes, image_shape[0] * image_shape[1] * image_shape[2])
"""


@pytest.fixture
def bank(tmp_path):
    """A teacher of the user's own architecture in one experiment; its weights also in teacher.pt."""
    (tmp_path / "net.py").write_text(NETWORK)
    quietly(changed(students=[], teacher={"model": f"{tmp_path}/net.py:net"}), tmp_path / "bank")
    store = SnapshotStore(tmp_path / "bank" / "networks" / "teacher" / "snapshots")
    torch.save(dict(store.load(store.list()[-1])), tmp_path / "teacher.pt")
    return tmp_path


def learning_from(folder, source):
    content = {"title": "own", "stages": [{"name": "only", "objective": ["kd"], "teacher": source}]}
    (folder / "own.yaml").write_text(json.dumps(content))
    return [str(folder / "own.yaml")]


@pytest.mark.parametrize("finished", [False, True])
def test_if_the_file_that_built_it_has_changed_it_is_refused(bank, finished):
    config = changed(students=learning_from(bank, "bank/networks/teacher"))
    if finished:
        quietly(config, bank / "out")
    (bank / "net.py").write_text(NETWORK.replace("relu", "tanh"))
    with pytest.raises(
        ConfigError, match=r"student-own: .*networks/teacher cannot teach it, .*net\.py, which has changed"
    ):
        quietly(config, bank / "out")


def test_weights_alone_teach_in_another_architecture_what_they_did_not_teach_before(bank):
    config = changed(students=learning_from(bank, "teacher.pt"), teacher={"model": f"{bank}/net.py:net"})
    quietly(config, bank / "out")
    (bank / "tanh.py").write_text(NETWORK.replace("relu", "tanh"))
    other = changed(config, teacher={"model": f"{bank}/tanh.py:net"})
    (bank / "out" / "networks" / "teacher").rename(bank / "another teacher")
    with pytest.raises(ConfigError, match=r"student-own holds a network .* \(teacher_sha256 differ\)"):
        quietly(other, bank / "out")
