"""Every network by both presets: what is asked for, and one small network through all of it."""

import sys

import numpy as np
import pytest
import torch
from PIL import Image

from analyses import paper_networks
from analyses.handful import cut_cub, cut_tiny
from analyses.paper_networks import Task, config_of, counted, settings, taps
from kdprobe.data import load_data
from kdprobe.errors import InputError, TrainingError
from kdprobe.estimator import SOLVERS, EntropyEstimator, Jacobian
from kdprobe.experiment.config import ExperimentConfig, MeasureConfig
from kdprobe.networks import build_network, list_networks

NETWORKS = {entry.name: entry for entry in list_networks()}


@pytest.fixture(autouse=True)
def solvers():
    with paper_networks.cheap_solvers():
        yield
    assert not set(paper_networks.CHEAP) & set(SOLVERS)


def noise(path, side, generator):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(generator.integers(0, 256, size=(side, side, 3), dtype=np.uint8)).save(path)


@pytest.fixture
def photographs(tmp_path):
    """Of eleven words three to learn from and four to test on, of four species two and two: noise with boxes."""
    root, generator = tmp_path / "photographs" / "tiny-imagenet-200", np.random.default_rng(0)
    tested = []
    for word in range(11):
        wnid, boxes = f"n{word:08d}", []
        for number in range(3):
            noise(root / "train" / wnid / "images" / f"{wnid}_{number}.JPEG", 64, generator)
            boxes.append(f"{wnid}_{number}.JPEG\t8\t8\t40\t48")
        (root / "train" / wnid / f"{wnid}_boxes.txt").write_text("\n".join(boxes) + "\n")
        tested += [(f"val_{word}_{number}.JPEG", wnid) for number in range(4)]
    for name, _ in tested:
        noise(root / "val" / "images" / name, 64, generator)
    rows = [f"{name}\t{wnid}\t8\t8\t40\t48\n" for name, wnid in sorted(tested)]
    (root / "val" / "val_annotations.txt").write_text("".join(rows))
    _species(root.parent / "CUB_200_2011", generator)
    return root.parent


def _species(root, generator):
    tables = {name: [] for name in ("images", "image_class_labels", "train_test_split", "bounding_boxes")}
    for number in range(16):
        label = number % 4 + 1
        path = f"00{label}.Bird/bird_{number}.png"
        noise(root / "images" / path, 40, generator)
        tables["images"].append(f"{number} {path}")
        tables["image_class_labels"].append(f"{number} {label}")
        tables["train_test_split"].append(f"{number} {int(number < 8)}")
        tables["bounding_boxes"].append(f"{number} 10.0 6.0 20.0 24.0")
    tables["classes"] = [f"{label} 00{label}.Bird" for label in range(1, 5)]
    for name, lines in tables.items():
        (root / f"{name}.txt").write_text("\n".join(lines) + "\n")


def task(name, root, work):
    return Task(
        entry=NETWORKS[name],
        presets=("paper", "released"),
        done=frozenset(),
        root=root,
        work=work,
        fc=256,
        images=1,
        device="cpu",
        threads=1,
    )


def test_a_handful_of_cub_is_cut_out_by_tables_and_the_photographs_stay_where_they_are(photographs, tmp_path):
    root, cut = photographs / "CUB_200_2011", tmp_path / "cut"
    cut_cub(root, cut, 1)
    lines = (cut / "image_class_labels.txt").read_text().split("\n")[:-1]
    assert lines == ["0 1", "1 2", "2 3", "8 1", "9 2", "10 3"]
    assert (cut / "classes.txt").read_text() == "1 001.Bird\n2 002.Bird\n3 003.Bird\n"
    assert (cut / "bounding_boxes.txt").read_text().startswith("0 10.0 6.0 20.0 24.0\n1 ")
    assert (cut / "images").is_symlink() and (cut / "images").resolve() == root / "images"


def test_a_handful_of_tiny_imagenet_is_cut_out_and_its_loader_reads_it(photographs, tmp_path):
    root, cut = photographs / "tiny-imagenet-200", tmp_path / "cut"
    cut_tiny(root, cut, 2, 1)
    for split, where, count in (("train", "train", 2), ("test", "val", 1)):
        read = load_data("tiny_imagenet", root=cut, split=split, image_size=32)
        assert read.labels.tolist() == [label for label in range(10) for _ in range(count)]
        assert {name.split("/")[0] for name in read.ids} == {where}
    assert (cut / "val" / "images").resolve() == root / "val" / "images"
    cut_tiny(root, cut, 2, 1)  # what is there already is no error


@pytest.mark.slow  # every network
@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_is_asked_for_at_its_own_size_under_both_presets(name, photographs, tmp_path):
    one = task(name, photographs, tmp_path)
    offered = taps(one.entry)
    assert {"conv", "fc1", "fc2", "fc3"} == set(offered) or {"stage3", "pool", "logits"} <= set(offered)
    for preset in one.presets:
        config = config_of(preset, settings(one, offered[-1]))
        assert config.preset == preset and config.model == name and config.students == ["feature"]
        assert config.data.image_size == one.entry.image_shape[-1]
        assert config.data.name == ("tiny_imagenet" if one.small else "cub_200_2011")
        assert (config.training.learning_rate == 1e-4) is one.small
        assert config.training.epochs == 2
        assert config.teacher.epochs == (5 if one.small else 2)
        assert config.measure.empty == {"paper": "skip", "released": "zero"}[preset]
    assert [p for _, presets in one.trainings for p in presets] == ["paper", "released"]


def test_values_before_a_relu_say_the_same_as_those_after_it():
    """The taps that are left out."""
    model = build_network("resnet20", num_classes=3, image_shape=(3, 32, 32))
    image = torch.randn(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    before, after = (
        EntropyEstimator(model, tap, solver=Jacobian(probes=2), grid=8).estimate(image).entropy
        for tap in ("stage2_preact", "stage2")
    )
    assert before.std() > 0 and torch.allclose(before, after, atol=1e-5)


def test_a_filter_that_leaves_nothing_is_left_out_and_said():
    asked, config = [], ExperimentConfig(measure=MeasureConfig(sample_filter="released"))

    def call(config):
        asked.append(config.measure.sample_filter)
        if config.measure.sample_filter != "none":
            raise InputError("The sample filter leaves no image.")
        return "summary"

    assert counted(call, config) == ("summary", "no image passed the sample filter: none used")
    assert asked == ["released", "none"]

    def fail(_config):
        raise InputError("No probe image could be measured.")

    with pytest.raises(InputError, match="could be measured"):
        counted(fail, config)


@pytest.mark.slow  # two experiments
def test_rows_for_both_presets_and_none_is_done_twice(photographs, read, tmp_path, monkeypatch):
    monkeypatch.setattr(paper_networks, "taps", lambda _entry: ["conv", "fc3"])
    monkeypatch.setattr(torch, "set_num_threads", lambda _count: None)
    work, out = tmp_path / "work", tmp_path / "table.csv"
    arguments = ["--data", str(photographs), "--out", str(out), "--work", str(work), "--workers", "1"]
    arguments += ["--networks", "vgg_small"]

    def run(*presets):
        monkeypatch.setattr(sys, "argv", ["x", *arguments, "--presets", *presets])
        paper_networks.main()
        return read(out)

    first = run("paper")
    rows = run("paper", "released")
    assert rows[:2] == first
    assert [(row["network"], row["preset"], row["tap"], row["path"]) for row in rows] == [
        ("vgg_small", "paper", "conv", "epochs"),
        ("vgg_small", "paper", "fc3", "epochs"),
        ("vgg_small", "released", "conv", "epochs"),
        ("vgg_small", "released", "fc3", "steps"),
    ]
    own = build_network("vgg_small", num_classes=10, image_shape=(3, 32, 32))
    for row in rows:
        assert int(row["parameters"]) == sum(parameter.numel() for parameter in own.parameters())
        assert int(row["features"]) == {"conv": 64 * 8 * 8, "fc3": 10}[row["tap"]]
        assert row["trained_as"] == row["preset"] and float(row["cpu_seconds"]) > 0
        if int(row["images_counted"]):
            assert 0 <= float(row["n_fg_student"]) + float(row["n_bg_student"]) <= 16 * 16
            assert float(row["epochs_kept"]) == {"paper": 2, "released": 1}[row["preset"]]
        else:
            assert row["note"] and row["n_fg_student"] == "nan"
    assert any(int(row["images_counted"]) for row in rows)
    assert [path.name for path in work.iterdir()] == ["photographs-1"]

    def never(*_args, **_keywords):
        raise AssertionError("done twice")

    monkeypatch.setattr(paper_networks, "row_of", never)
    assert run("paper", "released") == rows


def test_a_training_that_diverges_is_a_row_with_its_reason(photographs, tmp_path, monkeypatch):
    def diverges(*_, **__):
        raise TrainingError("The loss became inf, so it stops.")

    one = task("vgg_small", photographs, tmp_path)
    monkeypatch.setattr(paper_networks, "train_experiment", diverges)
    row = paper_networks.row_of(one, "paper", "paper", taps(one.entry)[-1], tmp_path / "out")
    assert row["note"] == "The loss became inf; so it stops."
    assert np.isnan([row["accuracy_student"], row["n_fg_student"], row["accuracy_teacher"]]).all()
