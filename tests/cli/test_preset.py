"""Presets on the command line: what comes before what, and the table of both."""

import json

import pytest
import yaml

from kdprobe.cli import main
from kdprobe.cli.parser import make_parser
from kdprobe.cli.preset import with_preset
from kdprobe.experiment.presets import ROWS


def parsed(*arguments, home=None):
    parser = make_parser()
    arguments = list(arguments)
    made = with_preset(parser, arguments, parser.parse_args(arguments), home=home)
    return made[arguments[0]]


def test_a_preset_comes_before_files_and_options(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text("model: resnet50\nmeasure: {margin: 0.3, grid: 8}\ntraining: {epochs: 4}\n")
    found = parsed("run", "--preset", "released", "--config", str(file), "--measure.margin", "0.4")
    assert found.preset == "released" and found.model == "resnet50"
    assert (found.measure.margin, found.measure.grid, found.training.epochs) == (0.4, 8, 4)
    assert found.measure.protocol == "cheng2020_resnet"  # the model of the file decides
    assert (found.measure.weights, found.measure.empty, found.students) == ("layer", "zero", ["feature"])
    assert found.measure.foreground_share == (0.0, 1.0)
    plain = parsed("run", "--config", str(file))
    assert plain.preset is None and plain.measure.weights == "dependent"


def test_a_preset_named_in_the_file_works_alike(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text("preset: paper\nmodel: alexnet\n")
    assert parsed("run", "--config", str(file)).measure.margin == 0.2
    file.write_text("preset: paper\nmodel: vgg16\n")
    assert parsed("run", "--config", str(file)).measure.margin == 0.25


def test_options_of_the_data_set_are_added_to_those_given():
    given = json.dumps({"crops": "box"})
    arguments = ("run", "--preset", "released", "--data.name", "cub_200_2011", "--data.options")
    assert parsed(*arguments, given).data.options == {"mask_rule": "released", "crops": "box"}
    given = json.dumps({"mask_rule": "majority"})
    assert parsed(*arguments, given).data.options == {"mask_rule": "majority"}
    assert parsed("run", "--preset", "released").data.options == {}


def test_networks_that_are_trained_already_are_counted_otherwise_and_stay_what_they_were(tmp_path):
    home = tmp_path / "config.yaml"
    home.write_text("measure: {margin: 0.3}\ntraining: {epochs: 4}\ndata: {name: cub_200_2011}\n")
    found = parsed("measure", "RUN", "--preset", "released", home=str(home))
    assert found.measure.margin == 0.2 and found.measure.weights == "layer"
    assert found.training.epochs == 4 and found.training.optimiser == "adamw"
    assert found.students == ["kd"] and found.data.options == {}
    assert parsed("measure", "RUN", home=str(home)).measure.margin == 0.3
    assert parsed("compare", "A", "B", "--preset", "paper", home=str(home)).measure.scope == "image"


def test_another_preset_leaves_nothing_of_the_one_that_a_run_was_made_by(tmp_path):
    home = tmp_path / "config.yaml"
    home.write_text(
        "preset: released\nmodel: resnet50\n"
        "measure: {margin: 0.3, empty: zero, sample_filter: released, weights: layer, initial: rho, images: 12}\n"
    )
    found = parsed("measure", "RUN", "--preset", "paper", home=str(home)).measure
    assert (found.empty, found.sample_filter, found.weights, found.initial) == (
        "skip",
        "none",
        "dependent",
        False,
    )
    assert (found.margin, found.images) == (0.25, 12)  # the paper's; one that released did not fill in
    asked = ("measure", "RUN", "--preset", "paper", "--measure.empty", "zero")
    assert parsed(*asked, home=str(home)).measure.empty == "zero"
    assert parsed("measure", "RUN", "--preset", "released", home=str(home)).measure.empty == "zero"


def test_the_rate_of_the_teacher_goes_by_where_it_starts():
    arguments = ("run", "--preset", "released", "--model", "vgg16")
    found = parsed(*arguments).teacher
    assert (found.pretrained, found.learning_rate, found.epochs) == (True, 0.001, 150)
    assert parsed(*arguments, "--teacher.pretrained", "false").teacher.learning_rate is None
    assert parsed(*arguments, "--teacher.pretrained", "file.pt").teacher.learning_rate == 0.001
    given = parsed(*arguments, "--teacher.weights", "file.pt").teacher
    assert (given.pretrained, given.learning_rate) == (False, None)


def test_the_preset_that_a_run_recorded_is_not_filled_in_again(tmp_path):
    home = tmp_path / "config.yaml"
    home.write_text("preset: released\nmeasure: {margin: 0.3}\n")
    found = parsed("measure", "RUN", "--measure.grid", "8", home=str(home))
    assert (found.preset, found.measure.margin, found.measure.weights) == ("released", 0.3, "dependent")


def test_an_unknown_preset_ends_with_one_sentence(capsys, tmp_path):
    assert main(["run", "--preset", "printed", "--out", str(tmp_path / "out")]) == 2
    assert capsys.readouterr().err == "kdprobe: preset must be one of paper, released, got 'printed'.\n"
    assert not (tmp_path / "out").exists()


def test_the_table_lists_every_setting_within_100_columns_and_marks_what_is_open(capsys):
    assert main(["presets"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 100
    starts = [line.split()[0] for line in lines if line and not line.startswith(" ")]
    assert [start for start in starts if start in {row.setting for row in ROWS}] == [r.setting for r in ROWS]
    margin, grid, weights = (
        next(line.split()[1:] for line in lines if line.startswith(f"measure.{name} "))
        for name in ("margin", "grid", "weights")
    )
    assert margin == ["0.25", "(alexnet:", "0.2)", "0.2"]
    assert any("resnet*: rho" in line for line in lines) and any(
        "teacher.pretrained" in line for line in lines
    )
    assert grid == ["open", "[16]", "16"] and weights == ["open", "[dependent]", "layer"]


@pytest.mark.slow
def test_a_run_by_a_preset_records_it_and_says_what_was_changed(tmp_path, capsys):
    file = tmp_path / "mine.yaml"
    file.write_text(
        "data: {images_per_class: 8, classes: ['0', '1']}\n"
        "model_options: {widths: [4, 6, 8], fc: 12}\n"
        "teacher: {epochs: 1}\n"
        "training: {epochs: 2, classifier_epochs: 1, batch_size: 8, device: cpu}\n"
        "measure: {images: 4, foreground_share: [0.01, 0.9], redraws: 5, resamples: 100}\n"
        "report: {images: 1}\n"
    )
    out = tmp_path / "out"
    assert main(["run", "--preset", "paper", "--config", str(file), "--out", str(out)]) == 0
    recorded = yaml.safe_load((out / "config.yaml").read_text())
    assert recorded["preset"] == "paper" and recorded["measure"]["margin"] == 0.25
    notes = json.loads((out / "comparison.json").read_text())["notes"]
    assert notes[0] == "Counted by the preset paper; changed: training.batch_size (8 instead of 64)."
    before = (out / "comparison.json").read_bytes()
    assert main(["run", "--config", str(out / "config.yaml"), "--out", str(out)]) == 0
    assert (out / "comparison.json").read_bytes() == before
