"""Tables of concepts over time, counted by hand from what was planted."""

from dataclasses import replace

import pytest
from analysis.rows import chosen
from oracles import knowledge as oracle
from oracles import metrics as metrics_oracle
from synthetic_units import SETTINGS, planted, synthetic_unit

from kdprobe.analysis.knowledge import count_unit, forgetting_rows, overlap_rows, set_rows

IMAGES, EPOCHS = 12, 5
KINDS = ("foreground", "background")


@pytest.fixture(scope="module")
def unit():
    return synthetic_unit(seed=3, first_epoch=7)


def cells_of(unit, kind):
    cells = unit.foreground if kind == "foreground" else ~unit.foreground
    return cells.tolist()


def maps_of(name, image, first=0, **options):
    """Concept maps of one image, by epoch."""
    return [epoch[image].tolist() for epoch in planted(name, seed=3, **options)[first:]]


def mean(values):
    values = [value for value in values if value == value]
    return sum(values) / len(values)


@pytest.mark.parametrize("initial", [False, "rho", True])
def test_forgetting_holds_means_over_images_at_every_epoch(unit, initial):
    rows = forgetting_rows(count_unit(replace(unit, settings=replace(SETTINGS, initial=initial))))
    assert len(rows) == 3 * len(KINDS) * (EPOCHS + 1)
    for name in unit.networks:
        for kind in KINDS:
            cells = cells_of(unit, kind)
            found = [oracle.forgetting(maps_of(name, i), cells[i], bool(initial)) for i in range(IMAGES)]
            own = chosen(rows, network=name, cells=kind)
            assert [row["epoch"] for row in own] == list(range(EPOCHS + 1))  # not 7 ... 12
            for place, field in enumerate(("present", "gained", "lost", "ever")):
                expected = [mean([image[place][epoch] for image in found]) for epoch in range(EPOCHS + 1)]
                assert [row[field] for row in own] == pytest.approx(expected), (name, kind, field)
            assert {row["n"] for row in own} == {IMAGES}


@pytest.mark.parametrize("initial", [False, "rho"])
def test_sets_are_learned_kept_and_discarded(unit, initial):
    rows = set_rows(count_unit(replace(unit, settings=replace(SETTINGS, initial=initial))))
    assert len(rows) == 3 * len(KINDS)
    for row in rows:
        cells, first = cells_of(unit, row["cells"]), 0 if initial else 1
        found = [
            oracle.learned_kept_discarded(maps_of(row["network"], i, first), cells[i]) for i in range(IMAGES)
        ]
        for place, field in enumerate(("learned", "kept", "discarded")):
            assert row[field] == pytest.approx(mean([len(image[place]) for image in found]))
        assert row["n"] == IMAGES and row["seed"] == 3


def test_overlap_holds_every_epoch_against_the_teachers_last(unit, counted):
    rows = overlap_rows(counted)
    assert {row["network"] for row in rows} == {"baseline", "student-kd"}
    for name in ("baseline", "student-kd"):
        for kind in KINDS:
            cells = cells_of(unit, kind)
            for epoch, row in enumerate(chosen(rows, network=name, cells=kind)):
                values = [
                    oracle.overlap(maps_of(name, i)[epoch], maps_of("teacher", i)[-1], cells[i])
                    for i in range(IMAGES)
                ]
                assert row["epoch"] == epoch and row["iou"] == pytest.approx(mean(values))
                assert row["n"] == sum(value == value for value in values)
                assert row["low"] <= row["iou"] <= row["high"] and 0 < row["chance"] < 1


def test_the_last_epoch_says_who_had_shared_concepts_first(unit, counted):
    rows, cells = overlap_rows(counted), cells_of(unit, "foreground")
    own = chosen(rows, network="student-kd", cells="foreground")
    assert not any("together" in row or "student_alone" in row for row in own[:-1])
    numbers = range(1, EPOCHS + 1)
    shares = [
        oracle.who_first(maps_of("student-kd", i, 1), numbers, maps_of("teacher", i, 1), numbers, cells[i])
        for i in range(IMAGES)
    ]
    fields = ("student_first", "teacher_first", "together", "student_alone", "teacher_alone")
    for place, field in enumerate(fields):
        assert own[-1][field] == pytest.approx(mean([image[place] for image in shares])), field
    assert sum(own[-1][field] for field in fields) == pytest.approx(1)
    assert sum(own[-1][field] for field in fields[:3]) == pytest.approx(own[-1]["iou"])


def test_chance_is_that_of_sets_as_large_as_these_at_every_epoch(unit, counted):
    """By laying the teacher's set in every way that there is; the foreground has nine cells."""
    cells = cells_of(unit, "foreground")
    for name in ("baseline", "student-kd"):
        rows = chosen(overlap_rows(counted), network=name, cells="foreground")
        expected = []
        for epoch in range(EPOCHS + 1):
            found = [
                oracle.chance_overlap(
                    9,
                    len(oracle.cell_set(maps_of(name, i)[epoch], cells[i])),
                    len(oracle.cell_set(maps_of("teacher", i)[-1], cells[i])),
                )
                for i in range(IMAGES)
            ]
            expected.append(mean(found))
        assert [row["chance"] for row in rows] == pytest.approx(expected)
        assert len({round(value, 6) for value in expected}) > 1


@pytest.mark.parametrize("scope", ["dataset", "image"])
def test_the_margin_and_scope_of_the_settings_say_what_a_concept_is(unit, scope):
    rows = set_rows(count_unit(replace(unit, settings=replace(SETTINGS, margin=0.5, scope=scope))))
    entropy = unit.networks["baseline"].measured.entropy[-1].tolist()
    maps = metrics_oracle.concepts(entropy, unit.foreground.tolist(), 0.5, scope)
    sizes = [len(oracle.cell_set(m, c)) for m, c in zip(maps, cells_of(unit, "foreground"), strict=True)]
    kept = chosen(rows, network="baseline", cells="foreground")[0]["kept"]
    assert kept == pytest.approx(mean(sizes))
    assert kept < planted("baseline", seed=3)[-1][unit.foreground].sum() / IMAGES
