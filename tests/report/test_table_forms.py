"""One table, four forms: they say the same, and names cannot break out of any."""

import re
from base64 import b64encode
from dataclasses import replace
from hashlib import sha256

import pytest
from report.summaries import HIGHER
from report.sweeps import PLACES, comparisons, networks
from report.table_readers import Seen, csv_rows, html_grid, latex_grid, markdown_grid, parsed_html, plain_tex

from kdprobe.report import (
    big_table,
    comparisons_table,
    table_csv,
    table_html,
    table_latex,
    table_markdown,
    write_sweep_tables,
)
from kdprobe.report.sweep_networks import networks_table

SIX = [metric for metric in HIGHER if metric != "learning_distance_var"]
HOSTILE = r'<script>alert("x")</script> a_b & 50% $x$ \input{z} ~^#| `c` [1] z'
#: all that may stand after a backslash
COMMANDS = {
    *(
        "begin",
        "end",
        "cdot",
        "par",
        "medskip",
        "LTcapwidth",
        "linewidth",
        "centering",
        "footnotesize",
        "scriptsize",
        "setlength",
        "tabcolsep",
    ),
    *(
        "caption",
        "label",
        "toprule",
        "midrule",
        "bottomrule",
        "addlinespace",
        "multicolumn",
        "endhead",
        "endfoot",
    ),
    *(
        "endfirsthead",
        "textit",
        "textbf",
        "textsuperscript",
        "mathrm",
        "lambda",
        "rho",
        "uparrow",
        "downarrow",
    ),
    *(
        "textbackslash",
        "textless",
        "textgreater",
        "textasciitilde",
        "textasciicircum",
        "textbar",
        "textquotedbl",
    ),
}


def hostile():
    rows = [
        replace(row, data=HOSTILE, model="[0]" + HOSTILE, student=HOSTILE)
        for row in comparisons(places=PLACES[:1])
    ]
    return [row for k, row in enumerate(rows) if k < 7]


TABLES = {
    "big": lambda: big_table(comparisons()),
    "big of one seed": lambda: big_table(comparisons(1, students=("student-kd",))),
    "hostile": lambda: big_table(hostile()),
    "comparisons": lambda: comparisons_table(comparisons()),
    "hostile comparisons": lambda: comparisons_table(hostile()),
    "networks": lambda: networks_table(networks(), SIX),
}


@pytest.mark.parametrize("name", TABLES)
def test_the_forms_say_the_same_in_every_cell(name):
    table = TABLES[name]()
    markdown, html, latex = (
        markdown_grid(table_markdown(table)),
        html_grid(table_html(table)),
        latex_grid(table_latex(table)),
    )
    assert len(markdown) == len(table.rows) > 0
    symbols = {"Nfg": "N_fg", "Nbg": "N_bg", "λ": "lambda", "ρ": "rho"}
    symbols |= {f"D{end}": f"D_{end}" for end in ("mean", "std", "var")}
    for cells, h, x in zip(markdown, html, latex, strict=True):
        heading = " · ".join(cell.text for cell in cells[: table.sections])
        m = [Seen(heading), *cells[table.sections :]]
        h = [
            c._replace(text=" ".join(symbols.get(w, w) for w in c.text.split(" "))) if len(c.text) < 9 else c
            for c in h
        ]
        assert m == h
        assert m == x


def test_every_metric_has_its_arrow_and_every_key_stands_once():
    table = big_table(comparisons())
    latex, html = table_latex(table), table_html(table)
    head = table_markdown(table).splitlines()[0].strip("| ").split(" | ")
    assert head[4:10] == ["N\\_fg ↑", "N\\_bg ↓", "lambda ↑", "D\\_mean ↓", "D\\_std ↓", "rho ↑"]
    head = [cell["text"] for cell in parsed_html(html).rows[0]]
    assert head[3:9] == ["Nfg ↑", "Nbg ↓", "λ ↑", "Dmean ↓", "Dstd ↓", "ρ ↑"]
    lines = latex.splitlines()
    head = lines[lines.index(r"\toprule") + 1].removesuffix(r" \\").split(" & ")
    assert [plain_tex(cell) for cell in head[3:9]] == [
        *("N_fg ↑", "N_bg ↓", "lambda ↑", "D_mean ↓", "D_std ↓", "rho ↑")
    ]
    groups = sum(model == "vgg_small" for _, model, _ in PLACES)
    assert latex.count(r"vgg\_small") == html.count("vgg_small") == groups


def test_rounded_numbers_are_those_of_the_csv_file():
    table = big_table(comparisons())
    for row, line in zip(markdown_grid(table_markdown(table)), csv_rows(table_csv(table)), strict=True):
        assert [cell.text for cell in row[:4]] == [line[k] for k in ("data", "model", "layer", "network")]
        for cell, metric in zip(row[4:10], SIX, strict=True):
            assert cell.bold == (line[f"{metric}_bold"] == "1")
            assert cell.mark == ("*" if line[f"{metric}_star"] == "1" else "")
            shown = [cell.text, *cell.interval.strip("[]").split(", ")] if cell.interval else [cell.text]
            exact = [line[metric + end] for end in ("", "_low", "_high")][: len(shown)]
            for text, number in zip(shown, exact, strict=True):
                if number == "":
                    assert text == "n/a"
                else:
                    places = len(text.partition(".")[2])
                    assert abs(float(text) - float(number)) <= 0.5 * 10.0**-places + 1e-12


@pytest.mark.parametrize("name", TABLES)
def test_latex_is_balanced_and_every_row_has_all_columns(name):
    text = table_latex(TABLES[name]())
    open_environments = []
    for kind, environment in re.findall(r"\\(begin|end)\{([a-z*]+)\}", text):
        if kind == "begin":
            open_environments.append(environment)
        else:
            assert open_environments.pop() == environment
    assert open_environments == []
    body = "\n".join(line for line in text.splitlines() if not line.startswith("% needs"))
    bare = re.sub(r"\\[\\&%$#_{}]", "", body)  # without escaped signs
    depth = 0
    for sign in bare:
        depth += (sign == "{") - (sign == "}")
        assert depth >= 0
    assert depth == 0 and bare.count("$") % 2 == 0
    assert not set(bare) & set('#%~"') and "^" not in bare
    assert body.isascii()
    assert set(re.findall(r"\\([a-zA-Z]+)", body)) <= COMMANDS


def test_names_cannot_break_out():
    table = big_table(hostile())
    page = parsed_html(table_html(table))
    assert "script" not in page.tags
    assert sum(HOSTILE in text for text in page.texts) == 3
    assert markdown_grid(table_markdown(table))[0][0].text == HOSTILE
    assert [cell.text for cell in latex_grid(table_latex(table))[0]][:2] == [HOSTILE, "[0]" + HOSTILE]


def test_the_page_admits_its_own_style_and_nothing_else(tmp_path):
    write_sweep_tables(hostile(), networks(), tmp_path)
    for name in ("table", "comparisons", "networks"):
        text = (tmp_path / f"{name}.html").read_text(encoding="utf-8")
        style = re.search(r"<style>(.*?)</style>", text, re.DOTALL)[1]
        assert f"style-src 'sha256-{b64encode(sha256(style.encode()).digest()).decode()}'" in text
        page = parsed_html(text)
        assert page.tags.count("table") == 1 and "script" not in page.tags
        assert " style=" not in text and "http:" not in text and "https:" not in text
