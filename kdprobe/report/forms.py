"""Text and rows as LaTeX, Markdown and CSV hold them: nothing in a name is markup, every number is exact in CSV."""

import csv
import re
from collections.abc import Iterable, Sequence
from io import StringIO

from kdprobe.report.comparison import plain

_TEX = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "−": "$-$",
    "–": "--",
    "·": r"$\cdot$",
    "‖": r"$\|$",
    "₀": "$_0$",
    "²": "$^2$",
    "λ": r"$\lambda$",
    "ρ": r"$\rho$",
    "↑": r"$\uparrow$",
    "↓": r"$\downarrow$",
    "×": r"$\times$",
}


def tex(text: str) -> str:
    """`text` as LaTeX prints it: nothing in it is a command, no bracket at its start an optional argument."""
    escaped = "".join(_TEX.get(c, c) for c in _one_line(text))
    return "{" + escaped + "}" if escaped.startswith(("[", "*")) else escaped


def md(text: str) -> str:
    """`text` as Markdown shows it, inside a table cell: no markup, no HTML, no new column."""
    escaped = _one_line(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*_{}\[\]()#|~!$])", r"\\\1", escaped)


def _one_line(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in str(text))


def markdown_lines(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """The lines of a Markdown table; the cells are Markdown already (`md`)."""
    return ["| " + " | ".join(line) + " |" for line in (head, ["---"] * len(head), *rows)]


def latex_lines(
    head: Sequence[str],
    rows: Iterable[Sequence[str] | str],
    columns: str = "",
    caption: str | None = None,
) -> list[str]:
    """The lines of a LaTeX table (package booktabs); the cells are LaTeX already (`tex`).

    A row that is one string is a line of its own (a rule, some space). columns: how they are aligned (default: all to
    the left). A tabular, or with a `caption` a longtable (package of that name), which may run over pages.
    """
    body = [row if isinstance(row, str) else " & ".join(row) + r" \\" for row in rows]
    title = [r"\toprule", " & ".join(head) + r" \\", r"\midrule"]
    columns = columns or "l" * len(head)
    if caption is None:
        return [rf"\begin{{tabular}}{{{columns}}}", *title, *body, r"\bottomrule", r"\end{tabular}"]
    every_page = [*title, r"\endhead", r"\bottomrule", r"\endfoot"]
    first = [caption + r" \\", *title, r"\endfirsthead"]
    return [rf"\begin{{longtable}}{{{columns}}}", *first, *every_page, *body, r"\end{longtable}"]


def csv_bytes(head: Sequence[str], rows: Iterable[Sequence]) -> bytes:
    """A CSV file: floats as Python writes them (they come back exactly), nothing for None, NaN and infinity."""
    target = StringIO(newline="")
    writer = csv.writer(target, lineterminator="\n")
    writer.writerow(head)
    writer.writerows([_field(value) for value in row] for row in rows)
    return target.getvalue().encode()


def _field(value) -> str:
    value = plain(value)
    return "" if value is None else repr(value) if isinstance(value, float) else str(value)
