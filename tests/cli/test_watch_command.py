"""`kdprobe watch` from the command line."""

import pytest
from live.logs import experiment

from kdprobe.cli import main


def test_it_shows_what_is_there(tmp_path, capsys):
    assert main(["watch", str(experiment(tmp_path, teacher=2)), "--once"]) == 0
    assert "N_fg 4.0 [3.0, 5.0] n 8" in capsys.readouterr().out


def test_it_ends_by_itself_and_ctrl_c_leaves_quietly(tmp_path, capsys, monkeypatch):
    def pressed(_):
        raise KeyboardInterrupt

    monkeypatch.setattr("time.sleep", pressed)
    assert main(["watch", str(tmp_path / "later"), "--every", "0.5"]) == 0
    said = capsys.readouterr()
    assert said.out.startswith("nothing trained yet, waiting") and said.err == ""


@pytest.mark.parametrize("arguments", [["--once"], ["--every", "-1"]])
def test_what_cannot_be_done_is_one_sentence(tmp_path, capsys, arguments):
    assert main(["watch", str(tmp_path / "missing"), *arguments]) == 2
    assert capsys.readouterr().err.count("\n") == 1
