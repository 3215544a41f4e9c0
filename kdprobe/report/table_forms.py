"""One table in four forms: LaTeX (booktabs), CSV (wide, full precision), Markdown, HTML."""

from collections.abc import Iterable, Sequence

from kdprobe.metrics import METRICS
from kdprobe.pages import environment, render_page
from kdprobe.report.cells import Cell, Table
from kdprobe.report.forms import csv_bytes, latex_lines, markdown_lines, md, tex
from kdprobe.report.words import WORDS


def table_csv(table: Table) -> bytes:
    """Every field of every cell: floats come back exactly, missing ones are empty, no key is left out."""
    names = [name for column in table.columns for name in column.names]
    return csv_bytes(names, ([field for cell in row for field in cell.fields] for row in table.rows))


def table_markdown(table: Table) -> str:
    """A Markdown table and its caption; sections and keys stand in every row."""
    head = [_markdown(column.head) for column in table.columns]
    lines = markdown_lines(head, ([_markdown(cell) for cell in row] for row in table.rows))
    return "\n".join([*lines, "", md(table.caption)]) + "\n"


def _markdown(cell: Cell) -> str:
    text = md(f"{METRICS[cell.metric].symbol} {_arrow(cell.metric)}" if cell.metric else cell.text)
    text = f"**{text}**" if cell.bold else text
    return text + md(cell.mark) + (f" {md(cell.interval)}" if cell.interval else "")


def table_latex(table: Table) -> str:
    """A floating table across both columns of a page, intervals below their values; a `long` table is a longtable.

    The preamble needs the package booktabs, and longtable and pdflscape for those, which stand on pages turned aside.
    """
    shown = table.columns[table.sections :]
    head = [_latex(column.head) for column in shown]
    align = "".join(column.align for column in shown)
    caption = rf"\caption{{{tex(table.caption)}}}\label{{{table.label}}}"
    body = list(_latex_rows(table))
    if table.long:
        lines = [
            "% needs \\usepackage{booktabs,longtable,pdflscape} and, in a text of two columns, \\onecolumn",
            r"\begin{landscape}\scriptsize\setlength{\tabcolsep}{3pt}\setlength{\LTcapwidth}{\linewidth}",
            *latex_lines(head, body, align, caption),
            r"\end{landscape}",
        ]
    else:
        lines = [
            "% needs \\usepackage{booktabs}",
            r"\begin{table*}",
            r"\centering\footnotesize\setlength{\tabcolsep}{2pt}",
            caption + r"\par\medskip",
            *latex_lines(head, body, align),
            r"\end{table*}",
        ]
    return "\n".join(lines) + "\n"


def _latex_rows(table: Table) -> Iterable[list[str] | str]:
    width, keys = len(table.columns) - table.sections, table.keys - table.sections
    for k, (section, rows) in enumerate(table.groups()):
        if k:
            yield r"\midrule" if section else r"\addlinespace"
        if section:
            yield rf"\multicolumn{{{width}}}{{l}}{{\textit{{{tex(section)}}}}} \\" + (
                "" if table.long else r"\addlinespace[2pt]"
            )
        for j, row in enumerate(rows):
            cells = [Cell() if j and i < keys else cell for i, cell in enumerate(row[table.sections :])]
            yield [_latex(cell, beside=table.long) for cell in cells]
            if not table.long and any(cell.interval for cell in cells):
                yield [rf"{{\scriptsize {tex(cell.interval)}}}" if cell.interval else "" for cell in cells]


def _latex(cell: Cell, beside: bool = False) -> str:
    text = f"{WORDS[cell.metric].latex} {tex(_arrow(cell.metric))}" if cell.metric else tex(cell.text)
    text = rf"\textbf{{{text}}}" if cell.bold else text
    text += rf"\textsuperscript{{{tex(cell.mark)}}}" if cell.mark else ""
    return text + (f" {tex(cell.interval)}" if beside and cell.interval else "")


def table_html(table: Table) -> str:
    """The table as a piece of HTML to put into a page: a figure with its caption, every text escaped, no style."""
    return environment("kdprobe.report").get_template("table.html").render(**_html_parts(table))


def tables_page(title: str, tables: Sequence[Table]) -> str:
    """A page of tables that needs nothing beside it: style inline under a Content-Security-Policy, no script."""
    style = ("kdprobe.pages", "page.css"), ("kdprobe.report", "table.css")
    parts = [_html_parts(table) for table in tables]
    return render_page("kdprobe.report", "tables_page.html", style=style, title=title, tables=parts)


def _html_parts(table: Table) -> dict:
    return {
        "table": table,
        "groups": list(table.groups()),
        "words": WORDS,
        "arrow": _arrow,
    }


def _arrow(metric: str) -> str:
    return "↑" if METRICS[metric].higher_is_better else "↓"
