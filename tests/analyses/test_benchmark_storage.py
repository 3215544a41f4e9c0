"""The benchmark of storage: every method is timed on the same state, and nothing is left over."""

import time

import pytest
import torch

from analyses import benchmark_storage


def test_every_method_has_its_rates_and_leaves_no_file(tmp_path, monkeypatch):
    monkeypatch.setitem(benchmark_storage.NETWORKS, "tiny", lambda weights: torch.nn.Linear(100, 50))
    rows = benchmark_storage.benchmark("tiny", tmp_path, repeats=2)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    methods = [row["method"] for row in rows]
    assert len(set(methods)) == len(methods) and {"kdprobe", "torch.save + fsync", "safetensors"} <= set(
        methods
    )
    size = 4 * (100 * 50 + 50) / 1e6
    for row in rows:
        assert row["tensors_mb"] == pytest.approx(size)
        assert 0 < row["write_lowest"] <= row["write_mb_s"] <= row["write_highest"]
        if row["method"] != "sha256":
            assert 0 < row["read_lowest"] <= row["read_mb_s"] <= row["read_highest"]
            assert size <= row["file_mb"] < size + 0.01


def test_a_timed_store_notes_every_save():
    class Slow:
        def save(self, seconds):
            time.sleep(seconds)
            return "saved"

    times = []
    assert benchmark_storage.timed(Slow, times)().save(0.02) == "saved"
    assert len(times) == 1 and times[0] >= 0.02


def test_the_load_is_the_one_at_the_start(tmp_path, monkeypatch):
    monkeypatch.setitem(benchmark_storage.NETWORKS, "tiny", lambda weights: torch.nn.Linear(3, 2))
    begun = []

    def started():
        begun.append(any(tmp_path.iterdir()))
        return {"load": 0.25, "machine": "one"}

    write = benchmark_storage.Methods.write

    def write_seen(self):
        assert begun == [False]
        return write(self)

    monkeypatch.setattr(benchmark_storage, "surroundings", started)
    monkeypatch.setattr(benchmark_storage.Methods, "write", write_seen)
    rows = benchmark_storage.benchmark("tiny", tmp_path, repeats=1)
    assert begun == [False] and all(row["load"] == 0.25 for row in rows)


def test_the_shares_are_of_the_epochs_alone():
    shares = benchmark_storage.shares([4.0, 1.0, 1.0], [0.5, 0.5], seconds=14.0)
    assert shares == {"epoch_seconds": 5.0, "snapshot_share": 0.2, "resume_share": 0.1}
