"""Write a figure: vector and raster, the same bytes whenever it is drawn again."""

from io import BytesIO
from pathlib import Path

from matplotlib.figure import Figure

from kdprobe.plots.style import house_style

_NO_DATES = {
    "pdf": {"CreationDate": None, "ModDate": None, "Creator": "kdprobe", "Producer": None},
    "png": {"Software": None},
}


def save(figure: Figure, stem: str | Path, dpi: int = 200) -> tuple[Path, Path]:
    """Write `stem`.pdf (fonts embedded) and `stem`.png; return both paths. A missing folder is made."""
    paths = []
    for form in ("pdf", "png"):
        path = Path(f"{stem}.{form}")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(_drawn(figure, form, dpi))
        paths.append(path)
    return paths[0], paths[1]


def png_bytes(figure: Figure, dpi: int = 160) -> bytes:
    """The figure as PNG, in memory."""
    return _drawn(figure, "png", dpi)


def _drawn(figure: Figure, form: str, dpi: int) -> bytes:
    target = BytesIO()
    with house_style():
        figure.savefig(target, format=form, dpi=dpi, metadata=_NO_DATES[form])
    return target.getvalue()
