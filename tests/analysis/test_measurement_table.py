"""What a measurement shows of itself in a notebook."""

import statistics

import torch

from kdprobe.analysis import Measurement


def test_its_table_has_means_over_the_cells_of_the_usable_images_epoch_by_epoch():
    """Held against plain loops; the image that is not usable would move every number."""
    generator = torch.Generator().manual_seed(3)
    entropy, error = torch.rand(2, 2, 3, 2, 2, generator=generator, dtype=torch.float64)
    entropy[:, 1], error[:, 1] = 9.0, 9.0
    measured = Measurement(
        entropy=entropy,
        std_error=error,
        usable=torch.tensor([True, False, True]),
        flagged=0,
        outcomes={"ok": 4, "not_finite": 2},
        epochs=(3, 7),
        path=torch.tensor([0.0, 0.25], dtype=torch.float64),
        work={},
    )
    (table,) = measured.tables()
    assert table.title == "Entropy of 3 images, 2 × 2 cells, nats"
    for (epoch, path, *numbers), wanted in zip(
        table.rows, ((0, "3", "0.000"), (1, "7", "0.250")), strict=True
    ):
        place, *said = wanted
        cells, errors = (
            [value for image in (0, 2) for row in maps[place][image].tolist() for value in row]
            for maps in (entropy, error)
        )
        expected = statistics.fmean(cells), statistics.pstdev(cells), statistics.fmean(errors)
        assert [epoch, path] == said and numbers == [f"{number:.3f}" for number in expected]
    assert table.notes[0] == "2 of 3 images usable at every epoch"
    assert table.notes[1] == "how the estimates ended: ok 4, not_finite 2"
