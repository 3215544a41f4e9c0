"""JSON files and logs: exact, deterministic, and honest about damage."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from kdprobe.errors import InputError, SnapshotCorruptError, SnapshotError
from kdprobe.records import Outcome
from kdprobe.storage import append_jsonl, read_json, read_jsonl, write_atomically, write_json

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=100, deadline=None)
@given(values=st.dictionaries(st.text(), VALUES, max_size=4))
def test_json_comes_back_exactly(tmp_path_factory, values):
    path = tmp_path_factory.getbasetemp() / "any.json"
    write_json(path, values)
    back = read_json(path)
    assert back == values and repr(_sorted(back)) == repr(_sorted(values))  # True is not 1, -0.0 is not 0.0


def _sorted(value):
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value)}
    return [_sorted(each) for each in value] if isinstance(value, list) else value


def test_json_of_what_the_field_uses(tmp_path):
    values = {
        "b": {3: 0.1 + 0.2, 1: math.nan},
        "a": [math.inf, np.float32(0.5), np.int64(3), np.bool_(True)],
        "c": torch.tensor([[1.0, math.nan]]),
        "d": (Outcome.OK, Path("x/y")),
        "e": np.arange(2),
    }
    write_json(tmp_path / "new" / "run.json", values)
    assert read_json(tmp_path / "new" / "run.json") == {
        "a": [None, 0.5, 3, True],
        "b": {"3": 0.30000000000000004, "1": None},
        "c": [[1.0, None]],
        "d": ["ok", "x/y"],
        "e": [0, 1],
    }
    text = (tmp_path / "new" / "run.json").read_text()
    assert text.index('"a"') < text.index('"b"') < text.index('"c"') and text.endswith("}\n")
    write_json(tmp_path / "other.json", dict(reversed(values.items())))
    assert (tmp_path / "other.json").read_text() == text


def test_json_refuses_what_it_does_not_know(tmp_path):
    for values, says in (
        ({"a": [1, {"b": object()}]}, r"the dict\.a\[1\]\.b .*object"),
        ({"a": {1, 2}}, "set"),
        ({1.5: 0}, "keys"),
        ({1: 0, "1": 2}, "keys"),
        ([1], "Expected a dict"),
    ):
        with pytest.raises(InputError, match=says):
            write_json(tmp_path / "x.json", values)
        with pytest.raises(InputError, match=says):
            append_jsonl(tmp_path / "x.jsonl", values)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "text", [b"", b"[1]", b'{"a": ', b"\xff{}", b"\0\0\0", b"[" * 100_000, b'{"a": 1} x']
)
def test_damaged_json_is_named(tmp_path, text):
    (tmp_path / "run.json").write_bytes(text)
    with pytest.raises(SnapshotCorruptError, match=r"run\.json is damaged"):
        read_json(tmp_path / "run.json")


def test_a_missing_file_is_named(tmp_path):
    for read in (read_json, read_jsonl):
        with pytest.raises(SnapshotError, match=r"none: No such file"):
            read(tmp_path / "none")


def test_a_torn_last_line_is_reported_and_mended(tmp_path):
    path = tmp_path / "log" / "metrics.jsonl"
    for step in range(3):
        append_jsonl(path, {"step": step, "loss": math.nan})
    whole = path.read_bytes()
    start = whole.rindex(b"\n", 0, -1) + 1
    for cut in range(start + 1, len(whole) - 1):
        path.write_bytes(whole[:cut])
        with pytest.warns(UserWarning, match="torn"):
            lines = read_jsonl(path)
        assert [line["step"] for line in lines] == [0, 1] and "torn" in lines.skipped[0]
        append_jsonl(path, {"step": 9})
        assert [line["step"] for line in read_jsonl(path)] == [0, 1, 9]


def test_a_last_line_that_only_lacks_its_newline_is_kept(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(b'{"step": 0}\n{"step": 1}')
    assert [line["step"] for line in read_jsonl(path)] == [0, 1]
    append_jsonl(path, {"step": 2})
    assert path.read_bytes() == b'{"step": 0}\n{"step": 1}\n{"step": 2}\n'


def test_a_long_torn_line_and_zeros_are_cut_off(tmp_path):
    path = tmp_path / "metrics.jsonl"
    for rest in (b'{"x": "' + b"y" * 20_000, bytes(9000), b"\n"[:0]):
        path.write_bytes(b'{"step": 0}\n' + rest)
        append_jsonl(path, {"step": 1})
        assert path.read_bytes() == b'{"step": 0}\n{"step": 1}\n'
    path.write_bytes(bytes(9000))
    append_jsonl(path, {"step": 1})
    assert path.read_bytes() == b'{"step": 1}\n'


def test_a_last_line_with_holes_is_torn_although_it_ends(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(b'{"step": 0}\n\0\0\0\0\0\0: 1}\n')  # the disk got only the second part
    with pytest.warns(UserWarning, match="torn"):
        assert read_jsonl(path) == [{"step": 0}]
    append_jsonl(path, {"step": 1})
    assert path.read_bytes() == b'{"step": 0}\n{"step": 1}\n'
    path.write_bytes(b'{"step": 0}\n{"st: 1}\n')
    with pytest.raises(SnapshotCorruptError, match="line 2"):
        read_jsonl(path)


def test_a_damaged_line_inside_is_an_error(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(b'{"step": 0}\n{"step\n{"step": 2}\n')
    with pytest.raises(SnapshotCorruptError, match="line 2"):
        read_jsonl(path)


def test_a_line_is_one_line(tmp_path):
    append_jsonl(tmp_path / "m.jsonl", {"text": "a\nb\u2028c", "deep": {"b": 1, "a": 0.1}})
    data = (tmp_path / "m.jsonl").read_bytes()
    assert data.count(b"\n") == 1 and json.loads(data) == {"text": "a\nb\u2028c", "deep": {"b": 1, "a": 0.1}}


def test_write_atomically_replaces_whole_files(tmp_path):
    path = tmp_path / "a" / "b" / "data.bin"
    for data in (b"first", bytearray(b"second, longer"), memoryview(b""), b"x"):
        write_atomically(path, data)
        assert path.read_bytes() == bytes(data)
    assert [each.name for each in path.parent.iterdir()] == ["data.bin"]
    with pytest.raises(SnapshotError, match=r"data\.bin/inside: .*data\.bin is a file, not a folder"):
        write_atomically(path / "inside", b"")
