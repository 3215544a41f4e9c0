"""`kdprobe run` from data to report on a few images: what it writes, what it does not do twice, what it refuses."""

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from experiment.quick import untried
from PIL import Image

from kdprobe.errors import ConfigError, DataError, SnapshotError
from kdprobe.experiment import (
    ExperimentConfig,
    compare_networks,
    measure_networks,
    read_config,
    report_again,
    run_experiment,
)
from kdprobe.experiment.config import DataConfig, MeasureConfig, ReportConfig, TeacherConfig
from kdprobe.experiment.forecast import map_bytes
from kdprobe.experiment.setup import measure_settings
from kdprobe.metrics import METRICS
from kdprobe.report import console_table
from kdprobe.report.tables import markdown_table
from kdprobe.storage import EntropyStore, SnapshotStore, read_json
from kdprobe.training import TrainingSettings

TINY = ExperimentConfig(
    data=DataConfig(images_per_class=8, classes=["0", "1", "4"]),
    model_options={"widths": [4, 6, 8], "fc": 12},
    teacher=TeacherConfig(epochs=3),
    students=["kd", "feature"],
    training=TrainingSettings(epochs=2, classifier_epochs=1, batch_size=8, device="cpu"),
    measure=MeasureConfig(
        images=6, foreground_share=(0.01, 0.9), grid=8, tolerance=None, redraws=5, resamples=100
    ),
    report=ReportConfig(images=1, epochs=2),
)


def quietly(config, folder):
    return run_experiment(config, folder, say=lambda _text: None, show_progress=False)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("experiment") / "out"
    said = []
    summary = run_experiment(TINY, folder, say=said.append, show_progress=False)
    return folder, summary, said


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_what_it_writes(finished):
    folder, summary, said = finished
    comparison = read_json(folder / "comparison.json")
    assert set(comparison["networks"]) == {"teacher", "baseline", "student-kd", "student-feature"}
    for network in comparison["networks"].values():
        assert set(network) == set(METRICS)
        assert all(set(value) == {"value", "low", "high", "n"} for value in network.values())
    assert len(comparison["comparisons"]) == 2 * len(METRICS)
    assert set(comparison["comparisons"][0]) == {
        "student", "baseline", "metric", "difference", "low", "high", "n", "verdict",
    }  # fmt: skip
    assert (folder / "report" / "index.html").stat().st_size > 20_000
    names = {path.name for path in folder.rglob("*") if path.is_file()}
    assert {
        "curves.pdf",
        "curves.png",
        "table.pdf",
        "concept_maps_01.png",
        "metrics.csv",
        "curves.csv",
    } <= names
    assert any("ahead" in line and "disk" in line and "free" in line for line in said)
    assert {network.name for network in summary.networks} == set(comparison["details"])


def test_stages_and_epochs(finished):
    folder, summary, _ = finished
    by_name = {network.name: network for network in summary.networks}
    assert by_name["teacher"].epochs == (0, 1, 2, 3)
    for name in ("baseline", "student-kd", "student-feature"):
        assert by_name[name].epochs == (0, 1, 2)
    assert by_name["student-feature"].accuracy_note == "classifier not trained yet"
    assert by_name["student-kd"].accuracy_note == ""
    snapshots = SnapshotStore(folder / "networks" / "student-feature" / "snapshots").list()
    assert [(s.epoch, s.stage) for s in snapshots] == [(0, 0), (1, 0), (2, 0), (3, 1)]
    assert len(set(summary.networks[0].path)) == 4


def test_student_and_baseline_start_from_identical_weights_and_the_teacher_does_not(finished):
    folder, _, _ = finished
    first = {}
    for name in ("teacher", "baseline", "student-kd", "student-feature"):
        store = SnapshotStore(folder / "networks" / name / "snapshots")
        first[name] = store.load(store.list()[0])
    for name in ("student-kd", "student-feature"):
        assert all(torch.equal(first["baseline"][key], first[name][key]) for key in first["baseline"])
    weights = [key for key in first["baseline"] if first["baseline"][key].ndim > 1]
    assert not any(torch.equal(first["baseline"][key], first["teacher"][key]) for key in weights)


def test_again_does_nothing_twice_and_gives_the_same_bytes(finished):
    folder, _, _ = finished
    before = contents(folder)
    times = {p: p.stat().st_mtime_ns for p in folder.rglob("*.h5")}
    said = []
    run_experiment(TINY, folder, say=said.append, show_progress=False)
    assert sum("trained before" in line for line in said) == 4
    assert {p: p.stat().st_mtime_ns for p in folder.rglob("*.h5")} == times
    after = contents(folder)
    assert set(after) == set(before)
    same = [name for name in before if before[name] == after[name]]
    assert {n for n in before if n not in same} <= {"report/index.html"}  # its command line


@pytest.mark.slow
def test_an_interrupted_network_is_trained_again_to_the_same_bytes(finished, tmp_path):
    folder, _, _ = finished
    other = tmp_path / "other"
    quietly(TINY, other)
    (other / "networks" / "student-kd" / "run.json").unlink()
    lost = sorted((other / "networks" / "student-kd" / "snapshots").glob("*.h5"))[-1]
    lost.unlink()
    (other / "comparison.json").unlink()
    quietly(TINY, other)
    assert (other / "comparison.json").read_bytes() == (folder / "comparison.json").read_bytes()
    ours, theirs = contents(other / "networks"), contents(folder / "networks")
    assert {n: b for n, b in ours.items() if n.endswith(".h5")} == {
        n: b for n, b in theirs.items() if n.endswith(".h5")
    }


def test_other_settings_in_the_same_folder(finished):
    folder, _, _ = finished
    changed = dataclasses.replace(TINY, training=dataclasses.replace(TINY.training, learning_rate=1e-2))
    with pytest.raises(ConfigError, match=r"training differ.*--out"):
        quietly(changed, folder)


def test_counting_otherwise_measures_nothing_again(finished, tmp_path):
    folder, summary, _ = finished
    times = {p: p.stat().st_mtime_ns for p in folder.rglob("*.h5")}
    wide = dataclasses.replace(TINY, measure=dataclasses.replace(TINY.measure, margin=0.05))
    again = measure_networks(folder, wide, show_progress=False)
    assert {p: p.stat().st_mtime_ns for p in folder.rglob("*.h5")} == times
    before = summary.networks[1].metrics["n_background"].value
    assert again.networks[1].metrics["n_background"].value > before


def test_compare_and_report_give_what_run_gave(finished):
    folder, summary, _ = finished
    assert read_config(folder) == TINY
    again = report_again(folder)
    assert again.comparisons == summary.comparisons
    networks = folder / "networks"
    pair = compare_networks(networks / "student-kd", networks / "baseline", TINY, show_progress=False)
    assert list(pair.comparisons) == [c for c in summary.comparisons if c.student == "student-kd"]


@pytest.mark.slow
def test_teacher_from_a_weight_file_and_a_model_of_ones_own(finished, tmp_path):
    _folder, _, _ = finished
    (tmp_path / "mine.py").write_text(
        "from torch import nn\n"
        "def small(num_classes, image_shape):\n"
        "    c, h, w = image_shape\n"
        "    return nn.Sequential(nn.Conv2d(c, 4, 3, stride=4), nn.ReLU(inplace=True), nn.Flatten(),\n"
        "                         nn.Linear(4 * 8 * 8, 10), nn.ReLU(), nn.Linear(10, num_classes))\n"
    )
    config = dataclasses.replace(
        TINY,
        model=f"{tmp_path / 'mine.py'}:small",
        model_options={},
        students=["kd"],
        measure=dataclasses.replace(TINY.measure, layer="3"),
    )
    quietly(config, tmp_path / "first")
    store = SnapshotStore(tmp_path / "first" / "networks" / "teacher" / "snapshots")
    torch.save(store.load(store.list()[-1]), tmp_path / "teacher.pt")
    loaded = dataclasses.replace(config, teacher=TeacherConfig(weights=str(tmp_path / "teacher.pt")))
    summary = quietly(loaded, tmp_path / "second")
    teacher = summary.networks[0]
    assert teacher.epochs == (0,)
    assert teacher.metrics["stability"].n == 0
    kd = [
        SnapshotStore(tmp_path / run / "networks" / "student-kd" / "snapshots") for run in ("first", "second")
    ]
    first, second = (store.load(store.list()[-1]) for store in kd)
    assert all(torch.equal(first[key], second[key]) for key in first)
    record = read_json(tmp_path / "first" / "networks" / "teacher" / "run.json")
    assert record["specification"]["model"]["source"]["sha256"]


def test_data_without_masks_names_the_way_out(tmp_path, monkeypatch):
    untried(monkeypatch)
    generator = np.random.default_rng(0)
    for name in ("cat", "dog"):
        (tmp_path / "data" / "images" / name).mkdir(parents=True)
        for k in range(10):
            picture = Image.fromarray(generator.integers(0, 255, (16, 16, 3), dtype=np.uint8))
            picture.save(tmp_path / "data" / "images" / name / f"{k}.png")
    data = DataConfig(name="image_folder", root=str(tmp_path / "data"), image_size=16)
    config = dataclasses.replace(
        TINY, data=data, students=["kd"], measure=dataclasses.replace(TINY.measure, images=4)
    )
    with pytest.raises(DataError, match="foreground: central"):
        quietly(config, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    central = dataclasses.replace(config, data=dataclasses.replace(data, foreground="central"))
    summary = quietly(central, tmp_path / "out")
    assert any("central square" in note for note in summary.notes)


def test_mistakes_are_found_before_anything_is_trained(tmp_path):
    for changed, message in (
        ({"students": ["kdd"]}, "kd"),
        ({"model": "vgg_smal"}, "vgg_small"),
        ({"measure": dataclasses.replace(TINY.measure, layer="fc9")}, "fc"),
        ({"measure": dataclasses.replace(TINY.measure, solver="quick")}, "decomposed"),
        ({"measure": dataclasses.replace(TINY.measure, protocol="quick")}, "fixed_distortion, converged"),
        (
            {"measure": dataclasses.replace(TINY.measure, solver="sgd", protocol="converged")},
            "sgd cannot follow the protocol 'converged'",
        ),
        ({"students": ["kd", "kd"]}, "Two students"),
        ({"teacher": TeacherConfig(weights=str(tmp_path / "no.pt"))}, "no.pt"),
    ):
        with pytest.raises(Exception, match=message) as caught:
            quietly(dataclasses.replace(TINY, **changed), tmp_path / "out")
        assert "kdprobe" in type(caught.value).__module__
    assert not list(tmp_path.rglob("*.h5"))


@pytest.mark.parametrize(
    "name, value, words",
    [
        ("tolerance", 0, "above 0 nats"),
        ("tolerance", float("nan"), "above 0 nats"),
        ("tolerance", float("inf"), "above 0 nats"),
        ("internal_batch_size", "many", "from 1 on, or auto, got 'many'"),
        ("internal_batch_size", 0, "got 0"),
        ("internal_batch_size", True, "got True"),
    ],
)
def test_settings_of_the_measurement_that_cannot_be_used(name, value, words):
    with pytest.raises(ConfigError, match=words) as caught:
        MeasureConfig(**{name: value})
    assert f"measure.{name}" in str(caught.value) and "\n" not in str(caught.value)


def test_tolerance_and_batch_size_reach_the_measurement():
    for tolerance, size in ((0.05, 16), (None, "auto"), (0.02, None)):
        measure = dataclasses.replace(TINY.measure, tolerance=tolerance, internal_batch_size=size)
        settings = measure_settings(dataclasses.replace(TINY, measure=measure))
        assert (settings.tolerance, settings.internal_batch_size) == (tolerance, size)


def test_maps_on_disk_are_as_large_as_forecast(finished):
    folder, _, _ = finished
    images = TINY.measure.images
    sizes = [path.stat().st_size for path in (folder / "networks").rglob("entropy/*/*/*.h5")]
    assert sizes and all(0.5 < size / (images * map_bytes(TINY.measure.grid)) < 1 for size in sizes)


def test_what_was_measured_without_deviations_is_said_in_the_notes(finished, monkeypatch):
    folder, summary, _ = finished
    assert not any("standard errors alone" in note for note in summary.notes)
    load = EntropyStore.load

    def older(self, name):
        found = load(self, name)
        return found if found is None else (dataclasses.replace(found[0], noise=None), found[1])

    monkeypatch.setattr(EntropyStore, "load", older)
    again = measure_networks(folder / "networks" / "baseline", TINY, show_progress=False)
    assert any(note.startswith("baseline: ") and "standard errors alone" in note for note in again.notes)


def test_damaged_records_are_named(finished, tmp_path):
    folder, _, _ = finished
    other = tmp_path / "other"
    shutil.copytree(folder, other)
    for name, content in (("networks/baseline/run.json", "{}"), ("networks/teacher/run.json", '{"a')):
        before = (other / name).read_text()
        (other / name).write_text(content)
        with pytest.raises(SnapshotError, match=r"run\.json is damaged"):
            quietly(TINY, other)
        (other / name).write_text(before)
    (other / "config.yaml").write_text(": [")
    with pytest.raises(ConfigError, match=r"config\.yaml cannot be read") as caught:
        read_config(other)
    assert "\n" not in str(caught.value)


def test_comparison_is_valid_json_without_nan(finished):
    folder, _, _ = finished
    text = (folder / "comparison.json").read_text()
    json.loads(text, parse_constant=lambda constant: pytest.fail(f"{constant} in comparison.json"))


def test_counted_as_the_released_code_does(finished):
    """The maps are there: only the counting is another one, and report, tables and terminal say which."""
    folder, summary, _ = finished
    released = dataclasses.replace(
        TINY.measure, initial=True, empty="zero", spread="var", sample_filter="released", filter_from_epoch=2
    )
    found = measure_networks(folder, dataclasses.replace(TINY, measure=released), show_progress=False)
    note = next(note for note in found.notes if note.startswith("Sample filter of the released code: "))
    kept = int(note.split(": ")[1].split(" of ")[0])
    assert {network.metrics["stability"].n for network in found.networks} == {kept}
    assert "baseline" in note and "teacher" not in note
    assert next(h for h in found.hypotheses if h.name == "H2").metrics[1] == "learning_distance_var"
    for words in ("from epoch 0 on", "D_var, the variance", "count as 0", "from epoch 2 on"):
        assert words in found.counting and words not in summary.counting
        assert words in " ".join(markdown_table(found).replace("\\", "").split())
        assert words in " ".join(console_table(found).split())
    assert "from epoch 1 on" in read_json(folder / "comparison.json")["counting"]
    assert "from epoch 1 on" in (folder / "report" / "index.html").read_text()
    assert "from epoch 1 on" in (folder / "tables" / "metrics.tex").read_text()


def test_a_filter_without_an_epoch_to_look_at_is_refused_before_anything_is_trained(tmp_path):
    measure = dataclasses.replace(TINY.measure, sample_filter="released")
    with pytest.raises(
        ConfigError, match=r"from 40 on, and baseline is analysed up to epoch 2; lower measure"
    ):
        quietly(dataclasses.replace(TINY, measure=measure), tmp_path / "out")
    assert not (tmp_path / "out").exists()
