"""The benchmark of the live probe: what it counts, and what its table says of the default."""

import csv
from pathlib import Path

import torch

from analyses.benchmark_live_probe import CANDIDATES, Candidate, Maps
from kdprobe.live import LIVE_IMAGES, LIVE_SOLVER

TABLE = Path(__file__).parents[2] / "analyses" / "results" / "benchmark_live_probe.csv"


def test_maps_are_counted_over_their_first_images():
    """Two snapshots of three images of 2 x 2 cells; background at 0, one concept on the foreground of each."""
    entropy = torch.zeros(2, 3, 2, 2, dtype=torch.float64)
    entropy[:, :, 0, 0] = -1.0
    entropy[1, 0, 1, 1] = -1.0  # one beside it
    foreground = torch.zeros(2, 2, 2, dtype=torch.bool)
    foreground[:, 0, 0] = True
    concepts, inside, outside = Maps(entropy, 1.0).counted(foreground)
    assert concepts.shape == (2, 2, 2, 2)
    assert inside.tolist() == [1.0, 1.0]
    assert outside.tolist() == [0.0, 0.5]


def test_the_table_is_of_the_default_and_keeps_within_a_tenth_of_an_epoch():
    with TABLE.open(newline="") as file:
        rows = {row["budget"]: row for row in csv.DictReader(file)}
    assert set(rows) == {*CANDIDATES, "full again"}
    assert {len(row) for row in rows.values()} == {17}
    assert None not in {value for row in rows.values() for value in row.values()}
    assert CANDIDATES["default"] == Candidate(LIVE_SOLVER, LIVE_IMAGES)
    assert int(rows["default"]["images"]) == LIVE_IMAGES
    assert float(rows["default"]["share"]) <= 0.1
    assert rows["default"]["machine"]
    assert float(rows["default"]["load"]) > 0
