"""The tables of a sweep: student against baseline, every comparison, all networks; each in four forms."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from itertools import chain
from math import isnan
from operator import attrgetter
from pathlib import Path

from kdprobe.metrics import CLAIMS, METRICS
from kdprobe.plots import number
from kdprobe.records import Interval, PooledComparison
from kdprobe.records.numbers import MISSING
from kdprobe.report.cells import (
    STAR,
    Cell,
    Column,
    Table,
    grouped,
    number_texts,
    order_of,
    place_columns,
    shared_places,
    span_text,
    text_cell,
    text_column,
)
from kdprobe.report.sweep_captions import big_caption, comparisons_caption
from kdprobe.report.sweep_files import PAIR, NetworkValue
from kdprobe.report.sweep_hypotheses import hypotheses_table
from kdprobe.report.sweep_networks import networks_table
from kdprobe.report.table_forms import table_csv, table_latex, table_markdown, tables_page
from kdprobe.storage import write_atomically

SIGNIFICANT = 0.05
FORMS: dict[str, Callable[[Table], bytes]] = {
    "tex": lambda table: table_latex(table).encode(),
    "csv": table_csv,
    "md": lambda table: table_markdown(table).encode(),
    "html": lambda table: tables_page(table.title, [table]).encode(),
}


def write_sweep_tables(
    comparisons: Sequence[PooledComparison],
    networks: Sequence[NetworkValue],
    folder: str | Path,
    counting: str = "",
) -> list[Path]:
    """Write {table,hypotheses}.{tex,csv,md,html} and {comparisons,networks}.{tex,md,html} into `folder`; the paths.

    counting: how concepts were counted, in words; it ends the captions. The files from which they are made may lie
    there too. The same records give the same bytes; every file appears whole. SnapshotError, naming the file, if the
    system refuses it.
    """
    folder = Path(folder)
    tables = {
        "table": big_table(comparisons),
        "hypotheses": hypotheses_table(comparisons),
        "comparisons": comparisons_table(comparisons),
        "networks": networks_table(networks, CLAIMS),
    }
    files = {}
    for name, table in tables.items():
        told = replace(table, caption=f"{table.caption} {counting}".strip())
        own = [form for form in FORMS if form != "csv" or name in ("table", "hypotheses")]
        files |= {f"{name}.{form}": FORMS[form](told) for form in own}
    for name, content in files.items():
        write_atomically(folder / name, content)
    return [folder / name for name in files]


def big_table(comparisons: Sequence[PooledComparison]) -> Table:
    """The table of the paper: data set, network and layer, and there a line for each student and one for its baseline.

    Six metrics with arrows and intervals. Bold: the better of the two, only where the verdict is decided. Starred: the
    better one where the test remains significant at 5 % after Holm's correction. Students have a baseline line each,
    over the images that are valid in both. n: images that entered, "38–40" where metrics differ in it.
    """
    rows = []
    for (*place, student, baseline), own in grouped(_in_order(comparisons), attrgetter(*PAIR)).items():
        found = {row.metric: row for row in own}
        for name, role in ((student, "student"), (baseline, "baseline")):
            shown = [found[metric] for metric in CLAIMS if metric in found]
            rows.append(
                (
                    *map(text_cell, place),
                    Cell(name, fields=(name, role)),
                    *(_value_cell(found.get(metric), role) for metric in CLAIMS),
                    Cell(span_text([row.n for row in shown])),
                    Cell(span_text([row.seeds for row in shown])),
                )
            )
    columns = (
        *place_columns(),
        Column(Cell("network"), ("network", "role")),
        *(Column(Cell(metric=metric), _names(metric), align="c") for metric in CLAIMS),
        Column(Cell("n"), align="r"),
        Column(Cell("seeds"), align="r"),
    )
    caption = big_caption(comparisons)
    return Table("Student against baseline", "tab:student-baseline", columns, tuple(rows), caption)


def _in_order(comparisons: Sequence[PooledComparison]) -> list[PooledComparison]:
    """Data sets, networks in them and layers in them as they first appear; metrics as tables list them."""
    order, metrics = order_of(comparisons, PAIR), list(METRICS)
    return sorted(comparisons, key=lambda row: (*order(row), metrics.index(row.metric)))


def _names(metric: str) -> tuple[str, ...]:
    return metric, *(f"{metric}_{end}" for end in ("low", "high", "n", "seeds", "bold", "star"))


def _value_cell(row: PooledComparison | None, role: str) -> Cell:
    if row is None:
        return Cell(MISSING, fields=(None,) * len(_names("")))
    found: Interval = getattr(row, f"{role}_value")
    bold = role == {"supported": "student", "contradicted": "baseline"}.get(row.verdict)
    star = role == leader(row) and row.p_holm < SIGNIFICANT
    places = shared_places([row.student_value, row.baseline_value])
    text, interval = number_texts(found.value, found.low, found.high, places=places)
    fields = (found.value, found.low, found.high, row.n, row.seeds, int(bold), int(star))
    return Cell(text, interval, bold, STAR if star else "", fields=fields)


def leader(row: PooledComparison) -> str:
    """Which of the two has the better value, decided or not: student, baseline, or "" if they are equal or missing."""
    if row.difference.value == 0 or isnan(row.difference.value):
        return ""
    higher = METRICS[row.metric].higher_is_better
    return "student" if (row.difference.value > 0) == higher else "baseline"


def comparisons_table(comparisons: Sequence[PooledComparison]) -> Table:
    """Every comparison on one line: difference and both intervals, tests, effect, detectable difference, verdict."""
    columns = (
        text_column("data", "section"),
        Column(Cell("against"), ("baseline",), "section"),
        *place_columns()[1:],
        text_column("student", "key"),
        text_column("metric"),
        Column(Cell("difference"), ("difference", "low", "high")),
        Column(Cell("over images"), ("images_low", "images_high")),
        *(
            text_column(name, align="r", head=head)
            for name, head in (
                ("p_permutation", "p perm."),
                ("p_wilcoxon", "p Wilc."),
                ("p_nested", "p nested"),
                ("p_holm", "p Holm"),
                ("effect", "effect"),
                ("detectable", "detectable"),
                ("n", "n"),
                ("seeds", "seeds"),
            )
        ),
        text_column("verdict"),
    )
    rows = tuple(tuple(_comparison_cells(row)) for row in _in_order(comparisons))
    caption = comparisons_caption(comparisons)
    return Table("Every comparison", "tab:comparisons", columns, rows, caption, long=True)


def _comparison_cells(row: PooledComparison) -> Iterable[Cell]:
    found, images = row.difference, row.images
    text, interval = number_texts(found.value, found.low, found.high, signed=True)
    within = number_texts(found.value, images.low, images.high, signed=True)[1]
    tests = (row.p_permutation, row.p_wilcoxon, row.p_nested)
    return chain(
        (
            text_cell(row.data),
            Cell(f"against {row.baseline}", fields=(row.baseline,)),
            *map(text_cell, (row.model, row.layer, row.student)),
            Cell(metric=row.metric, fields=(row.metric,)),
            Cell(text, interval, fields=(found.value, found.low, found.high)),
            Cell("" if within else MISSING, within, fields=(images.low, images.high)),
        ),
        (Cell(p_text(p), fields=(p,)) for p in tests),
        (
            Cell(p_text(row.p_holm), mark=STAR if row.p_holm < SIGNIFICANT else "", fields=(row.p_holm,)),
            Cell(number(row.effect, 2, signed=True), fields=(row.effect,)),
            Cell(number(row.detectable, shared_places([found])), fields=(row.detectable,)),
            text_cell(row.n),
            text_cell(row.seeds),
            Cell(row.verdict, badge=True, fields=(row.verdict,)),
        ),
    )


def p_text(p: float) -> str:
    """A p value with three decimals, the smallest as "< 0.001"; "n/a" for NaN."""
    if isnan(p):
        return MISSING
    return "< 0.001" if p < 0.001 else f"{p:.3f}"
