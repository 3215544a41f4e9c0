"""Curves in a terminal's characters: braille where it has them, else ASCII."""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from math import isfinite

#: bit of each dot of a braille character, by row and column
_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))


def text_chart(
    points: Sequence[tuple[float, float | None]],
    *,
    width: int,
    height: int,
    x_range: tuple[float, float],
    y_range: tuple[float, float],
    braille: bool = True,
) -> list[str]:
    """The curve through `points`, (x, y) with x ascending, as `height` lines of `width` characters; a y of None or
    NaN is a gap, what lies outside `y_range` is drawn at its end. Neighbours are joined by straight lines.
    """
    across, down = (2, 4) if braille else (1, 1)
    columns, rows = width * across, height * down

    def place(x: float, y: float) -> tuple[int, int]:
        return _scaled(x, x_range, columns), rows - 1 - _scaled(y, y_range, rows)

    dots: set[tuple[int, int]] = set()
    for run in _runs(points):
        placed = [place(x, y) for x, y in run]
        dots.update(placed)
        for start, end in pairwise(placed):
            dots.update(_line(start, end))
    return [_row(dots, row, width, braille) for row in range(height)]


def _runs(points: Iterable[tuple[float, float | None]]) -> list[list[tuple[float, float]]]:
    """`points` cut at the gaps."""
    runs: list[list[tuple[float, float]]] = [[]]
    for x, y in points:
        if y is None or not isfinite(y):
            runs.append([])
        else:
            runs[-1].append((x, y))
    return runs


def _scaled(value: float, reach: tuple[float, float], count: int) -> int:
    """Which of `count` places between both ends of `reach` is nearest to `value`."""
    low, high = reach
    share = (value - low) / (high - low) if high > low else 0.0
    return round(min(max(share, 0.0), 1.0) * (count - 1))


def _line(start: tuple[int, int], end: tuple[int, int]) -> Iterable[tuple[int, int]]:
    steps = max(abs(end[0] - start[0]), abs(end[1] - start[1]), 1)
    for step in range(steps + 1):
        yield tuple(round(a + (b - a) * step / steps) for a, b in zip(start, end, strict=True))


def _row(dots: set[tuple[int, int]], row: int, width: int, braille: bool) -> str:
    if not braille:
        return "".join("*" if (column, row) in dots else " " for column in range(width))
    text = ""
    for column in range(width):
        bits = sum(
            bit
            for y, line in enumerate(_DOTS)
            for x, bit in enumerate(line)
            if (2 * column + x, 4 * row + y) in dots
        )
        text += chr(0x2800 + bits) if bits else " "
    return text
