"""The command line as a user meets it."""

import subprocess
import sys
from operator import attrgetter

import pytest

from kdprobe.cli import main

HEAVY = ("torch", "captum", "matplotlib", "lightning", "h5py", "torchvision", "sklearn", "scipy")


def modules_after(code: str) -> set[str]:
    """Which of the heavy packages a fresh interpreter has loaded after `code`."""
    found = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys\nprint('MODULES', *[m for m in {HEAVY} if m in sys.modules])"],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    return set(found.split("MODULES")[1].split())


def test_import_and_help_load_nothing_heavy():
    assert modules_after("import torch") == {"torch"}
    assert modules_after("import kdprobe") == set()
    for arguments in (
        ["--help"],
        ["run", "--help"],
        ["measure", "--help"],
        ["compare", "--help"],
        ["report", "--help"],
        ["methods", "--help"],
        ["inspect", "--help"],
        ["import", "--help"],
    ):
        code = (
            f"from kdprobe.cli import main\ntry:\n    main({arguments})\n"
            "except SystemExit as end:\n    assert not end.code"
        )
        assert modules_after(code) == set(), arguments


def test_all_public_names_exist():
    import kdprobe

    for name in kdprobe.__all__:
        assert getattr(kdprobe, name) is not None
    with pytest.raises(AttributeError, match="nonsense"):
        attrgetter("nonsense")(kdprobe)


def test_a_mistake_is_one_sentence_and_exit_code_2(capsys, tmp_path):
    assert main(["run", "--model", "nothing", "--out", str(tmp_path / "out")]) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith("kdprobe: ")
    assert captured.err.count("\n") == 1
    (tmp_path / "file").write_text("in the way")
    assert main(["run", "--data.images_per_class", "8", "--out", str(tmp_path / "file")]) == 2
    assert "choose another --out" in capsys.readouterr().err
    for setting, value in (
        ("margin", "-1"),
        ("scope", "all"),
        ("cell_rule", "most"),
        ("redraws", "1"),
        ("tolerance", "0"),
        ("internal_batch_size", "many"),
    ):
        assert main(["run", f"--measure.{setting}", value, "--out", str(tmp_path / "out")]) == 2
        assert f"measure.{setting}" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    assert main(["report", str(tmp_path)]) == 2
    assert "config.yaml" in capsys.readouterr().err
    assert main(["measure", str(tmp_path / "nothing")]) == 2
    assert "nothing" in capsys.readouterr().err


def test_run_measure_compare_report(capsys, tmp_path):
    out = tmp_path / "out"
    (tmp_path / "config.yaml").write_text(
        "data: {images_per_class: 8, classes: ['0', '1']}\n"
        "model_options: {widths: [4, 6, 8], fc: 12}\n"
        "teacher: {epochs: 1}\n"
        "training: {epochs: 1, batch_size: 8, device: cpu}\n"
        "measure: {images: 4, foreground_share: [0.01, 0.9], grid: 8, redraws: 5, resamples: 100}\n"
        "report: {images: 1}\n"
    )
    assert (
        main(["run", "--config", str(tmp_path / "config.yaml"), "--out", str(out), "--training.epochs", "2"])
        == 0
    )
    printed = capsys.readouterr().out
    assert "student-kd" in printed
    assert str(out / "report" / "index.html") in printed
    assert len(list((out / "networks" / "baseline" / "snapshots").glob("*.h5"))) == 3

    networks = out / "networks"
    assert (
        main(
            [
                "compare",
                str(networks / "student-kd"),
                str(networks / "baseline"),
                "--json",
                str(tmp_path / "c.json"),
            ]
        )
        == 0
    )
    assert "student-kd - baseline" in capsys.readouterr().out
    assert (tmp_path / "c.json").stat().st_size > 500
    assert main(["measure", str(networks / "baseline"), "--measure.margin", "0.1"]) == 0
    assert "baseline" in capsys.readouterr().out
    assert main(["report", str(out), "--max-images", "1"]) == 0
    assert "This page holds 1 of " in (out / "report" / "index.html").read_text(encoding="utf-8")
    assert "report" in capsys.readouterr().out
