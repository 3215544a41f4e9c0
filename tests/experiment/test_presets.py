"""The table of both presets: what it fills in, what it leaves open, and what the report says of it."""

from dataclasses import asdict, dataclass, fields, replace

import pytest

from kdprobe.errors import ConfigError
from kdprobe.experiment.config import DataConfig, ExperimentConfig, MeasureConfig, TeacherConfig
from kdprobe.experiment.preset_notes import preset_notes
from kdprobe.experiment.presets import ROWS, default_of, nested, preset_settings, preset_undone
from kdprobe.experiment.specification import member_settings
from kdprobe.recipes import load_recipe
from kdprobe.training import TrainingSettings

#: settings that neither the paper nor its code knows
OWN = {
    "measure": {
        *("layer", "tolerance", "internal_batch_size", "teacher", "redraws", "resamples"),
        "probe_seed",
    },
    "training": {"device", "on_error"},
    "teacher": {"weights", "model", "model_options"},  # in both the teacher is of the student's architecture
}


def view(model="vgg16", data="cub_200_2011", layer="fc1"):
    return {"model": model, "data": {"name": data}, "measure": {"layer": layer}}


def test_every_setting_of_measurement_and_training_is_in_the_table_once_or_known_to_neither():
    named = [row.setting for row in ROWS]
    assert len(named) == len(set(named))
    for section, kind in (
        ("measure", MeasureConfig),
        ("training", TrainingSettings),
        ("teacher", TeacherConfig),
    ):
        listed = {name.removeprefix(f"{section}.") for name in named if name.startswith(f"{section}.")}
        assert listed | OWN[section] == {field.name for field in fields(kind)}
        assert not listed & OWN[section]
    for name in named:
        default_of(name)
    assert all(row.source for row in ROWS)


@pytest.mark.parametrize(
    ("name", "model", "data", "expected"),
    [
        ("paper", "alexnet", "cub_200_2011", {"measure.margin": 0.2, "data.image_size": 227}),
        ("paper", "resnet50", "cub_200_2011", {"measure.margin": 0.25, "measure.scope": "image"}),
        ("released", "vgg16", "cub_200_2011", {"measure.margin": 0.2, "measure.protocol": "cheng2020"}),
        ("released", "resnet50", "ilsvrc2013_det", {"measure.protocol": "cheng2020_resnet"}),
        ("released", "resnet50", "ilsvrc2013_det", {"data.foreground": "central", "training.flips": True}),
        ("released", "vgg16", "pascal_voc_2012", {"data.options.mask_rule": "released"}),
        ("released", "vgg16", "pascal_voc_2012", {"data.foreground": "native", "measure.empty": "zero"}),
        ("released", "vgg16", "cub_200_2011", {"measure.weights": "layer", "measure.scope": "dataset"}),
        ("released", "vgg16", "cub_200_2011", {"measure.initial": True, "measure.path_lag": 0}),
        ("released", "resnet50", "cub_200_2011", {"measure.initial": "rho", "measure.path_lag": 0}),
    ],
)
def test_what_a_preset_fills_in(name, model, data, expected):
    found = preset_settings(name, view(model, data))
    assert {setting: found.get(setting) for setting in expected} == expected


#: for VGG-16, CUB and fc1, written from the description of the paper and of its released code
PAPER = {
    "students": ["feature"],
    "data.image_size": 224,
    "data.foreground": "native",
    "teacher.pretrained": True,
    "training.batch_size": 64,
    "training.optimiser": "sgd",
    "training.snapshots": 1,
    "training.path_length": False,
    "measure.margin": 0.25,
    "measure.scope": "image",
    "measure.path": "epochs",
    "measure.initial": False,
    "measure.path_lag": 0,
    "measure.spread": "var",
}
RELEASED = {
    "students": ["feature"],
    "data.image_size": 224,
    "data.foreground": "native",
    "data.options.mask_rule": "released",
    "teacher.epochs": 150,
    "teacher.pretrained": True,
    "teacher.learning_rate": 1e-3,
    "training.epochs": 150,
    "training.classifier_epochs": 100,
    "training.batch_size": 64,
    "training.optimiser": "sgd",
    "training.momentum": 0.9,
    "training.weight_decay": 1e-4,
    "training.learning_rate": 1e-2,
    "training.student_learning_rate": 1e-4,
    "training.schedule": "log_decade",
    "training.flips": False,
    "training.snapshots": "released",
    "training.path_length": True,
    "measure.images": 500,
    "measure.foreground_share": [0.0, 1.0],
    "measure.grid": 16,
    "measure.protocol": "cheng2020",
    "measure.solver": "decomposed",
    "measure.cell_rule": "released",
    "measure.margin": 0.2,
    "measure.scope": "dataset",
    "measure.empty": "zero",
    "measure.path": "steps",
    "measure.initial": True,
    "measure.path_lag": 0,
    "measure.spread": "var",
    "measure.sample_filter": "released",
    "measure.filter_from_epoch": 40,
    "measure.filter_keep": 50,
    "measure.weights": "layer",
}
#: what is otherwise for ResNet-50 and ILSVRC
OTHERWISE = {
    "data.foreground": "central",
    "data.options.mask_rule": None,
    "teacher.learning_rate": 1e-2,
    "training.learning_rate": 0.1,
    "training.student_learning_rate": None,
    "training.flips": True,
    "measure.protocol": "cheng2020_resnet",
    "measure.initial": "rho",
}


def test_both_presets_whole():
    begun = {"teacher": {"weights": None, "pretrained": True}}
    assert preset_settings("paper", view() | begun) == PAPER
    assert preset_settings("released", view() | begun) == RELEASED
    expected = {name: value for name, value in (RELEASED | OTHERWISE).items() if value is not None}
    assert preset_settings("released", view("resnet50", "ilsvrc2013_det") | begun) == expected


@pytest.mark.parametrize(
    ("model", "layer", "rate"),
    [
        ("vgg16", "fc1", 1e-4),
        ("alexnet", "fc3", 1e-3),
        ("resnet50", "fc2", 0.1),
        ("resnet50", "fc1", None),
        ("vgg16", "conv", None),
        ("vgg_small", "fc1", None),
    ],
)
def test_the_released_rate_of_the_student_goes_by_network_and_layer(model, layer, rate):
    found = preset_settings("released", view(model, layer=layer))
    assert found.get("training.student_learning_rate") == rate
    assert found["training.schedule"] == "log_decade" and found["training.path_length"]


def test_what_is_open_is_not_filled_in():
    paper = preset_settings("paper", view())
    assert not {"measure.weights", "measure.grid", "measure.protocol", "data.options.mask_rule"} & set(paper)
    assert "data.options.mask_rule" not in preset_settings("released", view(data="cluttered_digits"))
    assert "data.image_size" not in preset_settings("released", view("vgg_small"))


def test_an_unknown_preset_is_one_sentence():
    for make in (lambda: preset_settings("printed", view()), lambda: ExperimentConfig(preset="printed")):
        with pytest.raises(ConfigError, match="one of paper, released, got 'printed'"):
            make()


def filled(name, **changes):
    """A config with what the preset fills in."""
    teacher = {"weights": None, "pretrained": True}
    values = nested(preset_settings(name, {**view(), "teacher": teacher}))
    measure = MeasureConfig(**values["measure"])
    return ExperimentConfig(
        preset=name,
        model="vgg16",
        students=values["students"],
        data=DataConfig(name="cub_200_2011", **values["data"]),
        teacher=replace(ExperimentConfig().teacher, **values.get("teacher", {})),
        training=TrainingSettings(**values["training"]),
        measure=replace(measure, **changes),
    )


def test_the_report_names_the_preset_and_every_change():
    assert preset_notes(ExperimentConfig()) == []
    assert preset_notes(filled("released"))[0] == "Counted by the preset released, nothing changed."
    assert preset_notes(filled("released", margin=0.25))[0] == (
        "Counted by the preset released; changed: measure.margin (0.25 instead of 0.2)."
    )
    wide = preset_notes(filled("released", foreground_share=(0.1, 0.5), weights="all"))[0]
    assert "measure.foreground_share ([0.1, 0.5] instead of [0.0, 1.0])" in wide
    assert "measure.weights (all instead of layer)" in wide


def test_the_report_lists_what_the_paper_leaves_open_with_what_was_used():
    first, second = preset_notes(filled("paper", grid=8))
    assert first == "Counted by the preset paper, nothing changed."
    assert "measure.grid (8)" in second and "measure.weights (dependent)" in second
    assert "measure.margin" not in second


def test_of_crops_and_sizes_that_are_not_set_the_report_says_that_they_are_the_data_sets_own():
    config = replace(filled("paper"), data=DataConfig(name="cub_200_2011", image_size=224))
    [left] = [note for note in preset_notes(config) if note.startswith("The paper leaves open")]
    assert "data.options.crop (the data set's own)" in left
    own = replace(config, data=replace(config.data, options={"crop": 1.0}))
    assert "data.options.crop (1.0)" in preset_notes(own)[1]


def test_the_report_says_what_the_released_code_does_otherwise_whatever_is_set():
    notes = preset_notes(filled("released"))
    assert any("also crops them at random" in note and "solver decomposed" in note for note in notes)
    assert not any("Sigma was found" in note for note in preset_notes(filled("released", solver="sgd")))
    assert not any("also crops them at random" in note for note in preset_notes(filled("paper")))


def test_the_report_lists_what_the_released_code_says_nothing_of():
    conv = replace(filled("released"), measure=replace(filled("released").measure, layer="conv"))
    found = [note for note in preset_notes(conv) if "says nothing clear" in note]
    assert len(found) == 1 and "training.student_learning_rate (0.0001)" in found[0]
    assert "measure." not in found[0]


def test_a_teacher_starts_from_pretrained_convolutions_at_a_tenth_of_the_rate():
    assert preset_settings("paper", view())["teacher.pretrained"] is True
    assert "teacher.pretrained" not in preset_settings("released", view("vgg_small"))
    for model, rate in (("vgg16", 0.001), ("resnet50", 0.01), ("alexnet", None)):
        fresh = {**view(model), "teacher": {"weights": None, "pretrained": False}}
        begun = {**view(model), "teacher": {"weights": None, "pretrained": True}}
        assert preset_settings("released", begun).get("teacher.learning_rate") == rate
        assert "teacher.learning_rate" not in preset_settings("released", fresh)


def test_a_finished_teacher_is_not_trained_and_the_report_says_so():
    given = {**view(), "teacher": {"weights": "t.pt", "pretrained": False}}
    assert not [setting for setting in preset_settings("released", given) if setting.startswith("teacher.")]
    config = replace(filled("released"), teacher=TeacherConfig(weights="t.pt"))
    assert preset_notes(config)[0] == (
        "Counted by the preset released; changed: teacher.weights (t.pt instead of a training)."
    )


@dataclass(frozen=True)
class Trained:
    """A network with a record."""

    name: str
    role: str
    training: dict
    recipe: object = load_recipe("feature")

    def record(self):
        return {"specification": {"training": self.training, "path_length": []} if self.training else {}}


def trained(config, name, **changes):
    """A network that was trained as `config` says but for `changes`."""
    role = "student" if name.startswith("student") else name
    bare = Trained(name, role, {})
    return replace(bare, training={**asdict(member_settings(config, bare)), **changes})


def test_the_report_goes_by_what_the_networks_were_trained_with_and_not_by_the_config_in_hand():
    config = filled("released")
    same = [trained(config, name) for name in ("teacher", "baseline", "student-feature")]
    assert preset_notes(config, same) == preset_notes(config)
    other = [
        trained(config, "teacher", epochs=3, learning_rate=0.2),
        trained(config, "baseline", optimiser="adamw", epochs=4),
        trained(config, "student-feature", optimiser="adamw", epochs=4, learning_rate=0.5),
    ]
    first = preset_notes(config, other)[0]
    for words in (
        "teacher.epochs (3 instead of 150)",
        "teacher.learning_rate (0.2 instead of 0.001)",
        "training.epochs (4 instead of 150)",
        "training.optimiser (adamw instead of sgd)",
        "training.student_learning_rate (0.5 instead of 0.0001)",
    ):
        assert words in first
    assert first.count("instead of") == 5
    kd = replace(same[2], name="student-kd", recipe=load_recipe("kd"))
    assert "students (['kd'] instead of ['feature'])" in preset_notes(config, [*same[:2], kd])[0]


def test_of_a_training_of_ones_own_the_report_does_not_say_that_nothing_was_changed():
    config = replace(filled("released"), training=TrainingSettings())
    notes = preset_notes(config, [Trained("mine", "student", {})])
    assert "training." not in " ".join(notes)
    assert "How mine was trained is not recorded" in notes[1]


def test_another_preset_takes_back_what_the_first_one_had_filled_in():
    found = preset_undone(filled("released", margin=0.3, grid=8), "paper")
    assert found["measure.empty"] == "skip" and found["measure.sample_filter"] == "none"
    assert found["measure.foreground_share"] == (0.05, 0.6)
    assert not {"measure.margin", "measure.grid"} & set(found)  # these were set otherwise
    assert all(setting.startswith("measure.") for setting in found)
    assert preset_undone(filled("released"), "released") == preset_undone(ExperimentConfig(), "paper") == {}
