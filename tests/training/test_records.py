"""What a training says of itself: accuracy, loss, log lines, progress, and nothing more."""

import logging
import sys

import pytest
import torch
from torch import nn

from kdprobe.recipes import load_recipe
from kdprobe.storage import read_jsonl
from kdprobe.training import evaluate_accuracy


def test_accuracy_is_counted_by_a_plain_loop(net, test_data):
    model = net(seed=0)
    right = 0
    model.eval()
    for i in range(len(test_data)):
        right += int(model(test_data.images[i : i + 1])[0].argmax()) == int(test_data.labels[i])
    model.train()
    assert evaluate_accuracy(model, test_data, batch_size=7) == right / 30
    assert all(module.training for module in model.modules())


def test_the_result_and_the_log_agree(net, train, tmp_path):
    log = tmp_path / "metrics.jsonl"
    model = net(seed=0)
    result = train(model, "feature", teacher=net(seed=9), log_path=log)
    lines = read_jsonl(log)
    numbers = [(line["epoch"], line["stage"], line["step"]) for line in lines]
    assert numbers == [
        (0, 0, 0),
        (1, 0, 3),
        (2, 0, 6),
        (3, 1, 9),
    ]
    assert {line["epoch"]: line["accuracy"] for line in lines} == result.accuracy_by_epoch
    assert {line["epoch"]: line["loss"] for line in lines[1:]} == result.loss_by_epoch
    assert lines[0]["loss"] is None and all(line["seconds"] > 0 for line in lines)
    assert all(set(line) == {"epoch", "stage", "step", "loss", "accuracy", "seconds"} for line in lines)
    assert result.steps == 9 and result.seconds > 0


def test_the_final_accuracy_is_that_of_the_trained_network(net, train, test_data):
    model = net(seed=0)
    result = train(model, "feature", teacher=net(seed=9))
    assert result.accuracy == result.accuracy_by_epoch[3] == evaluate_accuracy(model, test_data)


def test_the_loss_of_an_epoch_is_the_mean_over_its_images(net, train, train_data):
    """With steps too small to change anything: the mean of all losses (batches of 16, 16 and 8)."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(3 * 8 * 8, 3))
    with torch.no_grad():
        expected = nn.functional.cross_entropy(model(train_data.images), train_data.labels)
    result = train(model, settings={"learning_rate": 1e-12, "epochs": 1})
    assert result.loss_by_epoch[1] == pytest.approx(float(expected), rel=1e-6)


def test_without_test_data_there_is_no_accuracy(net, train):
    result = train(net(seed=0), test_data=None)
    assert result.accuracy is None and result.accuracy_by_epoch == {0: None, 1: None, 2: None}


def test_nothing_is_printed_without_progress(net, train, capfd, caplog, recwarn):
    level = logging.getLogger("lightning.pytorch").level
    train(net(seed=0), "feature", teacher=net(seed=9))
    captured = capfd.readouterr()
    assert captured.out == captured.err == ""
    assert [str(warning.message) for warning in recwarn] == [] and caplog.messages == []
    assert logging.getLogger("lightning.pytorch").level == level


def test_progress_shows_the_recipe_and_counts_all_batches(net, train, capfd, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    train(net(seed=0), "feature", teacher=net(seed=9), show_progress=True)
    captured = capfd.readouterr()
    assert captured.out == "" and load_recipe("feature").title in captured.err and "/9" in captured.err


def test_there_is_no_bar_where_nobody_looks(net, train, capfd):
    train(net(seed=0), show_progress=True)
    assert capfd.readouterr().err == ""


def test_nothing_is_left_in_the_working_directory(net, train, tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    train(net(seed=0))
    assert list((tmp_path / "here").iterdir()) == []
