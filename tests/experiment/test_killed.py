"""`kdprobe run` killed anywhere and run again ends with the bytes of one that was not stopped, and repeats nothing."""

import json
import os
import random
import signal
import time
from pathlib import Path

import pytest
from experiment.quick import untried

from kdprobe.experiment import ExperimentConfig, run_experiment
from kdprobe.experiment.config import DataConfig, MeasureConfig, ReportConfig, TeacherConfig
from kdprobe.storage import EntropyStore
from kdprobe.training import Resume, TrainingSettings

#: teacher, baseline and a student of two stages; two shards of maps for each of nine snapshots
TINY = ExperimentConfig(
    data=DataConfig(images_per_class=6, classes=["0", "1"]),
    model_options={"widths": [4, 4, 4], "fc": 6},
    teacher=TeacherConfig(epochs=2),
    students=["feature"],
    training=TrainingSettings(
        epochs=2, classifier_epochs=1, batch_size=4, device="cpu", flips=True, path_length=True
    ),
    measure=MeasureConfig(
        images=3, foreground_share=(0.01, 0.9), grid=8, tolerance=None, redraws=2, resamples=10, path="steps"
    ),
    report=ReportConfig(images=1, epochs=2),
)
KILLED = 9


@pytest.fixture(scope="module", autouse=True)
def quick():
    """Shards of two images; nothing is tried out beforehand; figures, which take most of the time, are left out."""
    with pytest.MonkeyPatch.context() as patch:
        _quick(patch)
        yield


def _quick(monkeypatch):
    monkeypatch.setattr("kdprobe.analysis.measure.SHARD", 2)
    untried(monkeypatch)
    monkeypatch.setattr(
        "kdprobe.experiment.publish.write_report",
        lambda summary, folder: (
            folder.mkdir(exist_ok=True),
            (folder / "index.html").write_text(summary.title),
        ),
    )


def start(folder: Path, prepare=lambda: None) -> int:
    """A child that runs TINY in `folder` after `prepare()`, and writes down each unit of work when it is finished."""
    child = os.fork()
    if child:
        return child
    try:
        journal = os.open(folder.with_suffix(".journal"), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        noted, stored = Resume.save, EntropyStore.save

        def note(resume, point):
            noted(resume, point)
            os.write(journal, f"epoch {resume.store.folder.name} {point.epoch}\n".encode())

        def store(self, name, shard, *content):
            stored(self, name, shard, *content)
            os.write(journal, f"shard {self.folder.parent.parent.name} {name} {shard}\n".encode())

        Resume.save, EntropyStore.save = note, store
        prepare()
        run_experiment(TINY, folder, say=lambda _: None, show_progress=False)
        os._exit(0)
    except BaseException:
        import traceback

        traceback.print_exc()
        os._exit(1)


def ended(child: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def dies_at(event: int) -> None:
    """This process ends, as if killed, in place of its `event`-th rename, sync or removal from now on."""
    left = [event]

    def dying(call):
        def instead(*given, **options):
            left[0] -= 1
            if not left[0]:
                os._exit(KILLED)
            return call(*given, **options)

        return instead

    for name in ("replace", "fsync", "unlink"):
        setattr(os, name, dying(getattr(os, name)))


def found(folder: Path) -> dict[str, object]:
    """All that a run leaves but times, and the page that shows what one process saw."""
    kept = {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        name = str(path.relative_to(folder))
        if path.name == "run.json":
            kept[name] = {k: v for k, v in json.loads(path.read_text()).items() if k != "seconds"}
        elif path.name == "metrics.jsonl":
            lines = map(json.loads, path.read_text().splitlines())
            kept[name] = [{k: v for k, v in line.items() if k != "seconds"} for line in lines]
        elif path.suffix != ".tmp" and path.name != "live.html":
            kept[name] = path.read_bytes()
    return kept


def journal(folder: Path) -> list[str]:
    return folder.with_suffix(".journal").read_text().splitlines()


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, quick):
    """What one whole run leaves, what it writes down, and how long it takes."""
    folder = tmp_path_factory.mktemp("undisturbed") / "out"
    began = time.perf_counter()
    assert ended(start(folder)) == 0
    return found(folder), journal(folder), time.perf_counter() - began


def assert_same(folder: Path, undisturbed) -> None:
    expected, units, _ = undisturbed
    left = found(folder)
    assert list(left) == list(expected)
    assert [name for name in left if left[name] != expected[name]] == []
    assert "comparison.json" in left and not any("resume" in name for name in left)
    done = journal(
        folder
    )  # a unit is missing from it if the run died between finishing it and writing that down
    assert len(set(done)) == len(done) and set(done) <= set(units)


def run_to_the_end(folder: Path, events) -> int:
    """Runs again and again, killed after so many events each time; returns how often."""
    for kills, event in enumerate(events):
        code = ended(start(folder, lambda event=event: dies_at(event)))
        if code == 0:
            return kills
        assert code == KILLED
    pytest.fail("the run never came to its end")


@pytest.mark.slow  # a process for each moment
def test_killed_at_renames_syncs_and_removals(tmp_path, undisturbed):
    kills = run_to_the_end(tmp_path / "out", (event for _ in range(20) for event in (17, 55, 39, 75)))
    assert kills > 4
    assert_same(tmp_path / "out", undisturbed)


@pytest.mark.slow
@pytest.mark.parametrize("least", [36, 38, 41])
def test_killed_everywhere(tmp_path, undisturbed, least):
    """Every run comes a few events further than the one before; the first epoch alone takes more than 30."""
    kills = run_to_the_end(tmp_path / "out", (least + n % 5 for n in range(60)))
    assert kills > 5
    assert_same(tmp_path / "out", undisturbed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
def test_killed_at_any_time(tmp_path, undisturbed, seed):
    folder, chance, kills = tmp_path / "out", random.Random(seed), 0
    for n in range(60):
        child = start(folder)
        patience = 1 + n / 20  # the machine may have become slower since the undisturbed run
        time.sleep(chance.uniform(0.1, 0.4) * patience * undisturbed[2])
        os.kill(child, signal.SIGKILL)
        code = ended(child)
        kills += code == -signal.SIGKILL
        if code == 0:
            break
    assert kills and code == 0
    assert_same(folder, undisturbed)
