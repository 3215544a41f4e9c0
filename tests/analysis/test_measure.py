"""Measuring a run: what is kept, what is not done again, what is damaged."""

import dataclasses

import pytest
import torch
from torch import nn

from kdprobe.analysis import (
    MeasureSettings,
    analysed_snapshots,
    load_measurement,
    load_noise,
    measure_run,
    missing_shards,
    plan_measurement,
    seconds_per_image,
    settings_record,
    weight_names,
)
from kdprobe.analysis.measure import entropy_folder, maps_name
from kdprobe.data import Probe
from kdprobe.errors import ConfigError, KdprobeError, SnapshotError
from kdprobe.estimator import Decomposed, EntropyEstimator
from kdprobe.records import EntropyResult, Outcome
from kdprobe.storage import EntropyStore, SnapshotStore

GRID = 4


def make_net(seed=0):
    torch.manual_seed(seed)
    net = nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(256, 6),
        nn.Linear(6, 2),
    )
    net.taps = {"fc1": "4"}
    return net


def make_probe(count=3):
    generator = torch.Generator().manual_seed(5)
    cells = torch.zeros(count, GRID, GRID, dtype=torch.bool)
    cells[:, 1:3, 1:3] = True
    return Probe(
        images=torch.randn(count, 3, 8, 8, generator=generator),
        labels=torch.zeros(count, dtype=torch.int64),
        foregrounds=cells.repeat_interleave(2, 1).repeat_interleave(2, 2),
        foreground_cells=cells,
        ids=tuple(f"image-{i}" for i in range(count)),
        left_out={},
    )


@pytest.fixture
def run(tmp_path):
    """Three snapshots of a network that drifts."""
    store, net = SnapshotStore(tmp_path / "snapshots"), make_net()
    for epoch in range(3):
        store.save(net, epoch=epoch, step=10 * epoch)
        with torch.no_grad():
            for place, parameter in enumerate(net.parameters()):
                parameter += 0.05 * torch.randn(
                    parameter.shape, generator=torch.Generator().manual_seed(100 * epoch + place)
                )
    return tmp_path


SETTINGS = MeasureSettings(layer="fc1", grid=GRID)


def test_maps_are_those_of_the_snapshots_and_nothing_is_done_twice(run):
    probe, net = make_probe(), make_net(9)
    plan = plan_measurement(net, probe, SETTINGS)
    snapshots = analysed_snapshots(SnapshotStore(run / "snapshots"), 0, 2)
    assert missing_shards(run, snapshots, plan) == 3
    images = []
    measure_run(run, net, snapshots, plan, done=images.append)
    assert images == [3, 3, 3]
    assert missing_shards(run, snapshots, plan) == 0
    measure_run(run, net, snapshots, plan, done=images.append)
    assert len(images) == 3

    found = load_measurement(run, snapshots, plan, weight_names(net, "fc1", probe.images, "dependent"))
    assert found.entropy.shape == (3, 3, GRID, GRID)
    assert found.epochs == (0, 1, 2)
    assert found.usable.all()
    work = 0
    for place, snapshot in enumerate(snapshots):
        net.load_state_dict(SnapshotStore(run / "snapshots").load(snapshot))
        alone = EntropyEstimator(net, "fc1", grid=GRID, internal_batch_size=plan.internal_batch_size)
        result = alone.estimate(probe.images)
        assert torch.equal(found.entropy[place], result.entropy)
        assert torch.equal(found.noise[place], result.noise)
        work += result.stats["work_backward"]
    assert found.work["work_backward"] == work


def test_only_what_is_missing_or_damaged_is_measured_again(run):
    probe, net = make_probe(), make_net(9)
    plan = plan_measurement(net, probe, SETTINGS)
    snapshots = analysed_snapshots(SnapshotStore(run / "snapshots"), 0, 2)
    measure_run(run, net, snapshots, plan)
    files = sorted(entropy_folder(run, plan).rglob("*.h5"))
    before = [path.read_bytes() for path in files]
    files[1].write_bytes(before[1][:-7])
    again = []
    measure_run(run, net, snapshots, plan, done=again.append)
    assert again == [3]
    assert [path.read_bytes() for path in files] == before


def test_the_digest_follows_what_decides_the_numbers():
    net, probe = make_net(), make_probe()
    first = plan_measurement(net, probe, SETTINGS).digest
    assert plan_measurement(make_net(1), probe, SETTINGS).digest == first
    assert plan_measurement(net, make_probe(2), SETTINGS).digest != first
    for change in (
        {"seed": 1},
        {"grid": 2},
        {"protocol": "cheng2020_resnet"},
        {"solver": "sgd"},
        {"layer": "5"},
        {"tolerance": 0.05},
        {"tolerance": None},
    ):
        assert plan_measurement(net, probe, dataclasses.replace(SETTINGS, **change)).digest != first
    assert (
        plan_measurement(net, probe, dataclasses.replace(SETTINGS, internal_batch_size="auto")).digest
        == first
    )


def test_the_tolerance_is_that_of_the_decomposed_solver_and_of_no_other():
    net, probe = make_net(), make_probe(1)
    for tolerance in (0.05, None):
        plan = plan_measurement(net, probe, dataclasses.replace(SETTINGS, tolerance=tolerance))
        record = settings_record(plan)
        assert record["tolerance"] == record["solver_record"]["tolerance"] == tolerance
    assert settings_record(plan_measurement(net, probe, SETTINGS))["solver_record"] == Decomposed().as_dict()
    for solver in ("pathwise", "jacobian", "sgd"):
        settings = dataclasses.replace(SETTINGS, solver=solver)
        record = settings_record(plan_measurement(net, probe, settings))
        assert "tolerance" not in record and "tolerance" not in record["solver_record"]
        other = dataclasses.replace(settings, tolerance=0.5)
        assert plan_measurement(net, probe, other).digest == record["digest"]


def test_the_tolerance_decides_how_long_is_measured(run):
    net, probe = make_net(), make_probe(1)
    first = analysed_snapshots(SnapshotStore(run / "snapshots"), 0, 0)
    errors, work = [], []
    for tolerance in (None, 1e-5):
        plan = plan_measurement(net, probe, dataclasses.replace(SETTINGS, tolerance=tolerance))
        measure_run(run, net, first, plan)
        found = load_measurement(run, first, plan, ("0.weight",))
        errors.append(float(found.std_error.mean()))
        work.append(found.work["work_backward"])
    assert errors[1] < errors[0] and work[1] > work[0]


def test_a_network_without_parameters_can_be_planned():
    net = nn.Sequential(nn.AvgPool2d(2), nn.Flatten())
    plan = plan_measurement(net, make_probe(), MeasureSettings(layer="0", grid=GRID))
    assert plan.internal_batch_size >= 8
    assert seconds_per_image(net, plan) > 0


def test_a_batch_size_that_is_none_and_an_impossible_pair_are_refused():
    net, probe = make_net(), make_probe(1)
    for change, message in (
        ({"internal_batch_size": "many"}, "internal_batch_size"),
        ({"solver": "sgd", "protocol": "converged"}, "sgd cannot follow"),
        ({"tolerance": -1.0}, "tolerance must be above 0"),
    ):
        with pytest.raises(KdprobeError, match=message):
            plan_measurement(net, probe, dataclasses.replace(SETTINGS, **change))


def test_epochs_with_fewer_deviations_get_zeros_and_one_without_takes_all(run):
    net, probe = make_net(), make_probe()
    plan = plan_measurement(net, probe, SETTINGS)
    snapshots = analysed_snapshots(SnapshotStore(run / "snapshots"), 0, 2)
    store = EntropyStore(entropy_folder(run, plan))
    maps = torch.zeros(3, GRID, GRID, dtype=torch.float64)
    stats = {"work_forward": 1, "work_backward": 1}
    kept = [torch.randn(3, count, GRID, GRID) for count in (2, 4)]
    for snapshot, noise in zip(snapshots, [*kept, None], strict=True):
        result = EntropyResult(maps, maps, (Outcome.OK,) * 3, stats, noise)
        store.save(maps_name(snapshot), 0, result, probe.ids)
    found = load_measurement(run, snapshots[:2], plan, ("0.weight",))
    assert found.noise.shape == (2, 3, 4, GRID, GRID)
    assert torch.equal(found.noise[0, :, :2], kept[0]) and not found.noise[0, :, 2:].any()
    assert torch.equal(found.noise[1], kept[1])
    assert load_measurement(run, snapshots, plan, ("0.weight",)).noise is None
    assert load_noise(run, snapshots, plan) is None


def test_the_noise_can_be_left_for_later_and_then_be_that_of_some_images(run):
    net, probe = make_net(), make_probe()
    plan = plan_measurement(net, probe, SETTINGS)
    snapshots = analysed_snapshots(SnapshotStore(run / "snapshots"), 0, 1)
    store = EntropyStore(entropy_folder(run, plan))
    stats = {"work_forward": 1, "work_backward": 1}
    kept = [torch.randn(3, count, GRID, GRID) for count in (4, 2)]
    for snapshot, noise in zip(snapshots, kept, strict=True):
        maps = torch.randn(3, GRID, GRID, dtype=torch.float64)
        result = EntropyResult(maps, maps.abs(), (Outcome.OK,) * 3, stats, noise)
        store.save(maps_name(snapshot), 0, result, probe.ids)
    whole = load_measurement(run, snapshots, plan, ("0.weight",))
    bare = load_measurement(run, snapshots, plan, ("0.weight",), noise=False)
    assert bare.noise is None
    for name in ("entropy", "std_error", "usable", "path"):
        assert torch.equal(getattr(bare, name), getattr(whole, name)), name
    assert torch.equal(load_noise(run, snapshots, plan), whole.noise)
    some = load_noise(run, snapshots, plan, torch.tensor([True, False, True]))
    assert some.shape == (2, 2, 4, GRID, GRID)
    for epoch, noise in enumerate(kept):
        for place, image in enumerate((0, 2)):
            for source in range(4):
                wanted = noise[image, source] if source < noise.shape[1] else torch.zeros(GRID, GRID)
                assert torch.equal(some[epoch, place, source], wanted)


def test_a_missing_or_damaged_snapshot_is_named(run):
    store = SnapshotStore(run / "snapshots")
    path = store.list()[1].path
    damaged = bytearray(path.read_bytes())
    damaged[-1] ^= 1
    path.write_bytes(damaged)
    with pytest.raises(SnapshotError, match=r"epoch 1 .*epoch-00001"):
        analysed_snapshots(store, 0, 2)


def test_what_was_not_measured_cannot_be_read(run):
    net, probe = make_net(), make_probe()
    plan = plan_measurement(net, probe, SETTINGS)
    snapshots = analysed_snapshots(SnapshotStore(run / "snapshots"), 0, 2)
    measure_run(run, net, snapshots[:2], plan)
    with pytest.raises(SnapshotError, match="not been measured whole"):
        load_measurement(run, snapshots, plan, ("0.weight",))
    assert EntropyStore(entropy_folder(run, plan)).load(maps_name(snapshots[2])) is None


def test_weight_scopes():
    net, example = make_net(), make_probe().images
    assert weight_names(net, "fc1", example, "dependent") == (
        "0.weight", "0.bias", "1.weight", "1.bias", "4.weight", "4.bias",
    )  # fmt: skip
    assert weight_names(net, "fc1", example, "layer") == ("4.weight",)
    assert weight_names(net, "1", example, "layer") == ("0.weight",)
    assert weight_names(net, "fc1", example, "all")[-1] == "5.bias"
    with pytest.raises(ConfigError, match="dependent, layer, all"):
        weight_names(net, "fc1", example, "some")


def test_the_path_runs_from_the_starting_weights_even_if_the_last_snapshot_alone_is_measured(run):
    net, probe = make_net(), make_probe()
    plan = plan_measurement(net, probe, SETTINGS)
    stage = analysed_snapshots(SnapshotStore(run / "snapshots"), 0, 2)
    measure_run(run, net, stage, plan)
    whole = load_measurement(run, stage, plan, ("0.weight",))
    last = load_measurement(run, stage[-1:], plan, ("0.weight",), stage=stage)
    assert last.epochs == (2,)
    assert last.path.tolist() == whole.path[-1:].tolist()
    assert last.path[0] > 0


def test_maps_of_other_weights_under_the_same_name_are_not_taken(run):
    net, probe = make_net(), make_probe()
    plan = plan_measurement(net, probe, SETTINGS)
    store = SnapshotStore(run / "snapshots")
    measure_run(run, net, analysed_snapshots(store, 0, 2), plan)
    path = store.list()[2].path
    path.unlink()
    SnapshotStore(run / "snapshots").save(make_net(7), epoch=2, step=20)
    stage = analysed_snapshots(store, 0, 2)
    assert stage[2].path == path
    assert missing_shards(run, stage, plan) == 1
