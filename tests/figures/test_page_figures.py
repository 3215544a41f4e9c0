"""The scripts in figures/: in both widths the texts keep apart, n and units are said, the bytes are the same twice."""

import re
from functools import cache

import numpy as np
import pytest
from figures.result_tables import FEW, LONG, MANY, SETTINGS, write_experiment, write_results
from figures.scripts import SCRIPTS, load
from matplotlib.text import Text
from plots.layout import faults, texts

import kdprobe.report.figure_script as shared

ALL = (*SCRIPTS, "concept_strips")
CASES = {
    "few": {},
    "one seed": {"seeds": 1, "teacher_epochs": [9], "settings": SETTINGS[:1]},
    "many": {"networks": MANY, "epochs": 12, "settings": SETTINGS[:1]},
    "two epochs": {
        "networks": {"baseline": "baseline", LONG: "student"},
        "settings": SETTINGS[:1],
        "epochs": 1,
    },
}
SLOW = ("many", "two epochs")
MILLIMETRES = {"one": 88, "two": 180}


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = tmp_path_factory.mktemp("results")
    return {
        case: write_results(folder / case, **{"networks": FEW, **options}) for case, options in CASES.items()
    }


COLUMNS = ["one", pytest.param("two", marks=pytest.mark.slow)]


def drawn(script, *arguments):
    """The figures that a script would have saved, and under which stems."""
    found = []

    def keep(figure, stem):
        found.append((figure, str(stem)))
        return ()

    module = load(script)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module if script == "concept_strips" else shared, "save", keep)
        assert module.main([*map(str, arguments)]) == 0
    return found


@pytest.fixture(scope="module")
def figure_of(results):
    """A function of a script, a case and a width: the one figure that it draws, drawn once; tests only look at it."""

    @cache
    def one(script, case="few", column="two"):
        ((figure, _),) = drawn(script, results[case], "--column", column)
        return figure

    return one


@pytest.mark.parametrize(
    "case", [pytest.param(case, marks=pytest.mark.slow if case in SLOW else ()) for case in CASES]
)
@pytest.mark.parametrize("column", COLUMNS)
@pytest.mark.parametrize("script", ALL)
def test_figures_fit_the_page_and_no_text_overlaps_or_is_cut(figure_of, script, column, case):
    figure = figure_of(script, case, column)
    assert faults(figure) == []
    assert figure.get_figwidth() * 25.4 == pytest.approx(MILLIMETRES[column])
    assert figure.get_figheight() * 25.4 < 240  # a page
    sizes = [t.get_fontsize() for t in figure.findobj(Text) if t.get_visible() and t.get_text().strip()]
    assert min(sizes) >= 6
    for legend in figure.legends:
        box = legend.get_window_extent()
        assert not [
            ax for ax in figure.axes if ax.axison and ax.get_window_extent().shrunk(0.98, 0.98).overlaps(box)
        ]


@pytest.mark.parametrize("column", COLUMNS)
@pytest.mark.parametrize("script", ALL)
def test_no_panel_is_empty_and_every_axis_is_named_with_its_unit(figure_of, script, column):
    figure = figure_of(script, column=column)
    figure.canvas.draw()
    for ax in figure.axes:
        artists = [*ax.lines, *ax.collections, *ax.patches, *ax.images]
        assert artists or not ax.axison, "an empty panel"
        if ax.axison and ax.get_xlabel():
            assert [t for t in ax.get_xticklabels() if t.get_visible() and t.get_text()], (
                "no numbers at the axis"
            )
    labels = [
        label for ax in figure.axes if ax.axison for label in (ax.get_xlabel(), ax.get_ylabel()) if label
    ]
    without = [
        label for label in labels if "/" not in label and "share" not in label and "epoch" not in label
    ]
    assert without == []
    assert script in ("concept_sets", "concept_strips") or labels


@pytest.mark.parametrize(
    ("script", "words"),
    {
        "concept_curves": ("40 images of each of 3 seeds", "thick: mean of the seeds"),
        "concept_sets": ("40 images of each of 3 seeds", "mean share"),
        "entropy_histograms": ("cells in a histogram", "Margin b = 0.2 nats", "3 seeds; filled: their mean"),
        "peak_epochs": (
            "40 images of each of 3 seeds",
            "mean and std over images",
            "Without any foreground concept",
        ),
        "detours": ("40 images of each of 3 seeds", "Concept cells on the foreground"),
        "overlap": ("39 images of each of 3 seeds", "mean of the seeds"),
        "accuracy": ("40 images", "each of 3 seeds", "ringed: the last epoch"),
        "margins": ("117 images and 3 seeds", "95 % intervals"),
        "layers": ("nested in 3 seeds", "n = 118 images"),
        "sensitivity": ("Student − baseline", "95 % intervals", "3 seeds, n = 118 images"),
        "concept_strips": ("conv, seed 0. 2 images", "H < H̄ − b"),
    }.items(),
)
def test_the_small_print_says_the_setting_n_and_what_the_bands_are(figure_of, script, words):
    said = figure_of(script).get_supxlabel().replace("\n", " ")
    assert said.startswith(tuple(f"tiny_imagenet, {name}" for name in ("vgg_small", "resnet8", "student")))
    for word in words:
        assert word in said


def test_bands_are_named_where_one_seed_has_them(figure_of):
    said = figure_of("concept_curves", "one seed").get_supxlabel().replace("\n", " ")
    assert "one seed; bands: 95 % intervals over images" in said
    assert "Level lines: measured at one epoch alone" in said


@pytest.mark.slow  # every figure twice, as PDF and PNG
@pytest.mark.parametrize("script", ALL)
def test_the_same_bytes_twice_with_embedded_fonts(results, tmp_path, script):
    main = load(script).main
    for name in ("a", "b"):
        assert main([str(results["few"]), "--out", str(tmp_path / name), "--column", "one"]) == 0
    for form in ("pdf", "png"):
        assert (tmp_path / f"a.{form}").read_bytes() == (tmp_path / f"b.{form}").read_bytes()
    pdf = (tmp_path / "a.pdf").read_bytes()
    assert b"/FontFile2" in pdf and b"/Type3" not in pdf and b"Date" not in pdf
    box = re.search(rb"/MediaBox \[ ?0 0 ([\d.]+) ", pdf)
    assert float(box[1]) / 72 * 25.4 == pytest.approx(88, abs=0.1)


@pytest.mark.slow  # every figure four times
@pytest.mark.parametrize("script", ALL)
def test_all_draws_every_setting_and_a_name_chooses_one(results, script):
    stems = [stem for _, stem in drawn(script, results["few"], "--all", "--out", "o")]
    parts = {"layers": lambda s: (*s[:2], "student-feature")}
    parts |= dict.fromkeys(("margins", "sensitivity"), lambda s: (*s, "student-feature"))
    wanted = {"--".join(("o", *parts.get(script, tuple)(setting))) for setting in SETTINGS}
    assert sorted(stems) == sorted(wanted) and len(stems) == (2 if script == "layers" else 3)
    ((chosen, stem),) = drawn(script, results["few"], "--model", "resnet8")
    assert "resnet8" in chosen.get_supxlabel()
    assert stem == str(results["few"] / script)


@pytest.mark.parametrize("script", ALL)
def test_an_unknown_setting_is_one_sentence(results, capsys, script):
    assert load(script).main([str(results["few"]), "--data", "mnist"]) == 2
    said = capsys.readouterr().err
    assert "mnist" in said and said.count("\n") == 1


@pytest.mark.parametrize("script", ALL)
def test_a_missing_file_is_one_sentence(tmp_path, capsys, script):
    assert load(script).main([str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert str(tmp_path) in said and said.count("\n") == 1
    assert f"{SCRIPTS.get(script, 'strips')}" in said


@pytest.mark.parametrize(("script", "table"), SCRIPTS.items())
def test_a_missing_column_is_one_sentence_that_names_it(results, tmp_path, capsys, script, table):
    for path in results["few"].glob("*.csv"):
        lines = path.read_text(encoding="utf-8").splitlines()
        if path.stem == table:
            lines[0] = lines[0].replace(",role,", ",rank,").replace(",verdict", ",word")
        (tmp_path / path.name).write_text("\n".join(lines), encoding="utf-8")
    assert load(script).main([str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert re.search(rf"{table}\.csv has no column '(role|verdict)'", said) and said.count("\n") == 1


def test_strips_of_an_experiment_stand_beside_its_photographs(tmp_path, capsys):
    folder = write_experiment(tmp_path / "run")
    ((figure, _),) = drawn("concept_strips", folder, "--column", "one")
    assert faults(figure) == [] and figure.get_supxlabel().startswith("seed 4. 2 images")
    ((blank, _),) = drawn(
        "concept_strips", write_results(tmp_path / "res", settings=SETTINGS[:1]), "--column", "one"
    )
    assert len(figure.axes) == 2 * (1 + 2 * 6) and len(blank.axes) == 2 * 2 * 6
    ((few, _),) = drawn("concept_strips", folder, "--networks", "baseline", "--images", "1")
    assert len(few.axes) == 1 + 6 and "student-feature" not in [text for text, _ in texts(few)]
    assert load("concept_strips").main([str(folder), "--networks", "nobody"]) == 2
    assert "no maps of 'nobody'; there are maps of: baseline, student-feature" in capsys.readouterr().err


def test_damaged_strips_are_one_sentence(tmp_path, capsys):
    (tmp_path / "strips.npz").write_bytes(b"no archive")
    assert load("concept_strips").main([str(tmp_path)]) == 2
    assert "strips.npz holds no concept maps that can be read" in capsys.readouterr().err
    np.savez(tmp_path / "strips.npz", index=np.array("[]"))
    assert load("concept_strips").main([str(tmp_path)]) == 2
    assert "strips.npz holds no concept maps: write it anew." in capsys.readouterr().err


def test_detours_leave_out_what_has_no_predecessor(figure_of):
    starts = [min(line.get_xdata()[0] for line in ax.lines) for ax in figure_of("detours").axes]
    assert starts == [1, 1, 0, 1]
