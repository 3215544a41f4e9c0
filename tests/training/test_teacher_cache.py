"""What a teacher says of images that do not change is asked once, and changes nothing."""

import errno
import os

import pytest
import torch
from torch import nn

from kdprobe.networks import build_network
from kdprobe.recipes import Source
from kdprobe.storage import SnapshotStore
from kdprobe.training.teacher_cache import TeacherCache
from kdprobe.training.teaching import TeachingNetwork

THREE = {"epochs": 3}


class Counting:
    """Counts the images that a network is asked about."""

    def __init__(self, network: nn.Module) -> None:
        self.images = 0
        network.register_forward_pre_hook(self._count)

    def _count(self, module: nn.Module, inputs: tuple) -> None:
        self.images += len(inputs[0])


def trained(net, train, recipe, tmp_path=None, **changes):
    model, teacher = net(seed=0), net(seed=9)
    counting = Counting(teacher)
    if tmp_path is not None:
        changes["store"] = SnapshotStore(tmp_path / "snapshots")
    result = train(model, recipe, teacher=teacher, **{"settings": THREE, "test_data": None} | changes)
    return model.state_dict(), counting.images, result


@pytest.mark.parametrize("recipe", ["kd", "feature"])
def test_the_weights_are_the_same_bytes_with_and_without(net, train, same, recipe):
    """40 images in batches of 16: a short last one, too."""
    with_it, images, _ = trained(net, train, recipe)
    again, _, _ = trained(net, train, recipe)
    without, more, _ = trained(net, train, recipe, cache_teacher=False)
    assert same(with_it, again)
    assert same(with_it, without)
    assert images < more


def test_each_image_is_asked_about_once_but_for_the_short_batches(net, train):
    taps, example, rounds = 0, 2, 48  # 40 images, filled up to whole batches
    short = 3 * 8
    assert trained(net, train, "kd")[1] == taps + example + rounds + short
    assert trained(net, train, "kd", settings=THREE | {"batch_size": 20})[1] == 2 + 40
    assert trained(net, train, "kd", settings=THREE | {"batch_size": 64})[1] == 2 + 40


@pytest.mark.parametrize(
    "why", [{"settings": THREE | {"flips": True}}, {"settings": {"epochs": 1}}, {"cache_teacher": False}]
)
def test_nothing_is_kept_where_it_would_be_wrong_or_useless(net, train, monkeypatch, why):
    monkeypatch.setattr(TeacherCache, "fill", lambda self, teach: pytest.fail("kept"))
    trained(net, train, "kd", **why)


@pytest.mark.parametrize(
    ("recipe", "file", "width"), [("kd", "teacher_logits.npy", 3), ("feature", "teacher_feature.npy", 6)]
)
def test_only_what_the_stage_needs_is_kept(net, train, tmp_path, monkeypatch, recipe, file, width):
    found, whole = [], TeacherCache.fill

    def fill(self, teach):
        whole(self, teach)
        found.extend((path.name, path.stat().st_size) for path in (tmp_path / "snapshots-taught").iterdir())

    monkeypatch.setattr(TeacherCache, "fill", fill)
    trained(net, train, recipe, tmp_path)
    assert found == [(file, 128 + 40 * width * 4)]  # 128: the header of a .npy file


def test_kept_outputs_are_what_the_network_says(tmp_path, net, train_data):
    network = net(seed=9).eval()
    cache = TeacherCache(tmp_path / "taught", 40, 16)

    def teach(rows):
        with torch.no_grad():
            return {"teacher_logits": network(train_data.images[rows])}

    cache.fill(teach)
    rows = torch.randperm(40, generator=torch.Generator().manual_seed(0))[:16]
    assert torch.allclose(cache.outputs(rows)["teacher_logits"], teach(rows)["teacher_logits"], atol=1e-6)
    assert cache.outputs(rows[:8]) is None
    alone = {"teacher_logits": network(train_data.images[39:]).detach()}
    assert torch.allclose(
        cache.outputs(torch.full((16,), 39))["teacher_logits"][:1], alone["teacher_logits"], atol=1e-6
    )


@pytest.mark.parametrize("recipe", ["at", "nst"])
def test_kept_features_of_a_network_with_channels_last_in_memory_change_nothing_either(train, same, recipe):
    """The order in memory decides how sums over channels round."""
    ends = []
    for cache in (True, False):
        student, teacher = (
            build_network("vgg_small", num_classes=3, image_shape=(3, 8, 8), seed=seed, widths=(16, 8))
            for seed in (0, 9)
        )
        train(student, recipe, teacher=teacher, settings=THREE, test_data=None, cache_teacher=cache)
        ends.append(student.state_dict())
    assert same(*ends)


def test_nothing_is_left_behind(net, train, tmp_path):
    trained(net, train, "kd", tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["snapshots"]


def test_nothing_is_left_behind_after_an_exception(net, train, tmp_path):
    class Breaks(net):
        steps = 0

        def forward(self, images):
            self.steps += self.training
            if self.steps == 5:
                assert (tmp_path / "snapshots-taught" / "teacher_logits.npy").exists()
                raise RuntimeError("broken")
            return super().forward(images)

    with pytest.raises(RuntimeError, match="broken"):
        train(
            Breaks(seed=0),
            "kd",
            teacher=net(seed=9),
            settings=THREE,
            store=SnapshotStore(tmp_path / "snapshots"),
        )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["snapshots"]


def test_what_a_killed_process_left_is_not_believed_and_goes_but_nothing_else_does(
    net, train, tmp_path, same
):
    expected, _, _ = trained(net, train, "kd")
    left = tmp_path / "snapshots-taught"
    left.mkdir()
    (left / "teacher_logits.npy").write_bytes(b"half of it")
    (left / "mine.txt").write_text("somebody's")
    got, _, _ = trained(net, train, "kd", tmp_path)
    assert same(got, expected)
    assert [path.name for path in left.iterdir()] == ["mine.txt"]


def test_more_than_half_of_the_free_disk_is_not_taken(net, train, monkeypatch, same):
    expected, _, _ = trained(net, train, "kd")
    usage = type("usage", (), {"free": 2 * 40 * 3 * 4 - 1})
    monkeypatch.setattr("kdprobe.training.teacher_cache.shutil.disk_usage", lambda path: usage)
    with pytest.warns(UserWarning, match="more than half of the .* that are free") as warned:
        got, images, _ = trained(net, train, "kd")
    assert same(got, expected) and images == 2 + 3 * 40
    assert len([w for w in warned if "more than half" in str(w.message)]) == 1


def test_a_disk_that_becomes_full_costs_time_and_nothing_else(net, train, tmp_path, monkeypatch, same):
    expected, _, _ = trained(net, train, "kd", tmp_path / "expected")

    def full(self, rows):
        next(iter(rows))
        (self._folder / "teacher_logits.npy").write_bytes(b"torn")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(TeacherCache, "_write", full)
    with pytest.warns(UserWarning, match="cannot be kept in .*No space left"):
        got, _, _ = trained(net, train, "kd", tmp_path / "full")
    assert same(got, expected)
    assert sorted(path.name for path in (tmp_path / "full").iterdir()) == ["snapshots"]


def test_every_anchor_is_asked_once(net, train, method, same):
    states = {k: net(seed=k).state_dict() for k in range(7)}
    recipe = method("kd", teachers=(Source(anchors=2),))

    def run(**changes):
        model = net(seed=0)
        known = {"teacher": TeachingNetwork(net(seed=6), 6, tuple(states), states.__getitem__)}
        train(model, recipe, teachers=known, settings={"epochs": 5}, test_data=None, **changes)
        return model.state_dict()

    assert same(run(), run(cache_teacher=False))
