"""Text and rows as LaTeX, Markdown and CSV hold them: nothing in a name is markup, every number is exact in CSV."""

import csv
import re
from collections.abc import Iterable, Sequence
from io import StringIO
from pathlib import Path

from kdprobe.errors import DataError
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


def csv_rows(path: Path, columns: Sequence[str], *, alone: bool = False) -> list[tuple[int, dict[str, str]]]:
    """The rows of a CSV file: the line on which each ends, and `columns` -> text.

    alone: these are all columns of the file, in this order. DataError, naming the path, if the file is missing, not
    text or torn, has other columns, or a line of it more or fewer fields than its head.
    """
    try:
        text = path.read_bytes().decode()
        reader = csv.DictReader(StringIO(text, newline=""), strict=True)
        head = reader.fieldnames or []
        rows = [(reader.line_num, row) for row in reader]
    except FileNotFoundError as error:
        raise DataError(f"{path} does not exist: give a folder with the tables of a sweep.") from error
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} cannot be read ({error}): write it anew.") from error
    lacking = [name for name in columns if name not in head]
    if lacking:
        raise DataError(
            f"{path} has no column {lacking[0]!r}, only {', '.join(head) or 'none'}: write it anew."
        )
    if alone and list(head) != list(columns):
        raise DataError(
            f"{path} has the columns {', '.join(head)}; expected {', '.join(columns)}: write it anew."
        )
    for line, row in rows:
        if None in row or None in row.values():
            raise DataError(
                f"{path}, line {line}, has too {'many' if None in row else 'few'} fields: write it anew."
            )
    if not text.endswith("\n"):
        raise DataError(f"{path}, line {reader.line_num}, has no end: write it anew.")
    return [(line, {name: row[name] for name in columns}) for line, row in rows]


def _field(value) -> str:
    value = plain(value)
    return "" if value is None else repr(value) if isinstance(value, float) else str(value)
