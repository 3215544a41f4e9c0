"""The way of the weights step by step, as `WeightSnapshots` writes it and the measurement reads it."""

import pytest

from kdprobe.analysis import PATH_FILE, step_path
from kdprobe.errors import SnapshotError
from kdprobe.storage import append_jsonl

NAMES = ("fc1.weight",)


def written(folder, lengths, names=NAMES):
    for epoch, length in lengths:
        line = {"epoch": epoch, "stage": 0, "step": 7 * epoch, "path_length": length, "parameters": [*names]}
        append_jsonl(folder / PATH_FILE, line)
    return folder


def test_the_kept_epochs_are_read_and_the_start_is_0(tmp_path):
    written(tmp_path, [(1, 0.5), (2, 0.75), (3, 1.0), (4, 1.5)])
    assert step_path(tmp_path, NAMES, 0, [0, 2, 4]).tolist() == [0, 0.75, 1.5]
    assert step_path(tmp_path, NAMES, 0, [3]).tolist() == [1.0]


def test_a_later_stage_begins_at_0_and_has_its_own_lines(tmp_path):
    written(tmp_path, [(1, 0.5), (2, 0.75), (3, 0.125), (4, 0.25)])
    assert step_path(tmp_path, NAMES, 2, [2, 3, 4]).tolist() == [0, 0.125, 0.25]


def test_of_an_epoch_that_was_trained_again_the_last_line_counts(tmp_path):
    written(tmp_path, [(1, 0.5), (2, 9.0), (2, 0.75)])
    assert step_path(tmp_path, NAMES, 0, [0, 1, 2]).tolist() == [0, 0.5, 0.75]


def test_weights_that_were_loaded_have_no_way(tmp_path):
    assert step_path(tmp_path, NAMES, 0, [0]).tolist() == [0]


@pytest.mark.parametrize(
    ("lengths", "names", "words"),
    [
        ([], NAMES, r"path_length\.jsonl is missing.*training\.path_length true.*measure\.path epochs"),
        ([(1, 0.5), (3, 1.0)], NAMES, "says nothing of epoch 2;"),
        ([(1, 0.5), (2, None), (3, 1.0)], NAMES, "says nothing of epoch 2;"),
        (
            [(k, 0.5) for k in (1, 2, 3)],
            ("fc2.weight",),
            "follows fc2.weight, and measure.weights asks for fc1.weight",
        ),
    ],
)
def test_what_is_missing_or_other_weights_are_one_sentence(tmp_path, lengths, names, words):
    written(tmp_path, lengths, names)
    with pytest.raises(SnapshotError, match=words) as caught:
        step_path(tmp_path, NAMES, 0, [0, 1, 2, 3])
    assert "\n" not in str(caught.value)
