"""Readers of the four forms of a table, in plain string work: what a person would see in every cell."""

import csv
import re
from html.parser import HTMLParser
from io import StringIO
from typing import NamedTuple


class Seen(NamedTuple):
    """One cell as it is read."""

    text: str
    interval: str = ""
    bold: bool = False
    mark: str = ""


def csv_rows(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(StringIO(content.decode(), newline="")))


def markdown_grid(text: str) -> list[list[Seen]]:
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    assert set(lines[1]) <= set("| -")
    cells = [re.split(r"(?<!\\) \| ", line.removeprefix("| ").removesuffix(" |")) for line in lines]
    assert {len(row) for row in cells} == {len(cells[0])}
    return [[_markdown_cell(cell) for cell in row] for row in cells[2:]]


def _markdown_cell(text: str) -> Seen:
    found = re.fullmatch(r"(\*\*)?(.*?)(?(1)\*\*)((?:\\\*)?)(?: ?\\\[(.*)\\\])?", text)
    bold, content, mark, interval = found.groups()
    return Seen(_plain_md(content), f"[{interval}]" if interval else "", bool(bold), _plain_md(mark))


def _plain_md(text: str) -> str:
    text = re.sub(r"\\([\\`*_{}\[\]()#|~!$])", r"\1", text)
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


class _Html(HTMLParser):
    """Tables, their rows of cells with spans, and every tag and text beside."""

    def __init__(self):
        super().__init__()
        self.rows, self.cell, self.tags, self.texts, self.open = [], None, [], [], []

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        self.tags.append(tag)
        if tag not in ("meta", "link", "br"):
            self.open.append((tag, values.get("class") or ""))
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            spans = int(values.get("rowspan", 1)), int(values.get("colspan", 1))
            self.cell = {"spans": spans, "text": "", "interval": "", "mark": "", "bold": False}
            self.rows[-1].append(self.cell)

    def handle_endtag(self, tag):
        assert self.open and self.open.pop()[0] == tag
        if tag in ("td", "th"):
            self.cell = None

    def handle_data(self, data):
        self.texts.append(data)
        if self.cell is None:
            return
        inside = self.open[-1]
        key = "interval" if inside[1] == "interval" else "mark" if inside[0] == "sup" else "text"
        self.cell[key] += data
        self.cell["bold"] |= inside[0] == "b"


def parsed_html(text: str) -> _Html:
    reader = _Html()
    reader.feed(text)
    reader.close()
    assert reader.open == [], "every tag is closed"
    return reader


def html_grid(text: str) -> list[list[Seen]]:
    """Rows with section and keys filled in again; verdicts without their sign."""
    head, *rows = parsed_html(text).rows
    section, spanning, grid = "", {}, []
    for row in rows:
        if row[0]["spans"][1] > 1:
            assert row[0]["spans"][1] == len(head), "a section runs over all columns"
            section = row[0]["text"]
            continue
        cells, line = iter(row), [Seen(section)]
        for k in range(len(head)):
            left, seen = spanning.get(k, (0, None))
            if left == 0:
                cell = next(cells)
                left, seen = cell["spans"][0], _html_cell(cell)
            spanning[k] = (left - 1, seen)
            line.append(seen)
        assert next(cells, None) is None
        grid.append(line)
    return grid


def _html_cell(cell) -> Seen:
    text = re.sub(r"^[✓✗?] ", "", " ".join(cell["text"].split()))
    return Seen(text, cell["interval"], cell["bold"], cell["mark"])


_TEX = {
    r"\textbackslash{}": "\\",
    r"\textless{}": "<",
    r"\textgreater{}": ">",
    r"\textasciitilde{}": "~",
    r"\textasciicircum{}": "^",
    r"\textbar{}": "|",
    r"\textquotedbl{}": '"',
    "$-$": "−",
    "--": "–",
    r"$\cdot$": "·",
    r"$N_\mathrm{fg}$": "N_fg",
    r"$N_\mathrm{bg}$": "N_bg",
    r"$D_\mathrm{mean}$": "D_mean",
    r"$D_\mathrm{std}$": "D_std",
    r"$D_\mathrm{var}$": "D_var",
    r"$\lambda$": "lambda",
    r"$\rho$": "rho",
    r"$\uparrow$": "↑",
    r"$\downarrow$": "↓",
}


def latex_grid(text: str) -> list[list[Seen]]:
    """Rows of the tabular or longtable, intervals that stand below put back beside their values."""
    columns = re.search(r"\\begin\{(?:tabular|longtable)\}\{([lcr]+)\}", text)[1]
    lines, section, before, grid = text.splitlines(), "", None, []
    start = (
        len(lines) - lines[::-1].index(r"\endfoot") if r"\endfoot" in lines else lines.index(r"\midrule") + 1
    )
    for line in lines[start:]:
        if line.startswith(r"\multicolumn"):
            width, name = re.match(r"\\multicolumn\{(\d+)\}\{l\}\{\\textit\{(.*)\}\} \\\\", line).groups()
            assert int(width) == len(columns)
            section, before = plain_tex(name), None
        elif line.endswith(r" \\"):
            parts = re.split(r"(?<!\\) ?& ?", line.removesuffix(r" \\"))
            assert len(parts) == len(columns)
            if any(part.startswith(r"{\scriptsize") for part in parts):
                below = [plain_tex(p.removeprefix(r"{\scriptsize ").removesuffix("}")) for p in parts]
                grid[-1][1:] = [c._replace(interval=i) for c, i in zip(grid[-1][1:], below, strict=True)]
                continue
            row = [_latex_cell(part) for part in parts]
            leading = next(k for k, part in enumerate(parts) if part)
            row[:leading] = before[:leading] if leading else []
            before = row
            grid.append([Seen(section), *row])
    return grid


def _latex_cell(text: str) -> Seen:
    found = re.fullmatch(r"(\\textbf\{)?(.*?)(?(1)\})(\\textsuperscript\{\{\*\}\})?( ?\{\[.*\]\})?", text)
    bold, content, mark, interval = found.groups()
    return Seen(plain_tex(content), plain_tex((interval or "").strip()), bool(bold), "*" if mark else "")


def plain_tex(text: str) -> str:
    for code, sign in _TEX.items():
        text = text.replace(code, sign)
    text = re.sub(r"\\([&%$#_{}])", r"\1", text)
    return text[1:-1] if text.startswith("{") and text.endswith("}") else text
