"""A training that is stopped and goes on ends with the bytes of one that was not stopped."""

import errno
import json
import os
import warnings
from pathlib import Path

import pytest
import torch
from failing_disk import unreadable

from kdprobe.errors import ConfigError, SnapshotError, TrainingError
from kdprobe.storage import SnapshotStore, read_jsonl
from kdprobe.training import Resume
from kdprobe.training.batches import Batches
from kdprobe.training.module import StageModule
from kdprobe.training.resume import remove_newer

ASKED = {"seed": 5}
HARD = {"epochs": 3, "classifier_epochs": 2, "flips": True}
SETTINGS = {
    "adamw": {"optimiser": "adamw", "schedule": "one_cycle"},
    "momentum": {"optimiser": "sgd", "schedule": "one_cycle", "momentum": 0.9},
    "log_decade": {"optimiser": "sgd", "schedule": "log_decade", "momentum": 0.9},
    "constant": {"optimiser": "sgd", "schedule": "constant", "momentum": 0.5},
}
LEFT_OUT = "seconds"


class Stopped(Exception):
    pass


def stopping(monkeypatch, epoch, batch):
    """The training stops before this batch of this epoch (both counted from 0)."""
    whole = Batches.__iter__

    def iterate(self):
        for number, item in enumerate(whole(self)):
            if (self.epoch, number) == (epoch, batch):
                raise Stopped
            yield item

    monkeypatch.setattr(Batches, "__iter__", iterate)


def disk_full(monkeypatch, after):
    """No room from the `after`-th opening of a file for writing on."""
    opened, left = os.open, [after]

    def full(path, flags, *mode, **options):
        left[0] -= bool(flags & os.O_CREAT)
        if flags & os.O_CREAT and left[0] < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return opened(path, flags, *mode, **options)

    monkeypatch.setattr(os, "open", full)


def training(train, net, folder, recipe, *, path_length=(), **settings):
    """Starts, or goes on with, the training of one network in `folder`."""
    model = net(seed=0)
    result = train(
        model,
        recipe,
        teacher=net(seed=9),
        settings=HARD | settings,
        store=SnapshotStore(folder / "snapshots"),
        log_path=folder / "metrics.jsonl",
        resume=Resume(folder, ASKED),
        path_length=path_length,
        path_log=folder / "path_length.jsonl",
    )
    return model, result


def record(folder):
    snapshots = {path.name: path.read_bytes() for path in (folder / "snapshots").glob("*.h5")}
    lines = [
        {k: v for k, v in line.items() if k != LEFT_OUT} for line in read_jsonl(folder / "metrics.jsonl")
    ]
    return snapshots, lines


@pytest.mark.slow  # a training for each epoch
@pytest.mark.parametrize("recipe", ["baseline", "kd", "feature"])
@pytest.mark.parametrize("how", SETTINGS)
def test_stopped_in_every_epoch_it_ends_with_the_same_bytes(
    train, net, same, state, tmp_path, monkeypatch, how, recipe
):
    whole, expected = training(train, net, tmp_path / "whole", recipe, **SETTINGS[how])
    epochs = len(expected.loss_by_epoch)
    for epoch in range(1, epochs):
        with monkeypatch.context() as patch:
            stopping(patch, epoch, 1 + epoch % 2)
            with pytest.raises(Stopped):
                training(train, net, tmp_path / "parts", recipe, **SETTINGS[how])
    model, result = training(train, net, tmp_path / "parts", recipe, **SETTINGS[how])
    assert same(state(model), state(whole))
    assert record(tmp_path / "parts") == record(tmp_path / "whole")
    assert (result.accuracy_by_epoch, result.loss_by_epoch) == (
        expected.accuracy_by_epoch,
        expected.loss_by_epoch,
    )
    assert (result.stages, result.steps, result.accuracy) == (
        expected.stages,
        expected.steps,
        expected.accuracy,
    )


@pytest.mark.parametrize("epoch", [1, 2, 3, 4])  # the second stage begins after three
def test_the_way_of_the_weights_goes_on_where_it_was(train, net, tmp_path, monkeypatch, epoch):
    names = {"path_length": ["head.fc1.weight", "head.fc3.weight"]}
    training(train, net, tmp_path / "whole", "feature", **names)
    training(train, net, tmp_path / "without", "feature")
    with monkeypatch.context() as patch:
        stopping(patch, epoch, 1)
        with pytest.raises(Stopped):
            training(train, net, tmp_path / "parts", "feature", **names)
    log = tmp_path / "parts" / "path_length.jsonl"
    with log.open("a") as file:  # of an epoch that ended, but was not noted before the process died
        file.write(json.dumps({"epoch": epoch + 1, "path_length": 7.0}) + '\n{"epo')
    training(train, net, tmp_path / "parts", "feature", **names)
    assert log.read_bytes() == (tmp_path / "whole" / "path_length.jsonl").read_bytes()
    lengths = [line["path_length"] for line in read_jsonl(log)]
    assert [line["epoch"] for line in read_jsonl(log)] == [1, 2, 3, 4, 5]
    assert 0 < lengths[0] < lengths[1] < lengths[2] and 0 < lengths[3] < lengths[4]
    assert record(tmp_path / "parts") == record(tmp_path / "whole")
    assert record(tmp_path / "without") == record(tmp_path / "whole")  # looking on changes nothing
    assert not (tmp_path / "without" / "path_length.jsonl").exists()


def test_no_epoch_that_was_noted_is_trained_again(train, net, tmp_path, monkeypatch):
    trained, whole = [], Batches.__iter__

    def iterate(self):
        trained.append(self.epoch)
        yield from whole(self)

    monkeypatch.setattr(Batches, "__iter__", iterate)
    for epoch in (1, 2, 3, 4):
        with monkeypatch.context() as patch:
            stopping(patch, epoch, 0)
            with pytest.raises(Stopped):
                training(train, net, tmp_path, "feature")
    training(train, net, tmp_path, "feature")
    assert trained == [0, 1, 1, 2, 2, 3, 3, 4, 4]  # each one that was begun and stopped, once more
    training(train, net, tmp_path, "feature")
    assert len(trained) == 9


@pytest.fixture
def halfway(train, net, tmp_path, monkeypatch):
    """A training of three epochs, stopped in the third, and the same one undisturbed."""
    training(train, net, tmp_path / "whole", "baseline")
    with monkeypatch.context() as patch:
        stopping(patch, 2, 1)
        with pytest.raises(Stopped):
            training(train, net, tmp_path / "parts", "baseline")
    return tmp_path / "parts", tmp_path / "whole"


def test_a_snapshot_newer_than_the_resume_point_is_made_again(train, net, halfway):
    parts, whole = halfway
    for path in (whole / "snapshots").glob("epoch-00003*.h5"):
        (parts / "snapshots" / path.name).write_bytes(
            b"of a training that computed otherwise" + path.read_bytes()
        )
    (parts / "snapshots" / ".epoch-00003_step-000000009.h5.12-abcd.tmp").write_bytes(b"torn")
    training(train, net, parts, "baseline")
    assert record(parts) == record(whole)


@pytest.mark.parametrize("kind", ["more", "fewer", "torn", "none", "damaged"])
def test_the_log_is_mended(train, net, halfway, kind):
    parts, whole = halfway
    log = parts / "metrics.jsonl"
    lines = log.read_bytes().splitlines(keepends=True)
    later = json.dumps({"epoch": 3, "loss": 7.0}).encode() + b"\n"
    log.write_bytes(
        {
            "more": b"".join([*lines, later]),
            "fewer": lines[0],
            "torn": b"".join([*lines, later[:9]]),
            "none": b"",
            "damaged": b"".join([lines[0], b"\x00\xff\n", *lines[1:]]),
        }[kind]
    )
    training(train, net, parts, "baseline")
    assert record(parts) == record(whole)


def test_lines_that_others_logged_stay_in_their_epochs(train, net, halfway):
    parts, _ = halfway
    log = parts / "metrics.jsonl"
    with log.open("a") as file:
        file.write('{"epoch": 1, "probe": 3}\n{"epoch": 3, "probe": 4}\n')
    training(train, net, parts, "baseline")
    assert [line["epoch"] for line in read_jsonl(log)] == [0, 1, 1, 2, 3]
    assert [line["probe"] for line in read_jsonl(log) if "probe" in line] == [3]


def test_a_damaged_point_is_named_and_the_one_before_is_used(train, net, halfway):
    parts, whole = halfway
    path = parts / "resume.ckpt"
    damaged = bytearray(path.read_bytes())
    damaged[-100] ^= 1
    path.write_bytes(damaged)
    with pytest.warns(UserWarning, match=r"resume\.ckpt is damaged.*left out"):
        training(train, net, parts, "baseline")
    assert record(parts) == record(whole)


def test_with_no_valid_point_it_stops_and_removes_nothing(halfway):
    parts, _ = halfway
    (parts / "unused").mkdir()
    assert Resume(parts / "unused", ASKED).point(SnapshotStore(parts / "snapshots")) is None
    for name in ("resume.ckpt", "resume.previous.ckpt"):
        (parts / name).write_bytes((parts / name).read_bytes()[:-1])
    before = sorted(parts.rglob("*"))
    with (
        pytest.warns(UserWarning) as seen,
        pytest.raises(SnapshotError, match=r"are damaged\. Nothing was removed"),
    ):
        Resume(parts, ASKED).point(SnapshotStore(parts / "snapshots"))
    assert sorted(parts.rglob("*")) == before
    assert [
        name in str(w.message) for w, name in zip(seen, ("resume.ckpt", "resume.previous.ckpt"), strict=True)
    ]


def test_a_point_without_its_snapshots_is_not_used(halfway):
    parts, _ = halfway
    store = SnapshotStore(parts / "snapshots")
    last = next(snapshot.path for snapshot in store.list() if (snapshot.epoch, snapshot.step) == (2, 6))
    last.write_bytes(last.read_bytes()[:-1])
    with pytest.warns(UserWarning, match="after epoch 2: .*epoch-00002.* damaged"):
        assert Resume(parts, ASKED).point(store).epoch == 1
    store.list()[0].path.unlink()
    with pytest.raises(SnapshotError, match=r"after epoch 1: the snapshot epoch-00000.* is missing.*restore"):
        Resume(parts, ASKED).point(store)


def test_a_disk_that_fails_to_read_once_costs_nothing(train, net, halfway, monkeypatch):
    parts, whole = halfway
    before = sorted(parts.rglob("*"))
    with monkeypatch.context() as patch:
        unreadable(patch, "epoch-00001")
        with pytest.raises(SnapshotError, match=r"Cannot read .*epoch-00001.*Input/output error"):
            training(train, net, parts, "baseline")
    assert sorted(parts.rglob("*")) == before
    training(train, net, parts, "baseline")
    assert record(parts) == record(whole)


def test_files_of_others_among_the_snapshots_stay_and_do_not_matter(train, net, tmp_path, monkeypatch):
    parts, whole = tmp_path / "parts", tmp_path / "whole"
    training(train, net, whole, "baseline")
    (parts / "snapshots").mkdir(parents=True)
    others = {
        "notes.h5": b"mine",
        "._epoch-00001_step-000000003.h5": b"of a Mac",
        "epoch-3.h5": b"mine too",
        "._epoch-00007_step-000000021.h5": b"newer, of a Mac",
    }
    for epoch in (1, 2):
        for name, content in others.items():
            (parts / "snapshots" / name).write_bytes(content)
        with monkeypatch.context() as patch:
            stopping(patch, epoch, 1)
            with pytest.raises(Stopped):
                training(train, net, parts, "baseline")
    noted = Resume(parts, ASKED).point(SnapshotStore(parts / "snapshots")).snapshots
    assert not {Path(name).stem for name in others} & {*noted}
    training(train, net, parts, "baseline")
    for name, content in others.items():
        assert (parts / "snapshots" / name).read_bytes() == content
        (parts / "snapshots" / name).unlink()
    assert record(parts) == record(whole)


def test_what_was_removed_is_gone_from_the_disk(halfway, monkeypatch):
    parts, whole = halfway
    [newer] = (whole / "snapshots").glob("epoch-00003*.h5")
    (parts / "snapshots" / newer.name).write_bytes(newer.read_bytes())
    store, synced, sync = SnapshotStore(parts / "snapshots"), [], os.fsync
    point = Resume(parts, ASKED).point(store)
    monkeypatch.setattr(
        os,
        "fsync",
        lambda file: (synced.append((os.readlink(f"/proc/self/fd/{file}"), newer.name)), sync(file)),
    )
    remove_newer(point, store)
    assert not (parts / "snapshots" / newer.name).exists()
    assert [folder for folder, _ in synced] == [str(store.folder)]


def test_the_weights_at_the_start_must_be_kept_or_nothing_is_trained(train, net, tmp_path, monkeypatch):
    trained, whole = [], StageModule.training_step
    monkeypatch.setattr(
        StageModule, "training_step", lambda self, *batch: (trained.append(1), whole(self, *batch))[1]
    )
    with monkeypatch.context() as patch:
        disk_full(patch, after=0)
        with (
            pytest.warns(UserWarning),
            pytest.raises(SnapshotError, match=r"start of the stage .*\(epoch 0\).*free"),
        ):
            training(train, net, tmp_path / "parts", "baseline")
    assert trained == []
    training(train, net, tmp_path / "parts", "baseline")
    assert len(trained) == 9
    training(train, net, tmp_path / "whole", "baseline")
    assert record(tmp_path / "parts") == record(tmp_path / "whole")


@pytest.mark.parametrize("times", [1, 2])
def test_the_weights_at_the_end_are_tried_twice(train, net, tmp_path, monkeypatch, times):
    left, save = [times], SnapshotStore.save

    def failing(self, model, *, epoch, **numbers):
        if epoch == 3 and left[0]:
            left[0] -= 1
            raise SnapshotError("Cannot write it: disk full.") from OSError(errno.ENOSPC, "disk full")
        return save(self, model, epoch=epoch, **numbers)

    monkeypatch.setattr(SnapshotStore, "save", failing)
    with pytest.warns(UserWarning, match="disk full"):
        _, result = training(train, net, tmp_path / "parts", "baseline")
    assert (result.epochs_not_kept, result.failed_snapshots) == (((), 0), ((3,), 1))[times - 1]
    _, result = training(train, net, tmp_path / "parts", "baseline")
    training(train, net, tmp_path / "whole", "baseline")
    assert record(tmp_path / "parts") == record(tmp_path / "whole")
    assert (result.epochs_not_kept, result.failed_snapshots) == ((), 0)


def test_an_end_that_cannot_be_restored_is_counted(train, net, tmp_path, monkeypatch):
    training(train, net, tmp_path, "baseline")
    next((tmp_path / "snapshots").glob("epoch-00003*")).unlink()
    point = Resume(tmp_path, ASKED)
    state = next(point.store.states())
    state["snapshots"] = [name for name in state["snapshots"] if "epoch-00003" not in name]
    point.store.save(state, epoch=3, step=state["step"])
    disk_full(monkeypatch, after=0)
    with pytest.warns(UserWarning, match="epoch-00003"):
        _, result = training(train, net, tmp_path, "baseline")
    assert (result.epochs_not_kept, result.failed_snapshots) == ((3,), 1)


@pytest.mark.parametrize(
    ("asked", "version", "words"),
    [
        ({"seed": 6}, None, r"epoch 2 .*\(seed differ\)"),
        ({"seed": 5, "recipe": "kd"}, None, r"\(recipe differ\)"),
        (ASKED, "99.1", r"torch 2\..*, here 99\.1"),
    ],
)
def test_a_training_that_was_begun_otherwise_is_refused(halfway, monkeypatch, asked, version, words):
    parts, _ = halfway
    if version:
        monkeypatch.setattr(torch, "__version__", version)
    for question in (
        lambda resume: resume.check(),
        lambda resume: resume.point(SnapshotStore(parts / "snapshots")),
    ):
        with pytest.raises(ConfigError, match=words) as caught:
            question(Resume(parts, asked))
        assert "\n" not in str(caught.value)


def test_another_number_of_threads_is_said(halfway, monkeypatch):
    parts, _ = halfway
    monkeypatch.setattr(torch, "get_num_threads", lambda: 77)
    with pytest.warns(UserWarning, match="goes on with 77: its weights may differ in the last digits"):
        Resume(parts, ASKED).point(SnapshotStore(parts / "snapshots"))


def test_nothing_is_said_of_a_training_that_goes_on(train, net, halfway, capfd):
    parts, _ = halfway
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        training(train, net, parts, "baseline")
    assert capfd.readouterr() == ("", "")


def test_an_error_of_the_training_leaves_its_points(train, net, tmp_path):
    with pytest.raises(TrainingError):
        training(train, net, tmp_path, "baseline", optimiser="sgd", schedule="constant", learning_rate=1e30)
    assert not (tmp_path / "resume.ckpt").exists()
    training(train, net, tmp_path / "other", "baseline")
    assert (tmp_path / "other" / "resume.ckpt").exists()
    Resume(tmp_path / "other", ASKED).discard()
    assert not list((tmp_path / "other").glob("resume*"))


def test_without_resume_nothing_is_noted(train, net, tmp_path):
    train(net(seed=0), store=SnapshotStore(tmp_path / "snapshots"))
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == []


def dies_at_rename(death):
    """This process ends, as if killed, in place of its `death`-th rename from now on."""
    replace, left = os.replace, [death]

    def dying(*paths):
        left[0] -= 1
        if not left[0]:
            os._exit(9)
        return replace(*paths)

    os.replace = dying


def test_killed_at_any_rename_it_ends_with_the_same_bytes(train, net, tmp_path):
    """Forked children that die before the k-th rename: between snapshot, log, the two generations, everywhere."""
    training(train, net, tmp_path / "whole", "feature")
    parts, kills = tmp_path / "parts", 0
    for death in (1, 2, 3, 2, 4, 1, 3, 5, 2):
        child = os.fork()
        if child == 0:
            dies_at_rename(death)
            try:
                training(train, net, parts, "feature")
            finally:
                os._exit(0)
        kills += os.waitpid(child, 0)[1] != 0
        if not (parts / "resume.ckpt").exists() and not (parts / "resume.previous.ckpt").exists():
            for path in [*(parts / "snapshots").glob("*.h5"), parts / "metrics.jsonl"]:
                path.unlink(missing_ok=True)  # the first epoch had not ended
    training(train, net, parts, "feature")
    assert kills > 4
    assert record(parts) == record(tmp_path / "whole")


@pytest.mark.parametrize(
    ("snapshots", "expected"), [(2, {0, 2, 3, 4, 5}), ([1], {0, 1, 3, 5}), ("released", {0, 2, 3, 5})]
)
def test_where_not_every_epoch_is_kept(train, net, tmp_path, monkeypatch, snapshots, expected):
    _, whole = training(train, net, tmp_path / "whole", "feature", snapshots=snapshots)
    for epoch in (1, 2, 3, 4):
        with monkeypatch.context() as patch:
            stopping(patch, epoch, 0)
            with pytest.raises(Stopped):
                training(train, net, tmp_path / "parts", "feature", snapshots=snapshots)
    _, result = training(train, net, tmp_path / "parts", "feature", snapshots=snapshots)
    assert record(tmp_path / "parts") == record(tmp_path / "whole")
    assert result.epochs_not_kept == whole.epochs_not_kept
    kept = {snapshot.epoch for snapshot in SnapshotStore(tmp_path / "whole" / "snapshots").list()}
    assert kept == expected
    assert set(whole.epochs_not_kept) == set(range(6)) - kept and whole.failed_snapshots == 0


def test_a_disk_that_fills_up_is_counted_and_training_goes_on(train, net, same, state, tmp_path, monkeypatch):
    whole, _ = training(train, net, tmp_path / "whole", "baseline")
    with monkeypatch.context() as patch:
        disk_full(patch, after=5)
        with pytest.warns(UserWarning, match="No space left on device") as seen:
            model, result = training(train, net, tmp_path / "full", "baseline")
    assert same(state(model), state(whole))
    assert result.epochs_not_kept == (2, 3) and result.failed_snapshots == 2
    assert result.failed_notes == 4  # log and resume point, each after epochs 2 and 3
    said = [str(warning.message) for warning in seen]
    assert all(any(what in text for text in said) for what in ("epoch-00002", "resume.ckpt", "metrics.jsonl"))
    assert len(set(said)) == len(said)


def test_a_disk_that_fills_up_ends_the_training_if_wanted(train, net, tmp_path, monkeypatch):
    disk_full(monkeypatch, after=5)
    with pytest.raises(SnapshotError, match="No space left on device"):
        training(train, net, tmp_path, "baseline", on_error="raise")


def test_after_a_full_disk_it_goes_on_from_what_was_noted(train, net, tmp_path, monkeypatch):
    training(train, net, tmp_path / "whole", "baseline")
    with monkeypatch.context() as patch:
        disk_full(patch, after=5)
        stopping(patch, 2, 1)
        with pytest.warns(UserWarning), pytest.raises(Stopped):
            training(train, net, tmp_path / "parts", "baseline")
    _, result = training(train, net, tmp_path / "parts", "baseline")
    assert record(tmp_path / "parts") == record(tmp_path / "whole")
    assert result.epochs_not_kept == () and result.failed_snapshots == result.failed_notes == 0


@pytest.mark.parametrize("epoch", [3, 5])
def test_the_end_of_a_stage_is_kept_even_if_killed_just_before(train, net, tmp_path, epoch):
    training(train, net, tmp_path / "whole", "feature", snapshots=2)
    child = os.fork()
    if child == 0:
        noted = Resume.save

        def dying(resume, point):
            noted(resume, point)
            if point.epoch == epoch:
                os._exit(9)

        Resume.save = dying
        try:
            training(train, net, tmp_path / "parts", "feature", snapshots=2)
        finally:
            os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    assert not list((tmp_path / "parts" / "snapshots").glob(f"epoch-{epoch:05d}*"))
    training(train, net, tmp_path / "parts", "feature", snapshots=2)
    assert record(tmp_path / "parts") == record(tmp_path / "whole")
