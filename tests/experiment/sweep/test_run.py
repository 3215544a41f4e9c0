"""A sweep of small experiments: what it does, what it does not do twice, and what a failure costs."""

import csv
import dataclasses
import shutil
from html import unescape

import numpy as np
import pytest
import torch
import yaml
from experiment.quick import untried
from PIL import Image

from kdprobe.analysis import pooled_comparisons
from kdprobe.analysis.knowledge import COLUMNS, knowledge_tables
from kdprobe.cli.main import main
from kdprobe.errors import ConfigError, LayerError, TrainingError
from kdprobe.experiment import read_config, run_experiment, sweep_units
from kdprobe.experiment.folders import config_of
from kdprobe.experiment.forecast import duration
from kdprobe.experiment.lock import sole_run
from kdprobe.experiment.setup import load_material
from kdprobe.experiment.sweep import (
    SweepConfig,
    plan_sweep,
    publish_sweep,
    read_sweep,
    run_sweep,
    sweep_ahead,
    with_roots,
)
from kdprobe.metrics import METRICS
from kdprobe.report import read_comparisons, read_networks
from kdprobe.report.map_file import read_maps
from kdprobe.storage import read_json, write_json

SWEEP = SweepConfig(
    data={
        "three": {"data": {"images_per_class": 6, "classes": ["0", "1", "4"]}},
        "two": {"data": {"images_per_class": 6, "classes": ["0", "1"]}},
    },
    models={"small": {"model_options": {"widths": [4, 4, 4], "fc": 6}}},
    seeds=[0, 1],
    layers=["fc1", "fc2"],
    base={
        "teacher": {"epochs": 2},
        "training": {"epochs": 2, "classifier_epochs": 1, "batch_size": 4, "device": "cpu"},
        "measure": {
            "images": 4,
            "foreground_share": [0.01, 0.9],
            "grid": 8,
            "solver": "jacobian",
            "redraws": 2,
            "resamples": 10,
        },
        "live": {"images": 0},
    },
)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    untried(monkeypatch)


def swept(sweep, folder, **options):
    said = []
    return run_sweep(sweep, folder, say=said.append, show_progress=False, **options), said


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sweep") / "out"
    with pytest.MonkeyPatch.context() as patch:
        untried(patch)
        assert swept(SWEEP, folder)[0] == []
    return folder


@pytest.fixture(scope="module")
def published(finished, tmp_path_factory):
    folder = tmp_path_factory.mktemp("published") / "tables"
    return folder, publish_sweep(finished, folder)


def test_every_seed_data_set_and_layer_is_there_and_the_first_seed_comes_first(finished):
    planned = plan_sweep(SWEEP, finished)
    assert [(each.seed, each.data) for each in planned] == [
        (0, "three"),
        (0, "two"),
        (1, "three"),
        (1, "two"),
    ]
    assert [each.todo for each in planned] == [[]] * 4
    units = list(sweep_units(finished))
    assert [(unit.seed, *unit.key) for unit in units] == [
        (each.seed, each.data, "small", layer) for each in planned for layer in ("fc1", "fc2")
    ]
    for unit in units:
        assert list(unit.networks) == ["teacher", "baseline", "student-kd"]
        assert unit.foreground.shape == (len(unit.ids), 8, 8) and len(unit.labels) == len(unit.ids)
        assert [network.measured.entropy.shape[1] for network in unit.networks.values()] == [
            len(unit.ids)
        ] * 3
        assert unit.networks["baseline"].measured.noise is not None


@pytest.mark.slow  # an experiment of its own
def test_its_numbers_are_those_of_the_same_experiment_run_alone(finished, tmp_path):
    planned = plan_sweep(SWEEP, finished)[1]
    alone = run_experiment(planned.config, tmp_path / "out", say=lambda _: None, show_progress=False)
    first, unit = read_json(planned.result("fc1")), next(u for u in sweep_units(finished) if u.data == "two")
    for network in alone.networks:
        values = unit.values(network.name).values
        for name, metric in METRICS.items():
            told = first["networks"][network.name][name]["value"]
            found = network.metrics[name].value
            assert told == (found if found == found else None)
            kept = values[name][~values[name].isnan()]
            if metric.statistic == "mean" and len(kept):
                assert float(kept.mean()) == pytest.approx(found, rel=1e-12)
        assert unit.networks[network.name].accuracy == network.accuracy


def test_what_is_finished_is_not_even_looked_at_again(finished, monkeypatch):
    def never(*_args, **_keywords):
        raise AssertionError("done twice")

    monkeypatch.setattr("kdprobe.experiment.sweep.run.trained", never)
    assert swept(SWEEP, finished) == ([], [])


def test_it_may_grow_and_only_what_is_new_is_done(tmp_path):
    small = dataclasses.replace(SWEEP, data={"two": SWEEP.data["two"]}, seeds=[0], layers=["fc1"])
    assert swept(small, tmp_path)[0] == []
    weights = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("snapshots/*.h5")}
    grown = dataclasses.replace(small, layers=["fc1", "fc2"])
    assert [each.todo for each in plan_sweep(grown, tmp_path)] == [["fc2"]]
    assert swept(grown, tmp_path)[0] == []
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("snapshots/*.h5")} == weights
    with pytest.raises(
        ConfigError, match=r"sweep\.yaml has other layers of small \(fc1, fc2\); a sweep may only grow"
    ):
        swept(small, tmp_path)


def test_what_fails_is_named_costs_the_others_nothing_and_is_tried_again(tmp_path, monkeypatch):
    from kdprobe.experiment import train_all

    real = train_all.train_member

    def diverges(config, material, member, *rest, **options):
        if config.seed == 0 and config.data.classes == ["0", "1"] and member.role == "baseline":
            raise TrainingError("The loss became inf, so it stops.")
        return real(config, material, member, *rest, **options)

    one = dataclasses.replace(SWEEP, seeds=[0], layers=["fc1"])
    with monkeypatch.context() as patch:
        patch.setattr(train_all, "train_member", diverges)
        failed, _said = swept(one, tmp_path)
    assert failed == ["two, small, seed 0: The loss became inf, so it stops."]
    assert [each.todo for each in plan_sweep(one, tmp_path)] == [[], ["fc1"]]
    assert [unit.data for unit in sweep_units(tmp_path)] == ["three"]
    failed, said = swept(one, tmp_path)
    assert failed == [] and any("teacher: trained before" in sentence for sentence in said)


@pytest.mark.parametrize("layers", [["fc1", "fc9", "fc2"], ["fc9", "fc1", "fc2"]])
def test_a_layer_that_cannot_be_measured_costs_the_other_layers_nothing(tmp_path, layers):
    base = {**SWEEP.base, "live": {"images": 2}}  # whose layer is the first one
    one = dataclasses.replace(SWEEP, seeds=[0], data={"two": SWEEP.data["two"]}, layers=layers, base=base)
    failed, said = swept(one, tmp_path)
    assert len(failed) == 1 and "two, small, seed 0, fc9: VGGSmall has no layer 'fc9'" in failed[0]
    assert [unit.layer for unit in sweep_units(tmp_path)] == ["fc1", "fc2"]
    warned = next(
        place for place, text in enumerate(said) if text.startswith("Layer 'fc9' cannot be measured:")
    )
    assert warned < next(place for place, text in enumerate(said) if ": trained, accuracy" in text)
    with pytest.raises(LayerError, match="VGGSmall has no layer 'fc9'"):
        list(sweep_ahead(one, tmp_path / "new"))


def test_without_any_layer_that_can_be_measured_nothing_is_trained(tmp_path):
    one = dataclasses.replace(SWEEP, seeds=[0], data={"two": SWEEP.data["two"]}, layers=["fc9", "fc8"])
    failed, _said = swept(one, tmp_path)
    assert len(failed) == 1 and failed[0].startswith("two, small, seed 0: VGGSmall has no layer 'fc9'")
    assert not list(tmp_path.rglob("networks"))


def test_the_forecast_of_an_experiment_covers_all_layers_that_are_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr("kdprobe.experiment.ahead.seconds_per_image", lambda *_: 100.0)
    one = dataclasses.replace(SWEEP, seeds=[0], data={"two": SWEEP.data["two"]}, layers=["fc1"])
    told = []
    for layers in (["fc1"], ["fc1", "fc2", "conv"]):
        more = dataclasses.replace(one, layers=layers)
        (ahead,) = sweep_ahead(more, tmp_path)
        _, said = swept(more, tmp_path)
        (sentence,) = [text for text in said if text.startswith("About ")]
        assert f"and {duration(ahead.measuring_seconds)} of measuring" in sentence
        told.append(ahead.measuring_seconds)
    assert told[0] > 0 and told[1] == 2 * told[0]  # fc1 is done by then


def test_when_time_is_up_nothing_new_begins(tmp_path):
    failed, said = swept(SWEEP, tmp_path, minutes=0.0)
    assert failed == [] and said == [
        "Time is up with 8 layers of experiments to do; the same command goes on from here."
    ]
    with pytest.raises(ConfigError, match=r"Nothing of the sweep in .* is finished"):
        next(sweep_units(tmp_path))


def test_a_folder_without_a_sweep_is_none(tmp_path):
    with pytest.raises(ConfigError, match="is not the folder of a sweep"):
        next(sweep_units(tmp_path))


def test_the_plan_counts_what_is_left_and_writes_nothing(finished, tmp_path):
    fresh = list(sweep_ahead(SWEEP, tmp_path / "out"))
    assert [(each.data, each.units, each.done) for each in fresh] == [("three", 4, 0), ("two", 4, 0)]
    assert all(each.disk_bytes > 0 for each in fresh) and not (tmp_path / "out").exists()
    longer, there = dataclasses.replace(SWEEP, seeds=[0, 1, 2]), contents(finished)
    ahead = list(sweep_ahead(longer, finished))
    assert contents(finished) == there
    assert [(each.units, each.done) for each in ahead] == [(6, 4), (6, 4)]
    assert ahead[0].disk_bytes == fresh[0].disk_bytes // 2
    assert [each.disk_bytes for each in sweep_ahead(SWEEP, finished)] == [0, 0]


def contents(folder):
    """Every file and folder in `folder`, with its bytes and when it was written."""
    return {
        path: (path.stat().st_mtime_ns, path.read_bytes() if path.is_file() else None)
        for path in [folder, *folder.rglob("*")]
    }


def test_the_command_line_runs_it_and_shows_the_plan(tmp_path, capsys, monkeypatch):
    one = dataclasses.replace(SWEEP, seeds=[0], data={"two": SWEEP.data["two"]}, layers=["fc1"])
    (tmp_path / "one.yaml").write_text(yaml.safe_dump(dataclasses.asdict(one)))
    arguments = ["sweep", str(tmp_path / "one.yaml"), "--out", str(tmp_path / "out")]
    assert main([*arguments, "--dry-run"]) == 0
    shown = capsys.readouterr().out
    assert "two       small    fc1     0/1" in shown and "0 of 1 units (seed and layer) done" in shown
    assert not (tmp_path / "out").exists()
    assert main(arguments) == 0
    said = capsys.readouterr().out
    assert str(tmp_path / "out" / "tables") in said
    page = tmp_path / "out" / "tables" / "index.html"
    assert f"report      {page}" in said
    assert "one seed" in page.read_text() and page.read_text().count("<tr data-row=") == 3
    more = dataclasses.replace(one, seeds=[0, 1], layers=["fc1", "fc2"])
    (tmp_path / "more.yaml").write_text(yaml.safe_dump(dataclasses.asdict(more)))
    there = contents(tmp_path)
    assert main(["sweep", str(tmp_path / "more.yaml"), "--out", str(tmp_path / "out"), "--dry-run"]) == 0
    assert "1 of 4 units (seed and layer) done" in capsys.readouterr().out and contents(tmp_path) == there
    assert read_config(tmp_path / "out" / "two" / "small" / "seed-0").measure.layer == "fc1"
    assert main([*arguments, "--root", "two"]) == 2
    assert "Expected --root as NAME=DIR, got 'two'" in capsys.readouterr().err


def test_what_could_not_be_written_is_said_with_an_exit_code_of_its_own(finished, tmp_path, capsys):
    shutil.copytree(finished, tmp_path / "out")
    (tmp_path / "sweep.yaml").write_text(yaml.safe_dump(dataclasses.asdict(SWEEP)))
    arguments = ["sweep", str(tmp_path / "sweep.yaml"), "--out", str(tmp_path / "out")]
    assert main(arguments) == 0 and "could not be written" not in capsys.readouterr().out
    for seed, kind in ((0, "failed_snapshots"), (1, "failed_notes")):
        path = tmp_path / "out" / "two" / "small" / f"seed-{seed}" / "networks" / "teacher" / "run.json"
        write_json(path, {**read_json(path), kind: 2})
    assert main(arguments) == 3
    said = capsys.readouterr().out
    assert "4 snapshots, resume points or log lines could not be written (disk full?): see notes.csv" in said


def test_an_experiment_of_it_can_be_opened_by_the_other_commands(finished):
    home = finished / "two" / "small" / "seed-1"
    config = config_of(home / "config.yaml")
    assert (config.seed, config.measure.layer, config.students) == (1, "fc1", ["kd"])
    assert torch.equal(*(next(sweep_units(finished)).foreground for _ in range(2)))


def test_the_tables_are_those_of_the_finished_units(finished, published):
    folder, written = published
    assert {path.name for path in written} == {path.name for path in folder.iterdir()}
    units = list(sweep_units(finished))
    comparisons = pooled_comparisons(units)
    assert read_comparisons(folder / "comparisons.csv") == comparisons
    assert {(c.data, c.layer, c.seeds) for c in comparisons if c.metric == "n_foreground"} == {
        (data, layer, 2) for data in ("three", "two") for layer in ("fc1", "fc2")
    }
    told = {
        (row.data, row.layer, row.seed, row.network): row.value.value
        for row in read_networks(folder / "networks.csv")
        if row.metric == "n_foreground"
    }
    for unit in units:
        for name in unit.networks:
            values = unit.values(name).values["n_foreground"]
            assert told[unit.data, unit.layer, unit.seed, name] == pytest.approx(
                float(values.mean()), rel=1e-12
            )


def test_tables_hold_numbers_exactly_and_nothing_for_what_is_missing(finished, published):
    folder, _ = published
    for name, rows in knowledge_tables(sweep_units(finished)).items():
        table = folder / f"{name}.csv"
        assert table.read_text().splitlines()[0] == ",".join(COLUMNS[name])
        texts = [
            {
                column: "" if value is None else repr(value) if isinstance(value, float) else str(value)
                for column in COLUMNS[name]
                for value in [row.get(column)]
            }
            for row in rows
        ]
        assert list(csv.DictReader(table.read_text().splitlines())) == texts and texts
        assert "nan" not in table.read_text().lower() and "None" not in table.read_text()


@pytest.mark.slow  # publishes again
def test_the_same_units_give_the_same_bytes(finished, published, tmp_path):
    _, written = published
    again = publish_sweep(finished, tmp_path / "again")
    assert [path.read_bytes() for path in again] == [path.read_bytes() for path in written]


def test_how_it_was_counted_stands_below_the_tables_and_notes_name_the_imitated_layer(published):
    folder, _ = published
    notes = (folder / "notes.csv").read_text()
    counting = "a concept lies more than 0.2 nats below the background's mean entropy"
    assert counting in unescape((folder / "table.html").read_text()) and counting in notes
    lines = [line for line in notes.splitlines() if "imitate fc1, not fc2" in line]
    assert [line.split(",")[:4] for line in lines] == [
        [data, "small", "fc2", str(seed)] for seed in (0, 1) for data in ("three", "two")
    ]


def test_the_strips_hold_the_maps_of_the_first_seed_and_no_photograph(finished, published):
    unit = next(sweep_units(finished))
    maps = read_maps(published[0] / "strips--three--small--fc1.npz")
    assert [each.image_id for each in maps] == list(unit.ids)[: len(maps)] and len(maps) > 0
    for row, each in enumerate(maps):
        assert len(np.unique(each.image)) == 1
        assert list(each.entropy) == ["baseline", "student-kd"]
        measured = unit.networks["student-kd"].measured
        assert np.array_equal(each.entropy["student-kd"][-1], measured.entropy[-1, row].numpy())
        assert (
            each.concepts["student-kd"][-1][unit.foreground[row]].sum()
            == unit.values("student-kd").values["n_foreground"][row]
        )


def test_experiments_with_one_probe_seed_are_measured_on_the_same_images(tmp_path):
    base = {"data": {"name": "image_folder", "root": str(tmp_path), "image_size": 32}}
    generator = np.random.default_rng(0)
    for split in ("images", "masks"):
        for number in range(40):
            path = tmp_path / split / "ab"[number % 2] / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            content = generator.integers(0, 256, (32, 32, 3), dtype=np.uint8)
            if split == "masks":
                content = np.zeros((32, 32), dtype=np.uint8)
                content[8:20, 8:20] = 255
            Image.fromarray(content).save(path)

    def probed(seed, probe_seed):
        own = {**base, "measure": {"images": 6, "probe_seed": probe_seed}}
        sweep = SweepConfig(data={"mine": own}, models={"small": {}}, seeds=[seed])
        return load_material(sweep.experiment("mine", "small", seed)).probe.ids

    assert probed(0, 5) == probed(1, 5) == probed(5, None)
    assert probed(0, None) != probed(1, None)


def test_the_same_id_in_two_units_is_the_same_picture(finished):
    first, second = (
        next(u for u in sweep_units(finished) if (u.data, u.seed) == ("two", seed)) for seed in (0, 1)
    )
    assert {each.split()[0] for each in first.ids} & {each.split()[0] for each in second.ids}
    assert not set(first.ids) & set(second.ids)  # digits are made up anew by every seed


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b"\0" * 9])
def test_a_damaged_result_is_not_done_and_is_made_anew(finished, tmp_path, content):
    shutil.copytree(finished, tmp_path / "out")
    path = plan_sweep(SWEEP, tmp_path / "out")[0].result("fc1")
    whole = read_json(path)
    path.write_bytes(content)
    assert plan_sweep(SWEEP, tmp_path / "out")[0].todo == ["fc1"]
    assert swept(SWEEP, tmp_path / "out")[0] == []
    assert read_json(path)["networks"] == whole["networks"]


def test_what_cannot_be_read_is_left_out_said_and_done_again(finished, tmp_path):
    shutil.copytree(finished, tmp_path / "out")
    planned = plan_sweep(SWEEP, tmp_path / "out")[0]
    for path in planned.folder.glob("networks/baseline/entropy/*/*/*.h5"):
        path.unlink()
    said = []
    publish_sweep(tmp_path / "out", tmp_path / "tables", said.append)
    assert len(said) == 2 and all(text.startswith("left out: three, small, seed 0, fc") for text in said)
    pooled = read_comparisons(tmp_path / "tables" / "comparisons.csv")
    assert {c.seeds for c in pooled if c.metric == "n_foreground" and c.data == "three"} == {1}
    assert planned.todo == ["fc1", "fc2"]
    assert swept(SWEEP, tmp_path / "out")[0] == [] and planned.todo == []


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"layers": ["fc2", "fc1"]}, "fc1 as the first layer of small, which methods imitate"),
        ({"seeds": [1]}, r"other seeds \(0, 1\)"),
        ({"data": {"two": SWEEP.data["two"]}}, "the data set three, and this sweep has not"),
        (
            {"base": {**SWEEP.base, "training": {**SWEEP.base["training"], "epochs": 3}}},
            r"other settings of three, small \(training\.epochs\)",
        ),
    ],
)
def test_a_sweep_that_is_not_grown_from_the_one_that_is_there_is_refused(finished, changed, said):
    before = (finished / "sweep.yaml").read_bytes()
    other = dataclasses.replace(SWEEP, **changed)
    for refused in (lambda: swept(other, finished), lambda: list(sweep_ahead(other, finished))):
        with pytest.raises(ConfigError, match=said):
            refused()
    assert (finished / "sweep.yaml").read_bytes() == before


def test_a_method_more_leaves_what_is_finished_in_the_tables(finished, tmp_path):
    shutil.copytree(finished, tmp_path / "out")
    more = dataclasses.replace(SWEEP, students=["kd", "label_smoothing"])
    swept(more, tmp_path / "out", minutes=0.0)
    assert len(list(sweep_units(tmp_path / "out"))) == 8
    assert all(each.todo == ["fc1", "fc2"] for each in plan_sweep(more, tmp_path / "out"))


def test_a_recipe_that_was_edited_is_noticed(tmp_path):
    recipe = tmp_path / "mine.yaml"
    recipe.write_text("title: Mine\nstages:\n  - {name: one, objective: [cross_entropy]}\n")
    own = dataclasses.replace(
        SWEEP, students=[str(recipe)], data={"two": SWEEP.data["two"]}, seeds=[0], layers=["fc1"]
    )
    assert swept(own, tmp_path / "out")[0] == []
    assert plan_sweep(own, tmp_path / "out")[0].todo == []
    recipe.write_text(
        "title: Mine\nstages:\n  - {name: one, objective: [{name: cross_entropy, weight: 0.5}]}\n"
    )
    assert plan_sweep(own, tmp_path / "out")[0].todo == ["fc1"]
    failed, _ = swept(own, tmp_path / "out")
    assert len(failed) == 1 and "trained with other settings (recipe differ)" in failed[0]


def test_an_error_of_a_users_network_costs_the_others_nothing(tmp_path):
    (tmp_path / "mine.py").write_text(
        "def net(num_classes, image_shape):\n    raise ZeroDivisionError('no\\nway')\n"
    )
    models = {"mine": {"model": f"{tmp_path / 'mine.py'}:net"}, **SWEEP.models}
    both = dataclasses.replace(
        SWEEP, models=models, data={"two": SWEEP.data["two"]}, seeds=[0], layers=["fc1"]
    )
    failed, _ = swept(both, tmp_path / "out")
    assert len(failed) == 1 and failed[0].startswith("two, mine, seed 0: ") and "no way" in failed[0]
    assert [unit.model for unit in sweep_units(tmp_path / "out")] == ["small"]


def test_one_process_at_a_time(finished):
    with sole_run(finished), pytest.raises(ConfigError, match="Another kdprobe is at work"):
        swept(SWEEP, finished)


def test_folders_of_data_sets_are_kept_in_full(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    placed = with_roots(SWEEP, {"two": "somewhere"})
    swept(placed, tmp_path / "out", minutes=0.0)
    swept(SWEEP, tmp_path / "out", minutes=0.0)
    known = read_sweep(tmp_path / "out" / "sweep.yaml")
    assert known.data["two"]["data"]["root"] == str(tmp_path / "somewhere")
    assert known.data["three"] == SWEEP.data["three"]
