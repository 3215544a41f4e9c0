"""Curves in characters, against dots that are read back out of them."""

import math
import unicodedata

import pytest

from kdprobe.live.text_chart import text_chart

REACH = {"x_range": (0, 10), "y_range": (0, 10)}


def dots(lines: list[str], braille: bool = True) -> set[tuple[int, int]]:
    """(column, row from above) of each dot, from the names that Unicode gives to the characters."""
    found = set()
    for row, line in enumerate(lines):
        for column, sign in enumerate(line):
            if not braille:
                found |= {(column, row)} if sign == "*" else set()
            elif sign != " ":
                for number in map(int, unicodedata.name(sign).removeprefix("BRAILLE PATTERN DOTS-")):
                    right, below = [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (0, 3), (1, 3)][
                        number - 1
                    ]
                    found.add((2 * column + right, 4 * row + below))
    return found


@pytest.mark.parametrize("braille", [True, False])
def test_corners_lie_in_the_corners(braille):
    wide, high = (2 * 20, 4 * 5) if braille else (20, 5)
    for x, y, place in ((0, 0, (0, high - 1)), (10, 10, (wide - 1, 0)), (10, 0, (wide - 1, high - 1))):
        lines = text_chart([(x, y)], width=20, height=5, braille=braille, **REACH)
        assert dots(lines, braille) == {place}
        assert [len(line) for line in lines] == [20] * 5


def test_neighbours_are_joined_without_holes():
    found = dots(text_chart([(0, 0), (5, 10), (10, 2)], width=12, height=4, **REACH))
    assert {column for column, _ in found} == set(range(24))
    for column in range(23):
        here, there = ([row for c, row in found if c == column + k] for k in (0, 1))
        assert min(abs(a - b) for a in here for b in there) <= 1


@pytest.mark.parametrize("gap", [None, math.nan])
def test_a_gap_stays_empty(gap):
    found = dots(text_chart([(0, 5), (2, 5), (5, gap), (8, 5), (10, 5)], width=11, height=2, **REACH))
    columns = {column for column, _ in found}
    assert {0, 4, 17, 21} <= columns
    assert not columns & set(range(5, 17))


def test_what_lies_outside_is_drawn_at_the_edge():
    found = dots(text_chart([(0, -5), (10, 50)], width=10, height=3, **REACH))
    assert {(0, 11), (19, 0)} <= found


def test_no_points_and_no_extent_are_no_error():
    assert text_chart([], width=3, height=2, **REACH) == ["   ", "   "]
    assert text_chart([(0, 1)], width=3, height=1, x_range=(0, 0), y_range=(1, 1)) == ["⡀  "]
