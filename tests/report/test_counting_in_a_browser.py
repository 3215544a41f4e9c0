"""What the page's script counts is what kdprobe.metrics counts: counts to the last cell, means to 1e-12."""

from math import isnan, nextafter

import pytest
from browser import Page
from pages.stand_in import OWN, write_page
from report.tied_maps import COUNTS, RULES, SHOWN, TIE, agree, expected, foreground, maps, tied

from kdprobe.metrics import baseline_entropy
from kdprobe.report.explorer import explorer_json

MARGINS = (1e-9, 0.2, nextafter(TIE, 0), TIE, 0.7, 9.0)


@pytest.fixture
def counted(browser, tmp_path):
    """What the script counts of a record: [layer][network][margin][epoch] -> numbers of every image, and means."""

    def count(record, margins):
        data = f'<script type="application/json" id="kdprobe-data">{explorer_json(record.explorer)}</script>'
        path = write_page(tmp_path / "counting.html", [(OWN, "explorer_counting.js")], [], data)
        page = Page(browser, path)
        found = page.run(
            """
            const {decode, image, summary} = kdprobe.counting;
            const data = decode(JSON.parse(document.getElementById("kdprobe-data").textContent));
            return data.layers.map((layer) => layer.networks.map((network) => arguments[0].map((b) =>
              network.epochs.map((_, k) => {
                const every = data.images.map((_, n) => n);
                const images = every.map((n) => image(layer, network, k, b, n));
                return {images, all: summary(layer, network, k, b, every)};
              }))));
            """,
            margins,
        )
        assert page.silent()
        return found

    return count


def test_the_made_up_maps_have_cells_exactly_on_the_margin():
    found = maps("baseline", "fc1", 7)
    contrast = baseline_entropy(found, foreground())[:, None, None, None] - found
    assert ((contrast == TIE).sum((1, 2, 3)) > 0).all()


@pytest.mark.parametrize("rules", RULES)
def test_it_counts_as_python_does_at_every_epoch_and_margin(counted, rules):
    record, seen = tied(**rules), set()
    for layer, of_layer in zip(record.explorer.layers, counted(record, MARGINS), strict=True):
        for network, of_network in zip(layer.networks, of_layer, strict=True):
            for margin, of_margin in zip(MARGINS, of_network, strict=True):
                for epoch, numbers in enumerate(of_margin):
                    where = network, layer.layer, epoch, margin
                    wanted = expected(*where, range(SHOWN), **rules)
                    assert agree(numbers["all"], wanted), (where[1:], numbers["all"], wanted)
                    for n in (0, SHOWN - 1):
                        shown = numbers["images"][n]
                        assert agree(shown, expected(*where, [n], **rules), exact=COUNTS)
                    seen |= {(metric, isnan(value)) for metric, value in wanted.items()}
    assert {("relevance_ratio", False), ("stability", False)} <= seen
    if rules["empty"] == "skip":
        assert {("relevance_ratio", True), ("stability", True)} <= seen, "some means have no value"


def test_a_margin_that_a_cell_meets_exactly_leaves_it_out(counted):
    below, exactly = (
        sum(image[metric] for image in of_margin[-1]["images"] for metric in COUNTS)
        for of_margin in counted(tied(), (nextafter(TIE, 0), TIE))[0][1]
    )
    assert below > exactly
