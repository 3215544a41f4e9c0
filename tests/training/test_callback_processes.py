"""WeightSnapshots with compiled modules and with several processes."""

import subprocess
import sys
from types import SimpleNamespace

import lightning.pytorch as L
import pytest
import torch
from lightning.pytorch.strategies import DDPStrategy, FSDPStrategy
from torch import nn
from training.users import Users, fit, places

from kdprobe.errors import ConfigError
from kdprobe.storage import SnapshotStore
from kdprobe.training import WeightSnapshots
from kdprobe.training.processes import check_strategy


def newest(folder) -> dict[str, torch.Tensor]:
    return SnapshotStore(folder).load(SnapshotStore(folder).newest())


@pytest.mark.filterwarnings("ignore:.*torch.jit", "ignore:.*LeafSpec")
@pytest.mark.parametrize("module", [None, "net.model"])
def test_a_compiled_network_keeps_its_own_names(tmp_path, module):
    user = Users()
    names = list((user if module is None else user.net["model"]).state_dict())
    user.net["model"] = torch.compile(user.net["model"], backend="eager")
    callback = WeightSnapshots(tmp_path, module=module, path_length=names[-1].replace("2.bias", "2"))
    fit(user, [callback], max_epochs=2)
    assert callback.path_length_by_epoch[2] > 0
    assert places(tmp_path) == [(0, 0), (1, 4), (2, 8)]
    assert list(newest(tmp_path)) == names


class Compiled(L.LightningModule):
    """Compiled as a whole; without what the compiler cannot see through."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(4, 2)

    def training_step(self, batch, batch_index):
        return nn.functional.cross_entropy(self.fc(batch[0]), batch[1])

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


@pytest.mark.filterwarnings("ignore:.*validation_step")
def test_a_lightning_module_that_is_compiled_as_a_whole_keeps_its_own_names(tmp_path):
    fit(torch.compile(Compiled(), backend="eager"), [WeightSnapshots(tmp_path)], max_epochs=1)
    assert list(newest(tmp_path)) == ["fc.weight", "fc.bias"]


def test_strategies_that_shard_the_weights_are_refused():
    sharded = object.__new__(FSDPStrategy)  # to make a real one takes GPUs
    with pytest.raises(ConfigError, match=r'FSDPStrategy shards the weights.* use strategy="ddp"'):
        check_strategy(sharded)
    with pytest.raises(ConfigError, match="FSDPStrategy"):
        trainer = SimpleNamespace(strategy=sharded, fast_dev_run=False)
        WeightSnapshots("never").on_train_start(trainer, Users())
    check_strategy(DDPStrategy(process_group_backend="gloo"))


SCRIPT = """
import errno, os, sys
sys.path.insert(0, {tests!r})
from lightning.pytorch.strategies import DDPStrategy
from training.users import Users, fit
from kdprobe.errors import SnapshotError
from kdprobe.training import WeightSnapshots

folder, full = sys.argv[1], sys.argv[2]
real = os.replace

def replace(source, target, **options):
    if full and full in str(target):
        raise OSError(errno.ENOSPC, "No space left on device")
    return real(source, target, **options)

os.replace = replace
on_error = "raise" if full else "warn"
callback = WeightSnapshots(folder, every_n_steps=3, path_length="net.model.0", on_error=on_error)
module = Users()
strategy = DDPStrategy(process_group_backend="gloo")
try:
    trainer = fit(module, [callback], devices=2, strategy=strategy, max_epochs=2)
except SnapshotError as error:
    sys.stdout.write(f"rank {{os.environ.get('LOCAL_RANK', '0')}} stopped: {{error}}\\n")  # in one piece
    raise
total = sum(float(v.double().sum()) for v in module.parameters())
path = callback.path_length_by_epoch[2]
sys.stdout.write(f"rank {{trainer.global_rank}} step {{trainer.global_step}} sum {{total}} path {{path}}\\n")
"""


def two_processes(tmp_path, full: str = "") -> subprocess.CompletedProcess:
    script = tmp_path / "train.py"
    script.write_text(SCRIPT.format(tests=str(next(p for p in map(str, sys.path) if p.endswith("tests")))))
    return subprocess.run(
        [sys.executable, str(script), str(tmp_path / "s"), full], capture_output=True, text=True, timeout=300
    )


@pytest.mark.slow
def test_of_two_processes_the_first_writes(tmp_path):
    """32 images are 2 x 2 batches an epoch; both processes end with the weights that are stored."""
    done = two_processes(tmp_path)
    assert done.returncode == 0, done.stderr
    assert places(tmp_path / "s") == [(0, 0), (1, 2), (1, 3, "partial"), (2, 4)]
    last = newest(tmp_path / "s")
    assert list(last) == list(Users().state_dict())
    lines = sorted(line.split() for line in done.stdout.splitlines() if line.startswith("rank"))
    assert [line[1] for line in lines] == ["0", "1"] and all(line[3] == "4" for line in lines)
    parameters = [name for name, _ in Users().named_parameters()]
    total = sum(float(last[name].double().sum()) for name in parameters)
    assert [float(line[5]) for line in lines] == pytest.approx([total, total], rel=1e-12)
    assert lines[0][7] == lines[1][7]


@pytest.mark.slow
def test_if_the_first_cannot_write_and_shall_raise_the_other_does_not_wait_for_ever(tmp_path):
    done = two_processes(tmp_path, full="epoch-00001_step-000000003")
    assert done.returncode != 0
    stopped = sorted(line for line in done.stdout.splitlines() if "No space left on device" in line)
    assert [line[:14] for line in stopped] == ["rank 0 stopped", "rank 1 stopped"]
    assert places(tmp_path / "s") == [(0, 0), (1, 2)]
