"""What a run holds, and what in it is damaged."""

import pytest
import torch
from storage.runs import NAMES, damage, files, make_connectors, make_experiment, make_network, state

from kdprobe.errors import SnapshotError
from kdprobe.storage import SnapshotStore, inspect_run, pack_run
from kdprobe.storage.contents import read_header, read_tensors
from kdprobe.storage.image import Image
from kdprobe.storage.image_file import write_image
from kdprobe.storage.resume import ResumeStore


def test_everything_in_an_experiment_is_listed_and_nothing_is_changed(tmp_path):
    run = make_experiment(tmp_path / "run")
    before = files(run)
    found = inspect_run(run)
    assert files(run) == before
    assert found.sound and found.problems == found.leftovers == found.notes == ()
    assert found.form == "experiment" and found.size == sum(map(len, before.values()))
    assert [(each.name, each.role, each.finished) for each in found.networks] == [
        (name, name, True) for name in sorted(NAMES)
    ]
    for network in found.networks:
        snapshots = run / "networks" / network.name / "snapshots"
        assert [(s.epoch, s.step, s.stage, s.partial, s.problem) for s in network.snapshots] == [
            (epoch, 10 * epoch, 0, False, None) for epoch in range(3)
        ]
        assert [s.size for s in network.snapshots] == [
            (snapshots / s.file).stat().st_size for s in network.snapshots
        ]
        assert network.gaps == ()
        [maps] = network.maps
        assert (maps.analysis, maps.layer, maps.snapshots, maps.images) == ("0123456789abcdef", "fc1", 3, 3)
        assert maps.problems == ()


@pytest.mark.parametrize(
    "place",
    [
        "snapshots/epoch-00001_step-000000010.h5",
        "entropy/*/epoch-00001*/00000.h5",
        "run.json",
        "metrics.jsonl",
    ],
)
def test_what_is_damaged_is_named_and_the_rest_is_still_listed(tmp_path, place):
    folder = make_network(tmp_path / "mine")
    [path] = folder.glob(place)
    path.write_bytes(b"[" + path.read_bytes()[1:]) if path.suffix != ".h5" else damage(path)
    found = inspect_run(folder)
    assert not found.sound and len(found.problems) == 1
    assert str(path) in found.problems[0] and "damaged" in found.problems[0]
    [network] = found.networks
    valid = [s.epoch for s in network.snapshots if s.problem is None]
    assert valid == ([0, 2] if "snapshots" in place else [0, 1, 2])
    assert [s.epoch for s in network.snapshots] == [0, 1, 2]
    assert network.gaps == (((1, 1),) if "snapshots" in place else ())
    assert network.maps[0].snapshots == (2 if "entropy" in place else 3)


def test_connectors_are_listed_by_stage_and_verified(tmp_path):
    folder = make_network(tmp_path / "mine")
    make_connectors(folder, {10: (2,), 0: (0, 1), 1: (1, 2)})
    [network] = inspect_run(folder).networks
    assert [(each.stage, each.epochs, each.problems) for each in network.connectors] == [
        (0, (0, 1), ()),
        (1, (1, 2), ()),
        (10, (2,), ()),
    ]
    sizes = [path.stat().st_size for path in (folder / "connectors" / "stage-1").iterdir()]
    assert network.connectors[1].size == sum(sizes) > 1000
    path = folder / "connectors" / "stage-1" / "epoch-00002_step-000000020.h5"
    assert inspect_run(path).networks[0].name == "mine, connectors of stage-1"
    damage(path)
    found = inspect_run(folder)
    assert [str(path) in each and "is damaged" in each for each in found.problems] == [True]
    assert found.networks[0].connectors[1].epochs == (1,) and found.networks[0].connectors[1].size == sum(
        sizes
    )
    assert inspect_run(tmp_path / "mine" / "snapshots").networks[0].connectors == ()


def test_connectors_of_another_stage_than_their_folder_are_damaged(tmp_path):
    folder = make_network(tmp_path / "mine")
    make_connectors(folder, {0: (0, 1)})
    (folder / "connectors" / "stage-0").rename(folder / "connectors" / "stage-2")
    found = inspect_run(folder)
    assert len(found.problems) == 2 and all(
        "of stage 0, unlike its folder" in each for each in found.problems
    )
    assert found.networks[0].connectors[0].epochs == ()


def test_gaps_lie_between_whole_snapshots(tmp_path):
    store = SnapshotStore(tmp_path / "snapshots")
    for epoch in (2, 3, 6, 8):
        store.save(state(epoch), epoch=epoch, step=epoch)
    store.save(state(4), epoch=4, step=5, partial=True)
    [network] = inspect_run(tmp_path / "snapshots").networks
    assert network.gaps == ((4, 5), (7, 7))
    assert [s.partial for s in network.snapshots] == [False, False, True, False, False]
    assert network.name == tmp_path.name and network.finished is None and network.role is None


def test_left_over_temporary_files_and_torn_lines_are_told_but_no_damage(tmp_path):
    folder = make_network(tmp_path / "mine")
    (folder / "snapshots" / ".epoch-00003_step-000000030.h5.1-abcd.tmp").write_bytes(b"torn")
    with (folder / "metrics.jsonl").open("a") as log:
        log.write('{"epoch": 3, "lo')
    found = inspect_run(folder)
    assert found.sound
    assert found.leftovers == ("snapshots/.epoch-00003_step-000000030.h5.1-abcd.tmp",)
    assert len(found.notes) == 1 and "torn" in found.notes[0]


def test_an_interrupted_training_says_where_it_goes_on(tmp_path):
    SnapshotStore(tmp_path / "snapshots").save(state(0), epoch=0, step=0)
    store = ResumeStore(tmp_path)
    store.save({"weights": torch.ones(2)}, epoch=1, step=10)
    store.save({"weights": torch.ones(2)}, epoch=2, step=20)
    [network] = inspect_run(tmp_path).networks
    assert network.finished is False and network.resume == (2, 20)
    damage(store.path)
    found = inspect_run(tmp_path)
    assert found.networks[0].resume == (1, 10)
    assert not found.sound and str(store.path) in found.problems[0]


def test_single_files(tmp_path):
    folder = make_network(tmp_path / "mine")
    snapshot = folder / "snapshots" / "epoch-00002_step-000000020.h5"
    [shard] = (folder / "entropy").glob("*/epoch-00002*/00000.h5")
    pack_run(folder, tmp_path / "packed.h5")
    found = inspect_run(snapshot)
    assert found.sound and found.networks[0].name == "mine"
    assert [s.epoch for s in found.networks[0].snapshots] == [2] and found.size == snapshot.stat().st_size
    assert inspect_run(shard).notes == ("entropy maps of 3 images at epoch-00002_step-000000020",)
    assert inspect_run(tmp_path / "packed.h5").notes == ("a packed run of 8 files",)
    for path in (snapshot, shard, tmp_path / "packed.h5"):
        damage(path)
        assert not inspect_run(path).sound
    (tmp_path / "text.h5").write_text("no HDF5")
    assert not inspect_run(tmp_path / "text.h5").sound


def test_what_is_no_run_is_an_error(tmp_path):
    with pytest.raises(SnapshotError, match="No folder"):
        inspect_run(tmp_path / "nowhere")
    with pytest.raises(SnapshotError, match="neither networks"):
        inspect_run(tmp_path)


def rewritten(path, **values):
    """Puts other values into the header of a sound file, which stays sound byte by byte; None takes one out."""
    header, tensors, _ = read_tensors(path, read_header(path, None)[0]["kind"])
    header = {key: value for key, value in (header | values).items() if value is not None}
    write_image(path, Image(header, tensors))


@pytest.mark.parametrize(
    "values",
    [
        {"ids": 3},
        {"ids": "abc"},
        {"stats": None},
        {"stats": [1]},
        {"stats": "fc1"},
        {"outcome": "ok"},
        {"outcome": {}},
    ],
)
def test_maps_with_an_odd_header_are_damaged(tmp_path, values):
    folder = make_network(tmp_path / "mine")
    [shard] = (folder / "entropy").glob("*/epoch-00001*/00000.h5")
    rewritten(shard, **values)
    found = inspect_run(folder)
    assert [str(shard) in each and "is damaged" in each for each in found.problems] == [True]
    assert found.networks[0].maps[0].snapshots == 2
    if "ids" in values:
        assert "is damaged" in inspect_run(shard).problems[0]


def test_an_odd_layer_is_no_layer(tmp_path):
    folder = make_network(tmp_path / "mine", epochs=(0,))
    [shard] = (folder / "entropy").glob("*/*/00000.h5")
    rewritten(shard, stats={"layer": ["fc1"]})
    assert inspect_run(folder).networks[0].maps[0].layer is None


@pytest.mark.parametrize(
    "values", [{"epoch": None}, {"epoch": "1"}, {"step": -1}, {"step": [3]}, {"epoch": True}]
)
def test_a_state_to_go_on_from_with_an_odd_header_is_damaged(tmp_path, values):
    SnapshotStore(tmp_path / "snapshots").save(state(0), epoch=0, step=0)
    store = ResumeStore(tmp_path)
    store.save({"weights": torch.ones(2)}, epoch=1, step=10)
    store.save({"weights": torch.ones(2)}, epoch=2, step=20)
    rewritten(store.path, **values)
    found = inspect_run(tmp_path)
    assert [str(store.path) in each and "is damaged" in each for each in found.problems] == [True]
    assert found.networks[0].resume == (1, 10)
    assert "is damaged" in inspect_run(store.path).problems[0]


def test_a_state_to_go_on_from_is_a_sound_file(tmp_path):
    store = ResumeStore(tmp_path)
    store.save({"weights": torch.ones(2)}, epoch=2, step=20)
    found = inspect_run(store.path)
    assert found.sound and found.notes == ("what a training needs to go on from epoch 2, step 20",)
    damage(store.path)
    assert not inspect_run(store.path).sound


def test_a_snapshot_under_another_name_is_told_what_it_lacks(tmp_path):
    snapshot = SnapshotStore(tmp_path).save(state(0), epoch=0, step=0)
    [problem] = inspect_run(snapshot.path.rename(tmp_path / "mine.h5")).problems
    assert "not named like a snapshot" in problem
