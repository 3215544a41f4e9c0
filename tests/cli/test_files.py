"""The commands on files as a user meets them."""

import importlib
import json
import os
import subprocess
import sys

import pytest
import torch
from storage.runs import damage, files, make_experiment

from kdprobe.cli import main
from kdprobe.networks import build_network
from kdprobe.storage import SnapshotStore

SMALL = {"widths": [4, 6, 8], "fc": 12}


def test_inspect_says_what_is_there_and_1_if_it_is_damaged(capsys, tmp_path):
    run = make_experiment(tmp_path / "run")
    assert main(["inspect", str(run), "--json", str(tmp_path / "list.json")]) == 0
    printed = capsys.readouterr().out
    assert "teacher (finished)" in printed and "baseline (finished)" in printed and "all sound" in printed
    listed = json.loads((tmp_path / "list.json").read_text())
    assert listed["sound"] is True and listed["size"] == sum(map(len, files(run).values()))
    assert [s["epoch"] for network in listed["networks"] for s in network["snapshots"]] == [0, 1, 2] * 2
    path = run / "networks" / "teacher" / "snapshots" / "epoch-00001_step-000000010.h5"
    damage(path)
    assert main(["inspect", str(run), "--json", str(tmp_path / "list.json")]) == 1
    printed = capsys.readouterr().out
    words = " ".join(printed.split())  # where it wraps, the path decides
    assert "DAMAGED" in words and "1 damaged" in words
    assert max(map(len, printed.splitlines()[:-1])) <= 80
    listed = json.loads((tmp_path / "list.json").read_text())
    assert listed["sound"] is False and str(path) in listed["problems"][0]
    assert main(["inspect", str(path)]) == 1
    assert main(["inspect", str(tmp_path)]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_pack_and_unpack(capsys, tmp_path):
    run, packed, again = make_experiment(tmp_path / "run"), str(tmp_path / "run.h5"), tmp_path / "again"
    assert main(["pack", str(run), packed]) == 0
    assert main(["unpack", packed, str(again)]) == 0
    assert files(again) == files(run)
    assert capsys.readouterr().out.splitlines() == [f"18 files in {packed}", f"18 files in {again}"]
    assert main(["pack", str(run), packed]) == 2
    assert "exists already" in capsys.readouterr().err


def test_export_says_what_it_left_out(capsys, tmp_path):
    run = make_experiment(tmp_path / "run")
    assert main(["export", str(run), "--to", "torch", "--out", str(tmp_path / "out")]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert len(printed) == 6 and all(torch.load(path, weights_only=True) for path in printed)
    damage(run / "networks" / "teacher" / "snapshots" / "epoch-00001_step-000000010.h5")
    assert main(["export", str(run), "--to", "torch"]) == 1
    assert "left out: " in capsys.readouterr().out


def test_checkpoints_are_imported_and_measured(capsys, tmp_path):
    torch.manual_seed(0)
    model = build_network("vgg_small", num_classes=2, image_shape=(3, 32, 32), **SMALL)
    optimiser, paths, states = torch.optim.SGD(model.parameters(), lr=0.01), [], []
    for epoch in range(4):
        path = tmp_path / f"checkpoint_{epoch}.pt"
        torch.save({"state_dict": {f"module.{k}": v for k, v in model.state_dict().items()}}, path)
        paths.append(str(path))
        states.append({name: value.clone() for name, value in model.state_dict().items()})
        loss = torch.nn.functional.cross_entropy(model(torch.randn(8, 3, 32, 32)), torch.arange(8) % 2)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    run = tmp_path / "mine"
    assert main(["import", *paths, str(run)]) == 2
    captured = capsys.readouterr()
    assert "--epochs" in captured.err and captured.err.count("\n") == 1 and not run.exists()
    assert main(["import", *paths, str(run), "--epochs", "0", "1", "2", "3"]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert (
        len(printed) == 4 and printed[3].startswith("epoch-00003_step-000000000") and paths[3] in printed[3]
    )
    store = SnapshotStore(run / "snapshots")
    for snapshot, state in zip(store.list(), states, strict=True):
        loaded = store.load(snapshot)
        assert list(loaded) == list(state) and all(torch.equal(loaded[name], state[name]) for name in state)
    config = tmp_path / "mine.yaml"
    config.write_text(
        "data: {images_per_class: 8, classes: ['0', '1']}\n"
        f"model_options: {json.dumps(SMALL)}\n"
        "training: {device: cpu}\n"
        "measure: {images: 4, foreground_share: [0.01, 0.9], redraws: 5, resamples: 100}\n"
    )
    assert main(["measure", "--config", str(config), str(run)]) == 0
    assert "mine" in capsys.readouterr().out
    assert main(["inspect", str(run)]) == 0
    assert "fc1" in capsys.readouterr().out


@pytest.mark.parametrize("command", ["inspect", "pack", "unpack", "export", "import"])
def test_help_of_each_command(capsys, command):
    with pytest.raises(SystemExit) as end:
        main([command, "--help"])
    assert end.value.code == 0
    assert "usage" in capsys.readouterr().out


def test_a_home_that_does_not_exist_is_one_sentence(capsys, tmp_path):
    assert main(["import", "~no-such-user/a.pt", str(tmp_path / "run")]) == 2
    captured = capsys.readouterr()
    assert "~no-such-user" in captured.err and captured.err.count("\n") == 1
    assert not (tmp_path / "run").exists()


def test_a_name_that_the_terminal_cannot_show_does_not_end_a_command(tmp_path):
    run = make_experiment(tmp_path / "run")
    out = os.fsencode(tmp_path) + b"/\xff.h5"
    done = subprocess.run(
        [sys.executable, "-m", "kdprobe", "pack", run, out],
        env={**os.environ, "PYTHONIOENCODING": "utf-8:strict"},
        capture_output=True,
    )
    assert done.returncode == 0 and done.stderr == b""
    assert os.path.exists(out) and b"18 files in" in done.stdout and b"\\udcff.h5" in done.stdout


@pytest.mark.parametrize(
    ("command", "says"),
    [("run", "goes on where it stopped"), ("pack", "give the same command again")],
)
def test_an_interrupt_says_what_becomes_of_the_work(capsys, monkeypatch, command, says):
    module = importlib.import_module("kdprobe.cli.main")

    class Interrupted:
        def parse_args(self, _):
            raise KeyboardInterrupt

    monkeypatch.setattr(module, "make_parser", Interrupted)
    assert main([command]) == 130
    assert says in capsys.readouterr().err
