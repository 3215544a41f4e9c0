"""What does not exist is an empty field, in all tables: never a crash, never NaN."""

import gc
import math
import weakref
from dataclasses import replace

import pytest
import torch
from synthetic_units import SETTINGS, synthetic_unit, synthetic_units

from kdprobe.analysis.knowledge import COLUMNS, count_unit, knowledge_tables
from kdprobe.analysis.knowledge.paired import PAIRED


def blank(unit, name):
    """The unit with a network that has no concept anywhere."""
    network = unit.networks[name]
    flat = torch.full_like(network.measured.entropy, -2.8)
    network = replace(network, measured=replace(network.measured, entropy=flat))
    return replace(unit, networks={**unit.networks, name: network})


def without_accuracy(unit):
    return replace(
        unit,
        networks={
            name: replace(network, accuracy=None, accuracy_by_epoch=(None,) * len(network.accuracy_by_epoch))
            for name, network in unit.networks.items()
        },
    )


def sparse(unit):
    """The unit with networks of which no two kept the same epochs after the first."""
    networks = {
        name: replace(
            network,
            measured=replace(network.measured, epochs=(0, *range(start, start + 15, 3))),
        )
        for start, (name, network) in enumerate(unit.networks.items(), 1)
    }
    return replace(unit, networks=networks)


CASES = {
    "a teacher with one epoch": lambda: synthetic_units((0, 1), teacher_epochs=0),
    "every network with one epoch": lambda: synthetic_units((0, 1), teacher_epochs=0, epochs=0),
    "no baseline": lambda: synthetic_units((0, 1), baseline=False),
    "no student": lambda: synthetic_units((0, 1), students=()),
    "no teacher": lambda: [
        replace(u, networks={n: m for n, m in u.networks.items() if n != "teacher"})
        for u in synthetic_units((0, 1))
    ],
    "a baseline without concepts": lambda: [blank(u, "baseline") for u in synthetic_units((0, 1))],
    "a teacher without concepts": lambda: [blank(synthetic_unit(), "teacher")],
    "one image": lambda: synthetic_units((0, 1), images=1),
    "one seed": lambda: [synthetic_unit()],
    "seeds without common images": lambda: [
        replace(u, ids=tuple(f"{u.seed}-{i}" for i in u.ids)) for u in synthetic_units((0, 1))
    ],
    "standard errors alone": lambda: synthetic_units((0, 1), sources=None),
    "other epochs in every network": lambda: [sparse(u) for u in synthetic_units((0, 1))],
    "no accuracy": lambda: [without_accuracy(u) for u in synthetic_units((0, 1))],
    "a student in one seed only": lambda: [synthetic_unit(seed=0), synthetic_unit(seed=1, students=())],
    "empty images as zeros": lambda: [
        blank(replace(u, settings=replace(SETTINGS, empty="zero")), "baseline")
        for u in synthetic_units((0, 1))
    ],
    "each image its own baseline entropy": lambda: [
        replace(u, settings=replace(SETTINGS, scope="image", initial=True)) for u in synthetic_units((0, 1))
    ],
}


@pytest.mark.parametrize("case", CASES)
def test_every_number_of_every_table_is_finite_or_missing(case):
    tables = knowledge_tables(CASES[case]())
    assert list(tables) == list(COLUMNS)
    for name, rows in tables.items():
        for row in rows:
            assert set(row) <= set(COLUMNS[name]), name
            numbers = [value for value in row.values() if isinstance(value, float)]
            assert all(math.isfinite(value) for value in numbers), (name, row)
    assert tables["networks"] and tables["forgetting"] and tables["histograms"]


def test_a_teacher_with_one_epoch_has_no_history():
    tables = knowledge_tables([synthetic_unit(teacher_epochs=0)])
    own = {name: [row for row in rows if row.get("network") == "teacher"] for name, rows in tables.items()}
    assert own["peaks"] == []
    for row in own["forgetting"]:
        assert set(row) & {"present", "gained", "lost", "ever"} == {"present"}
    assert all("learned" not in row and row["kept"] > 0 for row in own["sets"])
    assert all(row["path"] is None for row in own["curves"])
    assert {row["metric"] for row in own["accuracy"]} == {"n_foreground", "n_background", "relevance_ratio"}
    empty = {row["metric"] for row in own["networks"] if row["value"] is None}
    assert empty == {"learning_distance_mean", "learning_distance_std", "learning_distance_var", "stability"}
    assert all(row["stability"] is None and row["n_foreground"] > 0 for row in own["margins"])
    last = [row for row in tables["overlap"] if "student_alone" in row]
    assert len(last) == 2 * 2
    for row in last:
        assert all(row[field] is None for field in ("together", "student_first", "teacher_first"))
        assert row["student_alone"] + row["teacher_alone"] + row["iou"] == pytest.approx(1)


def test_without_accuracies_curves_have_none_and_metrics_stand_beside_nothing():
    tables = knowledge_tables(CASES["no accuracy"]())
    assert "accuracy" not in {row["metric"] for row in tables["curves"]}
    assert tables["accuracy"] and all(row["accuracy"] is None for row in tables["accuracy"])
    assert all(row["accuracy"] is None for row in tables["networks"])


def test_without_a_teacher_there_is_no_overlap_and_without_a_student_margins_name_none():
    assert knowledge_tables(CASES["no teacher"]())["overlap"] == []
    margins = knowledge_tables(CASES["no student"]())["margins"]
    assert {row["student"] for row in margins} == {None}
    assert {row["network"] for row in margins} == {"teacher", "baseline"}


def test_one_seed_or_no_common_image_has_no_agreement():
    for case, seeds in (("one seed", 1), ("seeds without common images", 2)):
        rows = knowledge_tables(CASES[case]())["agreement"]
        assert len(rows) == 3 * 2
        for row in rows:
            assert row["iou"] is None and row["chance"] is None and (row["n"], row["seeds"]) == (0, seeds)


def test_the_noise_of_one_unit_is_gone_before_the_next_is_read():
    alive = []

    def units():
        for seed in range(3):
            gc.collect()
            assert not any(noise() is not None for noise in alive)
            unit = synthetic_unit(seed=seed)
            alive[:] = [weakref.ref(network.measured.noise) for network in unit.networks.values()]
            yield unit
            del unit

    tables = knowledge_tables(units())
    assert len({row["seed"] for row in tables["networks"]}) == 3 and len(alive) == 3


def test_counting_leaves_the_unit_as_it_was():
    unit = synthetic_unit()
    counted = count_unit(unit)
    assert all(network.measured.noise is not None for network in unit.networks.values())
    assert all(network.measured.noise is None for network in counted.unit.networks.values())


def test_without_noise_of_the_maps_there_is_no_floor_and_with_it_there_is():
    fields = {"forgetting": ("gained_still", "lost_still"), "overlap": ("iou_still",)}
    for sources, known in ((None, False), (3, True)):
        tables = knowledge_tables([synthetic_unit(sources=sources)])
        for name, columns in fields.items():
            last = max(row["epoch"] for row in tables[name])
            rows = [row for row in tables[name] if row["epoch"] == last]
            for column in columns:
                assert rows and all((row.get(column) is not None) == known for row in rows), column
    assert all(row.get("gained_still") is None for row in tables["forgetting"] if row["epoch"] == 0)


def test_networks_without_a_common_epoch_tell_no_order_and_are_not_paired_over_time():
    tables = knowledge_tables(CASES["other epochs in every network"]())
    last = [row for row in tables["overlap"] if "student_alone" in row]
    assert len(last) == 2 * 2 * 2
    for row in last:
        assert row["together"] is row["student_first"] is row["teacher_first"] is None
        assert row["student_alone"] + row["teacher_alone"] + row["iou"] == pytest.approx(1)
    seeds = {row["quantity"]: row["seeds"] for row in tables["paired"]}
    assert seeds == {"margin_area": 2, "overlap": 2, "lost": 0, "gained": 0, "discarded": 0}


def test_without_a_baseline_or_a_teacher_pairs_are_empty():
    rows = knowledge_tables(CASES["no baseline"]())["paired"]
    assert len(rows) == len(PAIRED)
    for row in rows:
        assert (row["seeds"], row["n"], row.get("difference")) == (0, 0, None)
    known = {row["quantity"] for row in knowledge_tables(CASES["no teacher"]())["paired"] if row["n"]}
    assert known == {"margin_area", "lost", "gained", "discarded"}
