"""The explorer of a real run: exact maps, and every other layer that was measured alike."""

from dataclasses import replace

import numpy as np
import pytest
from experiment.quick import SMALL, changed, quietly

from kdprobe.errors import ConfigError
from kdprobe.experiment import measure_networks, read_config, report_again
from kdprobe.experiment.config import ReportConfig
from kdprobe.experiment.measuring import measurable, measured
from kdprobe.experiment.members import members
from kdprobe.experiment.setup import load_material
from kdprobe.experiment.summarise import summarise
from kdprobe.report import read_summary
from kdprobe.report.explorer import explorer_data

pytestmark = pytest.mark.usefixtures("runs_untried")


@pytest.fixture(scope="module")
def run(tmp_path_factory, runs_untried):
    """A finished experiment of which two of three images are shown, and what its run returned."""
    folder = tmp_path_factory.mktemp("run") / "out"
    return folder, quietly(changed(report={"max_images": 2}), folder)[0]


def at(folder, layer, **measure):
    config = read_config(folder)
    return replace(config, measure=replace(config.measure, layer=layer, **measure))


def explored(folder, **report):
    """What a new report would explore."""
    config = changed(read_config(folder), report=report)
    material = load_material(config)
    found = [measurable(config, material, member) for member in members(config, folder)]
    return summarise(config, material, found, explorer=True).explorer


def maps_on_disk(folder, config) -> dict[str, np.ndarray]:
    material = load_material(config)
    found = [measurable(config, material, member) for member in members(config, folder)]
    return {m.member.name: measured(config, m).entropy.numpy() for m in found}


def test_a_run_keeps_what_its_page_explores(run):
    folder, summary = run
    explorer, config = summary.explorer, read_config(folder)
    assert explorer.counted == 3 and len(explorer.ids) == 2
    (layer,) = explorer.layers
    maps = maps_on_disk(folder, config)
    assert layer.layer == "fc1" and {n.name for n in layer.networks} == {*maps}
    for network, known in zip(layer.networks, summary.networks, strict=True):
        assert np.array_equal(network.entropy, maps[network.name][:, :2])
        assert network.curves == known.curves and network.path == known.path
    assert explorer_data(read_summary(folder).explorer) == explorer_data(explorer)
    assert 'id="kdprobe-data"' in (folder / "report" / "index.html").read_text()


def test_a_layer_measured_alike_is_shown_too_and_one_measured_otherwise_is_not(run):
    folder, _ = run
    config = at(folder, "fc2")
    there = measure_networks(folder, config, show_progress=False)
    measure_networks(folder, at(folder, "fc3", grid=4), show_progress=False)
    explorer = explored(folder)
    assert [layer.layer for layer in explorer.layers] == ["fc1", "fc2"] and explorer.notes == ()
    maps = maps_on_disk(folder, config)
    assert len(maps) == 3
    for network, known in zip(explorer.layers[1].networks, there.networks, strict=True):
        assert np.array_equal(network.entropy, maps[network.name][:, :2])
        assert network.path == known.path and str(network.curves) == str(known.curves)  # NaN is not itself
    shard = next((folder / "networks" / "baseline" / "entropy").glob("*/*/00000.h5")).parent.parent
    broken = _without(folder, config, shard.parent)
    assert [layer.layer for layer in broken.layers] == ["fc1"]


def _without(folder, config, entropy):
    """The explorer while a shard of the baseline at this config's layer is damaged."""
    material = load_material(config)
    plan = next(measurable(config, material, m).plan for m in members(config, folder) if m.name == "baseline")
    path = sorted((entropy / plan.digest).glob("*/00000.h5"))[0]
    whole = path.read_bytes()
    path.write_bytes(whole[:-100] + bytes(100))
    try:
        return explored(folder)
    finally:
        path.write_bytes(whole)


def test_a_layer_that_has_no_room_or_lacks_an_image_is_named(run, monkeypatch):
    folder, _ = run
    measure_networks(folder, at(folder, "fc2"), show_progress=False)
    monkeypatch.setattr("kdprobe.experiment.exploring.has_room", lambda *_: False)
    explorer = explored(folder)
    assert len(explorer.layers) == 1 and "Layer fc2 is not shown: it would make" in explorer.notes[0]
    monkeypatch.undo()

    def lacking(config, found, **options):
        whole = measured(config, found, **options)
        return replace(whole, usable=~whole.usable)

    monkeypatch.setattr("kdprobe.experiment.exploring.measured", lacking)
    explorer = explored(folder)
    assert len(explorer.layers) == 1 and "could not be measured there" in explorer.notes[0]


def test_the_number_of_images_can_be_changed_afterwards(run):
    folder, _ = run
    assert len(explored(folder, max_images=1).ids) == 1
    assert report_again(folder, max_images=0).explorer is None
    assert read_summary(folder).explorer is None
    assert 'id="kdprobe-data"' not in (folder / "report" / "index.html").read_text()
    assert read_config(folder).report.max_images == 2


def test_a_page_with_less_room_says_so(run, monkeypatch):
    monkeypatch.setattr("kdprobe.analysis.explorer.MAPS", 1)
    explorer = explored(run[0])
    assert len(explorer.ids) == 1 and "More than 1 images would make this page too large." in explorer.notes


@pytest.mark.parametrize("count", [-1, True])
def test_a_number_of_images_that_is_none_is_refused(count):
    assert SMALL.report.max_images == 48
    with pytest.raises(ConfigError, match=r"report\.max_images must be a whole number from 0 on"):
        ReportConfig(max_images=count)
