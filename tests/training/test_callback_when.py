"""When WeightSnapshots writes."""

import pytest
from training.users import Users, fit, places

from kdprobe.errors import ConfigError
from kdprobe.storage import SnapshotStore
from kdprobe.training import WeightSnapshots
from kdprobe.training.when import PRESETS, When


@pytest.mark.parametrize(
    ("when", "kept"),
    [
        ({}, [(0, 0), (1, 4), (2, 8), (3, 12), (4, 16), (5, 20)]),
        ({"every_n_epochs": 2}, [(0, 0), (2, 8), (4, 16), (5, 20)]),
        ({"every_n_epochs": 7}, [(0, 0), (5, 20)]),
        ({"every_n_epochs": None}, [(0, 0), (5, 20)]),
        ({"epochs": [1, 3, 99]}, [(0, 0), (1, 4), (3, 12), (5, 20)]),
        ({"epochs": ()}, [(0, 0), (5, 20)]),
        ({"epochs": "released"}, [(0, 0), (2, 8), (5, 20)]),
        (
            {"epochs": [2], "every_n_steps": 6},
            [(0, 0), (1, 6, "partial"), (2, 8), (3, 12), (4, 18, "partial"), (5, 20)],
        ),
        (
            {"every_n_steps": 4, "every_n_epochs": None},
            [(0, 0), (1, 4), (2, 8), (3, 12), (4, 16), (5, 20)],
        ),
    ],
)
def test_the_first_state_the_last_and_what_was_asked_for(tmp_path, when, kept):
    fit(Users(), [WeightSnapshots(tmp_path, **when)], max_epochs=5)
    assert places(tmp_path) == kept


def test_the_epochs_are_counted_over_all_stages(tmp_path):
    module = Users()
    fit(module, [WeightSnapshots(tmp_path, every_n_epochs=4)], max_epochs=3)
    second = WeightSnapshots(tmp_path, 1, 3, first_step=12, every_n_epochs=4, every_n_steps=22)
    fit(module, [second], max_epochs=3)
    assert places(tmp_path) == [(0, 0), (3, 12), (4, 16), (5, 22, "partial"), (6, 24)]


def test_steps_are_those_of_the_optimiser_and_none_is_passed_over(tmp_path):
    """Two batches to a step: the multiples of 3 are reached in the middle of epochs and at the end of one."""
    fit(Users(), [WeightSnapshots(tmp_path, every_n_steps=3)], accumulate_grad_batches=2)
    assert places(tmp_path) == [(0, 0), (1, 2), (1, 3, "partial"), (2, 4), (3, 6)]


def test_at_step_sees_a_multiple_that_a_jump_passes_over():
    when = When.of(every_n_steps=10)
    assert [when.at_step(a, b) for a, b in [(0, 9), (9, 10), (10, 11), (8, 12), (10, 10)]] == [
        False,
        True,
        False,
        True,
        False,
    ]


def test_the_released_epochs_are_those_that_its_code_measures():
    assert len(PRESETS["released"]) == 22 and PRESETS["released"][14] == 150
    assert sorted(set(PRESETS["released"])) == list(PRESETS["released"])


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"every_n_epochs": 0}, "every_n_epochs must be a whole number from 1 on, or None, got 0"),
        ({"every_n_epochs": True}, "every_n_epochs must be a whole number from 1 on, or None, got True"),
        ({"every_n_steps": -2}, "every_n_steps must be a whole number from 1 on, or None, got -2"),
        ({"every_n_steps": 1.5}, "every_n_steps must be a whole number from 1 on, or None, got 1.5"),
        ({"epochs": "weekly"}, "epochs must be a list of numbers or one of released, got 'weekly'"),
        ({"epochs": [1, -1]}, "epochs must be whole numbers from 0 on, got -1 among them"),
        ({"epochs": 3}, "epochs must be a list of whole numbers from 0 on, got 3"),
        ({"epochs": [1], "every_n_epochs": 2}, "epochs takes the place of every_n_epochs"),
        ({"weights": "ema"}, "weights must be one of raw, averaged, got 'ema'"),
        ({"on_error": "ignore"}, "on_error must be one of warn, raise, got 'ignore'"),
        ({"log_path": "a.jsonl"}, "log_path is where path_length goes; give path_length too"),
        ({"path_length": []}, r"path_length must be a layer, or a list of different parameters; got \[\]"),
    ],
)
def test_what_cannot_be_meant_is_refused(tmp_path, wrong, sentence):
    with pytest.raises(ConfigError, match=sentence):
        WeightSnapshots(tmp_path, **wrong)


def test_patterns_are_the_stores(tmp_path):
    fit(Users(), [WeightSnapshots(SnapshotStore(tmp_path, include="0.*"), module="net.model")])
    store = SnapshotStore(tmp_path)
    assert [list(store.load(s)) for s in store.list()] == [["0.weight", "0.bias"]] * 4
