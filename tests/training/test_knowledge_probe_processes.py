"""KnowledgeProbe in a training of two processes."""

import subprocess
import sys

import pytest
import torch
from training.probed import places

SCRIPT = """
import sys
sys.path.insert(0, {tests!r})
import torch
from lightning.pytorch.strategies import DDPStrategy
from training.probed import Pupil, probe, taught

folder, kind = sys.argv[1:]
pupil = Pupil()
callbacks = [probe(f"{{folder}}/log")] if kind == "probed" else []
trainer = taught(callbacks, module=pupil, devices=2, strategy=DDPStrategy(process_group_backend="gloo"))
torch.save((pupil.state_dict(), torch.rand(3)), f"{{folder}}/{{kind}}-{{trainer.global_rank}}.pt")
"""


@pytest.mark.slow  # four processes that import Lightning
def test_the_first_of_two_measures_and_neither_notices(tmp_path):
    script = tmp_path / "train.py"
    script.write_text(SCRIPT.format(tests=str(next(p for p in map(str, sys.path) if p.endswith("tests")))))
    for kind in ("probed", "bare"):
        command = [sys.executable, str(script), str(tmp_path), kind]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
    # 24 images are 2 x 2 batches an epoch, the last ones of 4.
    assert places(tmp_path / "log") == [(0, 0), (1, 2), (2, 4), (3, 6)]
    for rank in (0, 1):
        (probed, drawn), (bare, same) = (
            torch.load(tmp_path / f"{kind}-{rank}.pt") for kind in ("probed", "bare")
        )
        assert torch.equal(drawn, same)
        assert all(torch.equal(probed[name], bare[name]) for name in bare)
