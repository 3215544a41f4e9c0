"""Saved figures are the same bytes on every run, carry no date and embed their fonts."""

import matplotlib
import pytest
from report.summaries import concept_maps, summary

from kdprobe.plots import curves_figure, maps_figure, png_bytes, save, table_figure

DRAWINGS = {
    "curves": lambda: curves_figure(summary(1)),
    "table": lambda: table_figure(summary(1)),
    "maps": lambda: maps_figure(concept_maps(["a", "b"], (1, 2))),
}


@pytest.mark.slow  # every figure in processes of their own
@pytest.mark.parametrize("name", DRAWINGS)
def test_the_same_bytes_whatever_the_users_settings(tmp_path, name):
    first = save(DRAWINGS[name](), tmp_path / "new folder" / "v1.0 first")
    with matplotlib.rc_context({"font.size": 20, "pdf.fonttype": 3, "savefig.dpi": 30, "axes.grid": True}):
        second = save(DRAWINGS[name](), tmp_path / "second")
    assert [path.name for path in first] == ["v1.0 first.pdf", "v1.0 first.png"]
    for one, other in zip(first, second, strict=True):
        assert one.read_bytes() == other.read_bytes()


def test_the_pdf_embeds_its_fonts_and_has_no_date(tmp_path):
    pdf, png = save(DRAWINGS["curves"](), tmp_path / "curves")
    content = pdf.read_bytes()
    assert b"/FontFile2" in content  # TrueType, embedded
    assert b"/Type3" not in content
    assert b"Date" not in content
    assert png.read_bytes().startswith(b"\x89PNG")


def test_png_in_memory_is_the_same_picture(tmp_path):
    _, png = save(DRAWINGS["table"](), tmp_path / "table", dpi=90)
    assert png_bytes(DRAWINGS["table"](), dpi=90) == png.read_bytes()
