import pytest
from synthetic_units import synthetic_units

from analyses import knowledge
from kdprobe.analysis.knowledge import COLUMNS, knowledge_tables


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("knowledge") / "new" / "results"
    return folder, knowledge.write_knowledge(iter(synthetic_units((0, 1), teacher_epochs=0)), folder)


def test_every_table_has_its_file_and_its_columns(written, read):
    folder, paths = written
    assert paths == [folder / f"{name}.csv" for name in COLUMNS]
    for name, columns in COLUMNS.items():
        assert (folder / f"{name}.csv").read_text().splitlines()[0] == ",".join(columns)
        assert columns[:3] == ("data", "model", "layer")
        assert read(folder / f"{name}.csv"), name


def test_numbers_come_back_exactly_and_what_is_missing_is_empty(written, read):
    folder, _ = written
    for name, rows in knowledge_tables(synthetic_units((0, 1), teacher_epochs=0)).items():
        found = read(folder / f"{name}.csv")
        assert len(found) == len(rows)
        for line, row in zip(found, rows, strict=True):
            for column, text in line.items():
                value = row.get(column)
                assert text == (
                    "" if value is None else repr(value) if isinstance(value, float) else str(value)
                )
    whole = "".join((folder / f"{name}.csv").read_text() for name in COLUMNS)
    assert "nan" not in whole.lower() and "None" not in whole


def test_the_command_reads_the_sweep_that_it_is_given(monkeypatch, tmp_path, capsys):
    asked = []
    monkeypatch.setattr(
        knowledge, "sweep_units", lambda folder: asked.append(folder) or synthetic_units((0,))
    )
    assert knowledge.main([str(tmp_path / "sweep"), "--out", str(tmp_path / "res")]) == 0
    assert asked == [tmp_path / "sweep"]
    assert capsys.readouterr().out.splitlines() == [str(tmp_path / "res" / f"{name}.csv") for name in COLUMNS]


def test_a_sweep_without_students_still_has_every_header(tmp_path, read):
    knowledge.write_knowledge(synthetic_units((0,), students=(), baseline=False), tmp_path)
    assert read(tmp_path / "overlap.csv") == []
    assert (tmp_path / "overlap.csv").read_text() == ",".join(COLUMNS["overlap"]) + "\n"


def test_a_folder_that_is_no_sweep_gives_one_sentence_and_leaves_nothing(tmp_path, capsys):
    assert knowledge.main([str(tmp_path), "--out", str(tmp_path / "res")]) == 2
    said = capsys.readouterr().err
    assert str(tmp_path) in said and said.count("\n") == 1
    assert not (tmp_path / "res").exists()
