"""Students against the baseline in areas, overlap, gains, losses and what was discarded."""

from dataclasses import replace

import pytest
from analysis.rows import chosen
from oracles import knowledge as oracle
from synthetic_units import planted, synthetic_unit, synthetic_units

from kdprobe.analysis.knowledge import area_rows, count_unit, paired_rows
from kdprobe.analysis.knowledge.margins import image_areas
from kdprobe.analysis.knowledge.paired import PAIRED
from kdprobe.metrics import MARGINS, nested_difference

SEEDS, POOL, IMAGES, EPOCHS = (0, 1, 2), 16, 12, 5


@pytest.fixture(scope="module")
def units():
    return synthetic_units(SEEDS, pool=POOL, students=("kd", "at"), noise=0.1)


@pytest.fixture(scope="module")
def counted(units):
    return [count_unit(unit) for unit in units]


def of_image(maps, teacher, cells):
    """Loops over the maps [epoch][row][column] of one image: overlap, lost, gained, discarded."""
    _, gained, lost, _ = oracle.forgetting(maps, cells, False)
    learned, _, discarded = oracle.learned_kept_discarded(maps[1:], cells)
    return {
        "overlap": oracle.overlap(maps[-1], teacher, cells),
        "lost": sum(lost[1:]) / EPOCHS,
        "gained": sum(gained[1:]) / EPOCHS,
        "discarded": len(discarded) / len(learned) if learned else float("nan"),
    }


def test_every_difference_is_the_mean_over_the_seeds_of_that_of_images_with_both_values(units, counted):
    rows = paired_rows(counted)
    assert [(row["student"], row["quantity"]) for row in rows] == [
        (student, quantity) for student in ("student-kd", "student-at") for quantity in PAIRED
    ]
    for row in rows:
        if row["quantity"] == "margin_area":
            assert row["cells"] is None
            continue
        assert row["cells"] == "foreground" and row["seeds"] == 3
        means, n = [], 0
        for unit in units:
            pairs = []
            for i, cells in enumerate(unit.foreground.tolist()):
                teacher = planted("teacher", seed=unit.seed, pool=POOL)[-1, i].tolist()
                both = [
                    of_image(planted(name, seed=unit.seed, pool=POOL)[:, i].tolist(), teacher, cells)
                    for name in (row["student"], "baseline")
                ]
                one, other = (each[row["quantity"]] for each in both)
                if one == one and other == other:
                    pairs.append(one - other)
            means.append(sum(pairs) / len(pairs))
            n += len(pairs)
        assert row["difference"] == pytest.approx(sum(means) / 3), row["quantity"]
        assert row["n"] == n and row["low"] <= row["images_low"] < row["images_high"] <= row["high"]


def test_the_areas_difference_is_that_of_the_tables_areas(counted):
    areas = {row["network"]: row["area"] for row in area_rows(counted)}
    rows = chosen(paired_rows(counted), quantity="margin_area")
    assert [row["student"] for row in rows] == ["student-kd", "student-at"]
    for row in rows:
        assert row["difference"] == pytest.approx(areas[row["student"]] - areas["baseline"])
        assert row["n"] == len(SEEDS) * IMAGES


@pytest.mark.parametrize("quantity", PAIRED)
def test_images_of_several_seeds_and_the_estimators_noise_are_in_the_interval(counted, quantity):
    """The record of a direct call with ids and noise, and not that without either."""

    def of(name):
        found = [each.networks[name] for each in counted]
        if quantity != "margin_area":
            return [n.changes.values[quantity] for n in found], [n.changes.noise[quantity] for n in found]
        return zip(*(image_areas(n, len(MARGINS)) for n in found), strict=True)

    row = next(r for r in paired_rows(counted) if (r["student"], r["quantity"]) == ("student-kd", quantity))
    (values, noise), (others, other_noise) = of("student-kd"), of("baseline")
    settings = counted[0].unit.settings
    options = {"seed": settings.seed, "resamples": settings.resamples}
    both = {"student_noise": noise, "baseline_noise": other_noise}
    ids = [each.unit.ids for each in counted]
    ends = ("low", "high", "images_low", "images_high")
    expected = nested_difference(values, others, images=ids, **both, **options)
    assert [row[end] for end in ends] == [getattr(expected, end) for end in ends]
    for other in (
        nested_difference(values, others, images=ids, **options),
        nested_difference(values, others, **both, **options),
    ):
        assert [row[end] for end in ends] != [getattr(other, end) for end in ends]


def test_redraws_are_those_of_the_maps_and_widen_the_intervals(counted):
    """With noise of 0.3 nats concepts come and go; with none every redraw is the value itself."""
    noisy, quiet = (count_unit(synthetic_unit(noise=noise)).networks for noise in (0.3, 0.0))
    for name, network in quiet.items():
        for quantity, values in network.changes.values.items():
            redraws = network.changes.noise[quantity]
            assert redraws.nan_to_num(-1).tolist() == [values.nan_to_num(-1).tolist()] * len(redraws)
            others = noisy[name].changes.noise[quantity]
            if (name, quantity) != ("teacher", "overlap"):
                assert (others.nanmean(1) - values.nanmean()).abs().max() > 0.01, (name, quantity)
    own = noisy["teacher"].changes.noise["overlap"]
    assert own[~own.isnan()].unique().tolist() == [1.0]  # a network and its teacher are redrawn together


def test_changes_are_paired_only_in_seeds_with_the_same_epochs(units):
    student = units[0].networks["student-kd"]
    late = replace(student, measured=replace(student.measured, epochs=tuple(range(0, 12, 2))))
    changed = replace(units[0], networks={**units[0].networks, "student-kd": late})
    rows = paired_rows([count_unit(unit) for unit in (changed, *units[1:])])
    seeds = {row["quantity"]: row["seeds"] for row in rows if row["student"] == "student-kd"}
    assert seeds == {"margin_area": 3, "overlap": 3, "lost": 2, "gained": 2, "discarded": 2}
