"""What noise alone shows in the tables of concepts over time."""

from dataclasses import replace

import pytest
import torch
from synthetic_units import LEVEL, SETTINGS, synthetic_unit

from kdprobe.analysis.knowledge import forgetting_rows, overlap_rows
from kdprobe.analysis.values import redraw_seed
from kdprobe.metrics import still_maps

SIZE, IMAGES, EPOCHS = 0.03, 150, 3  #: nats; the standard deviation of what errs


@pytest.fixture(scope="module")
def unit():
    """One map that never changes for all networks, measured with noise of each cell, epoch and network alone."""
    unit = synthetic_unit(images=IMAGES, grid=4, epochs=EPOCHS, settings=replace(SETTINGS, redraws=12))
    generator = torch.Generator().manual_seed(1)
    spread = torch.rand(unit.foreground.shape, generator=generator, dtype=torch.float64)
    level = LEVEL - 0.4 * spread * unit.foreground  # contrasts of 0 ... 0.4 nats; the margin is 0.2
    count, cells = EPOCHS + 1, 16
    sources = torch.zeros(count, IMAGES, count * cells, cells)
    for epoch in range(count):
        sources[epoch, :, epoch * cells : (epoch + 1) * cells] = SIZE * torch.eye(cells)
    networks = {}
    for name, network in unit.networks.items():
        drawn = SIZE * torch.randn(count, *level.shape, generator=generator, dtype=torch.float64)
        measured = replace(
            network.measured, entropy=level + drawn, noise=sources.reshape(*sources.shape[:3], 4, 4)
        )
        networks[name] = replace(network, measured=measured)
    return replace(unit, networks=networks)


def of_foreground(rows, name):
    return [row for row in rows if row["network"] == name and row["cells"] == "foreground"]


def test_networks_that_never_change_are_at_the_floor_of_their_own(unit, counted):
    for name in unit.networks:
        later = of_foreground(forgetting_rows(counted), name)[1:]
        for field in ("gained", "lost"):
            seen, floor = (sum(row[key] for row in later) / EPOCHS for key in (field, f"{field}_still"))
            assert 0.1 < floor == pytest.approx(seen, rel=0.15), (name, field)
    for name in ("baseline", "student-kd"):
        last = of_foreground(overlap_rows(counted), name)[-1]
        assert last["iou"] < 0.95 and last["iou_still"] == pytest.approx(last["iou"], abs=0.04)


def test_the_floor_is_that_of_the_last_epochs_maps_under_the_noise_of_each(unit, counted):
    settings = unit.settings
    for name in ("baseline", "student-kd"):
        measured = unit.networks[name].measured
        expected = still_maps(
            measured.entropy[-1],
            measured.noise,
            unit.foreground,
            counted.cells,
            margin=settings.margin,
            scope=settings.scope,
            redraws=settings.redraws,
            seed=redraw_seed(name, measured, settings),
        )
        for kind, still in expected.items():
            rows = [r for r in forgetting_rows(counted) if r["network"] == name and r["cells"] == kind]
            for field in ("gained", "lost"):
                found = [row[f"{field}_still"] for row in rows]
                assert found[0] is None
                assert found[1:] == pytest.approx(getattr(still, field)[1:].mean(1).tolist())
        rows = of_foreground(overlap_rows(counted), name)
        assert [row.get("iou_still") for row in rows[:-1]] == [None] * EPOCHS
        assert rows[-1]["iou_still"] == pytest.approx(float(expected["foreground"].overlap.nanmean()))
