"""The pictures of a report, inside the page: they stand in for what a script would show."""

from typing import Any

from kdprobe.metrics import METRICS
from kdprobe.pages import data_uri
from kdprobe.plots import curves_figure, interval_text, maps_figure, png_bytes
from kdprobe.records import ConceptMaps, ExperimentSummary


def curves_picture(summary: ExperimentSummary) -> dict[str, str] | None:
    """The curves, wide and tall, and what they end at, in words; None without a network."""
    if not summary.networks:
        return None
    ends = []
    for network in summary.networks:
        values = [
            " ".join([METRICS[metric].symbol, *interval_text(end.value, end.low, end.high)])
            for metric, points in network.curves.items()
            for end in points[-1:]
        ]
        last = network.epochs[-1] if network.epochs else 0
        ends.append(f"{network.name} at epoch {last}: {', '.join(values)}")
    return {
        "wide": data_uri("image/png", png_bytes(curves_figure(summary))),
        "tall": data_uri("image/png", png_bytes(curves_figure(summary, tall=True))),
        "file": "curves.png",
        "alt": "Curves of N_fg, N_bg and lambda over epochs and over weight distance, with 95 % bands. "
        + "; ".join(ends),
    }


def maps_picture(maps: ConceptMaps, number: int) -> dict[str, Any]:
    """The concept maps of one image, the `number`-th of the report."""
    names = ", ".join(maps.entropy)
    epochs = ", ".join(map(str, maps.epochs))
    return {
        "src": data_uri("image/png", png_bytes(maps_figure(maps))),
        "file": f"concept_maps_{number:02d}.png",
        "label": maps.label,
        "id": maps.image_id,
        "alt": f"Image of class {maps.label} with its foreground outlined, then entropy maps and concept "
        f"cells of {names} at epochs {epochs}.",
    }
