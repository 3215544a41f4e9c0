"""Who had shared concepts first: told by the epochs that both networks kept, however many others either has."""

from dataclasses import replace

import pytest
from oracles import knowledge as oracle
from synthetic_units import planted, synthetic_unit

from kdprobe.analysis.knowledge import count_unit, overlap_rows

IMAGES = 12


def with_epochs(unit, name, places, numbers):
    """The unit with a network of which only the epochs at `places` were kept, called by `numbers`."""
    network, kept = unit.networks[name], list(places)
    measured = network.measured
    fewer = replace(
        measured,
        entropy=measured.entropy[kept],
        std_error=measured.std_error[kept],
        noise=measured.noise[kept],
        path=measured.path[kept],
        epochs=tuple(numbers),
    )
    by_epoch = tuple(network.accuracy_by_epoch[place] for place in kept)
    fewer = replace(network, measured=fewer, accuracy_by_epoch=by_epoch)
    return replace(unit, networks={**unit.networks, name: fewer})


def last_row(unit):
    rows = [
        row
        for row in overlap_rows(count_unit(unit))
        if row["network"] == "student-kd" and row["cells"] == "foreground"
    ]
    return max(rows, key=lambda row: row["epoch"])


def maps_of(name, image):
    """Concept maps of one image at epochs 1, 2, ..."""
    return [epoch[image].tolist() for epoch in planted(name, seed=3)[1:]]


def test_a_network_kept_less_often_is_not_second():
    """The student is the teacher itself; of one of them epochs 0, 1, 3 and 5 are kept."""
    unit = synthetic_unit(seed=3, first_epoch=7)
    entropy = unit.networks["baseline"].measured.entropy  # its concepts come later than the others'
    measured = replace(unit.networks["teacher"].measured, entropy=entropy)
    teacher = replace(unit.networks["teacher"], measured=measured)
    unit = replace(unit, networks={"teacher": teacher, "student-kd": replace(teacher, role="student")})
    kept = (0, 1, 3, 5)
    for name, start in (("student-kd", 7), ("teacher", 7), ("student-kd", 20)):
        row = last_row(with_epochs(unit, name, kept, [start + epoch for epoch in kept]))
        assert row["student_first"] == row["teacher_first"] == 0, (name, start)
        assert row["together"] == pytest.approx(1) and row["student_alone"] == row["teacher_alone"] == 0


def test_who_was_first_is_told_by_the_epochs_that_both_kept():
    """A teacher with twice the epochs of which every other one is kept: 2 and 4 are common."""
    unit = synthetic_unit(seed=3)
    row = last_row(with_epochs(unit, "teacher", range(6), range(0, 12, 2)))
    cells = unit.foreground.tolist()
    shares = [
        oracle.who_first(
            maps_of("student-kd", i), range(1, 6), maps_of("teacher", i), range(2, 12, 2), cells[i]
        )
        for i in range(IMAGES)
    ]
    for place, field in enumerate(("student_first", "teacher_first", "together")):
        values = [image[place] for image in shares if image[place] == image[place]]
        assert row[field] == pytest.approx(sum(values) / len(values)), field


def test_one_common_epoch_leaves_the_order_open():
    row = last_row(with_epochs(synthetic_unit(seed=3), "teacher", (0, 1, 5), (0, 2, 9)))
    assert row["student_first"] is row["teacher_first"] is row["together"] is None
    assert row["student_alone"] + row["teacher_alone"] + row["iou"] == pytest.approx(1)
