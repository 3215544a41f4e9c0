"""Who teaches in which epoch, and that it costs nothing where nobody asks."""

import math

import pytest
import torch
from training.conftest import TinyNet, tiny_images

from kdprobe.errors import ConfigError, DataError, TrainingError
from kdprobe.recipes import Source, Term
from kdprobe.storage import SnapshotStore
from kdprobe.training.hardness import hardness, next_anchor
from kdprobe.training.teaching import TeachingNetwork

MANY = {"epochs": 6, "batch_size": 20}


def teaching(last: int = 6, cls: type = TinyNet) -> TeachingNetwork:
    """A network that ended as seed `last`, and was as seed k after epoch k."""
    states = {k: cls(seed=k).state_dict() for k in range(last + 1)}
    return TeachingNetwork(cls(seed=last), last, tuple(states), states.__getitem__)


@pytest.fixture
def asked(monkeypatch):
    """[(epoch as of which a seat speaks, images asked)] for every time that a teacher is asked."""
    from kdprobe.training.stage_teachers import StageTeachers

    found, whole = [], StageTeachers.outputs

    def outputs(self, images, labels):
        found.append((*(seat.epoch for seat in self.seats), len(images)))
        return whole(self, images, labels)

    monkeypatch.setattr(StageTeachers, "outputs", outputs)
    return found


def test_one_teacher_by_its_old_name_or_among_all_is_the_same(net, train, state, same):
    one, other = net(seed=0), net(seed=0)
    train(one, "kd", teacher=net(seed=9))
    train(other, "kd", teachers={"teacher": TeachingNetwork(net(seed=9))})
    assert same(state(one), state(other))


@pytest.mark.parametrize(("epoch", "seed"), [(3, 3), (0.5, 3), ("last", 6), (0, 0)])
def test_a_teacher_as_of_an_epoch_is_the_network_with_those_weights(
    net, train, method, state, same, epoch, seed
):
    one, other = net(seed=7), net(seed=7)
    train(one, method("kd", teachers=(Source(epoch=epoch),)), teachers={"teacher": teaching()})
    train(other, method("kd", teacher=True), teacher=net(seed=seed))
    assert same(state(one), state(other))


def test_the_anchors_of_a_way_teach_one_after_the_other(net, train, method, asked):
    recipe = method("kd", teachers=(Source(anchors=3),))
    train(net(seed=7), recipe, teachers={"teacher": teaching()}, settings=MANY, cache_teacher=False)
    assert asked == [(k, 20) for k in (2, 2, 2, 2, 4, 4, 4, 4, 6, 6, 6, 6)]


@pytest.mark.parametrize("combine", ["logits", "probabilities"])
def test_an_ensemble_speaks_as_one(net, train, method, monkeypatch, train_data, combine):
    """Against numpy: the mean of the logits, or the logarithm of the mean of the probabilities."""
    from kdprobe.training.stage_teachers import StageTeachers

    said, whole = [], StageTeachers.outputs
    monkeypatch.setattr(
        StageTeachers,
        "outputs",
        lambda self, images, labels: said.append((images, whole(self, images, labels))) or said[-1][1],
    )
    known = {"teacher": TeachingNetwork(net(seed=8)), "baseline": TeachingNetwork(net(seed=9))}
    recipe = method("kd", teachers=(Source("teacher"), Source("baseline")), combine=combine)
    train(net(seed=7), recipe, teachers=known, settings={"epochs": 1})
    images, logits = said[0][0], said[0][1]["teacher_logits"].double().numpy()
    with torch.no_grad():
        each = [net(seed=k).eval()(images).double().numpy() for k in (8, 9)]
    for row in range(len(images)):
        rows = [e[row] for e in each]
        if combine == "logits":
            wanted = [(rows[0][c] + rows[1][c]) / 2 for c in range(3)]
        else:
            sums = [sum(math.exp(z) for z in r) for r in rows]
            wanted = [
                math.log((math.exp(rows[0][c]) / sums[0] + math.exp(rows[1][c]) / sums[1]) / 2)
                for c in range(3)
            ]
        assert logits[row] == pytest.approx(wanted, abs=1e-5)


def test_a_term_outside_its_span_asks_no_teacher(net, train, method, asked):
    recipe = method(Term("cross_entropy"), Term("kd", from_=2, until=4), teacher=True)
    train(net(seed=7), recipe, teacher=net(seed=9), settings=MANY, cache_teacher=False)
    assert len(asked) == 2 * 2


def test_weights_of_an_epoch_in_which_nobody_asks_are_never_read(net, train, method):
    read, known = [], teaching()
    spied = TeachingNetwork(known.model, 6, known.kept, lambda k: read.append(k) or known.weights(k))
    recipe = method("cross_entropy", Term("kd", from_=2, until=4), teachers=(Source(anchors=3),))
    train(net(seed=7), recipe, teachers={"teacher": spied}, settings=MANY)
    assert read == [4]


def test_terms_count_in_their_epochs_with_their_weight(net, train, method, state, same):
    """Two stages' worth of objective in one: with SGD without momentum each epoch stands alone."""
    plain = {"optimiser": "sgd", "momentum": 0.0, "schedule": "constant", "batch_size": 20}
    one, other = net(seed=7), net(seed=7)
    terms = Term("cross_entropy", 2.0, warm_up=4), Term("kd", 3.0, until=1)
    train(one, method(*terms, teacher=True), teacher=net(seed=9), settings=plain | {"epochs": 2})
    from kdprobe.recipes import Recipe, Stage

    first = Stage("a", (Term("cross_entropy", 0.5), Term("kd", 3.0)), teacher=True, epochs=1, analysed=True)
    second = Stage("b", (Term("cross_entropy", 1.0),), epochs=1)
    for network in (one, other):
        for part in (network.features.drop, network.head.drop):
            part.p = 0.0
    one.load_state_dict(net(seed=7).state_dict())
    train(one, method(*terms, teacher=True), teacher=net(seed=9), settings=plain | {"epochs": 2})
    train(other, Recipe("two", "Two", "", (first, second)), teacher=net(seed=9), settings=plain)
    assert same(state(one), state(other))


def test_an_epoch_in_which_nothing_counts_is_refused(net, train, method):
    with pytest.raises(ConfigError, match="In epoch 2 of the 2 of the stage 'only' no term"):
        train(net(seed=0), method(Term("cross_entropy", until=1)))


def test_a_teacher_that_is_not_there_is_named(net, train, method):
    with pytest.raises(ConfigError, match="'own' needs the teacher assistant"):
        train(net(seed=0), method("kd", teachers=(Source("assistant"),)), teacher=net(seed=9))


def test_an_epoch_that_is_not_kept_is_asked_for_before_anything_is_written(net, train, method, tmp_path):
    store = SnapshotStore(tmp_path / "snapshots")
    known = {"teacher": TeachingNetwork(net(seed=9), 6, (0, 6), lambda epoch: {})}
    with pytest.raises(ConfigError, match="after epoch 3, but of its epochs only 0, 6 are kept"):
        train(net(seed=0), method("kd", teachers=(Source(epoch=3),)), teachers=known, store=store)
    assert not store.folder.exists()


def test_features_of_several_teachers_are_refused(net, train, method):
    known = {"teacher": TeachingNetwork(net(seed=8)), "baseline": TeachingNetwork(net(seed=9))}
    recipe = method("feature_mse", tap="fc1", teachers=(Source("teacher"), Source("baseline")))
    with pytest.raises(ConfigError, match="teacher_feature of several teachers"):
        train(net(seed=0), recipe, teachers=known)


class Restless(TinyNet):
    """Counts its calls in a buffer, also in eval mode."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__(seed)
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, images):
        self.calls += 1
        return super().forward(images)


@pytest.mark.parametrize("source", [Source(epoch=3), Source(anchors=2)])
def test_a_teacher_as_of_an_epoch_that_changes_is_an_error(net, train, method, source):
    with pytest.raises(TrainingError, match="buffers changed while it taught"):
        train(net(seed=0), method("kd", teachers=(source,)), teachers={"teacher": teaching(cls=Restless)})


def test_the_network_that_lends_its_weights_is_left_alone(net, train, method, state, same):
    known = teaching()
    before = state(known.model)
    train(
        net(seed=0), method("kd", teachers=(Source(anchors=3),)), teachers={"teacher": known}, settings=MANY
    )
    assert same(before, state(known.model))
    assert known.model.training and all(p.requires_grad for p in known.model.parameters())


# the greedy search


def test_hardness_is_the_mean_divergence_from_the_teacher():
    generator = torch.Generator().manual_seed(0)
    s, t = torch.randn(5, 4, generator=generator), torch.randn(5, 4, generator=generator)
    total = 0.0
    for row in range(5):
        p = [math.exp(v) for v in t[row].tolist()]
        q = [math.exp(v) for v in s[row].tolist()]
        for c in range(4):
            a, b = p[c] / sum(p), q[c] / sum(q)
            total += a * math.log(a / b)
    assert hardness(s.split(2), t.split(2)) == pytest.approx(total / 5, abs=1e-9)
    assert hardness([s], [s]) == 0.0


def test_the_next_anchor_is_the_farthest_before_one_that_is_too_hard():
    hard = {1: 1.0, 2: 1.1, 3: 1.2, 4: 1.3, 5: 1.2, 6: 9.0}
    kept = tuple(hard)
    assert (
        next_anchor(kept, 1, hard.__getitem__, 0.8) == 3
    )  # 1.0 < 0.8 * 1.3; what lies behind is not looked at
    assert next_anchor(kept, 1, hard.__getitem__, 0.99) == 2  # at least one step
    assert next_anchor(kept, 1, hard.__getitem__, 0.1) == 6
    assert next_anchor(kept, 6, hard.__getitem__, 0.8) == 6
    assert next_anchor((1, 2), 1, {1: 0.0, 2: 0.0}.__getitem__, 0.8) == 2


@pytest.mark.parametrize(("delta", "way"), [(1e-9, [1, 6, 6]), (1e9, [1, 2, 6])])
def test_a_greedy_way_begins_at_the_first_epoch_and_ends_at_the_last(net, train, method, asked, delta, way):
    recipe = method("kd", teachers=(Source(anchors=3, search="greedy", delta=delta),))
    train(net(seed=7), recipe, teachers={"teacher": teaching()}, settings=MANY, cache_teacher=False)
    assert [epoch for epoch, _ in asked[::4]] == way


# what teacher and student see


def foregrounds(data, *, known: bool = True):
    """The left half of every image."""
    masks = torch.zeros(len(data), 8, 8, dtype=torch.bool)
    masks[:, :, :4] = True
    return data.replaced(foregrounds=masks, foreground_kind="mask") if known else data


@pytest.mark.parametrize("flips", [False, True])
def test_a_privileged_teacher_sees_the_foreground_alone(net, train, method, train_data, flips):
    seen = {"student": [], "teacher": []}

    class Spy(net):
        def forward(self, images):
            if self.training or self.name == "teacher":
                seen[self.name].append(images.clone())
            return super().forward(images)

    student, teacher = Spy(seed=0), Spy(seed=9)
    student.name, teacher.name = "student", "teacher"
    recipe = method("kd", teacher=True, teacher_inputs="foreground")
    given = {"train_data": foregrounds(train_data), "cache_teacher": False}
    train(student, recipe, teacher=teacher, settings={"flips": flips, "epochs": 1}, **given)
    mirrored = 0
    for whole, part in zip(torch.cat(seen["student"]), torch.cat(seen["teacher"]), strict=True):
        left, right = part[:, :, :4], part[:, :, 4:]
        shown, hidden, of = (right, left, whole[:, :, 4:]) if right.any() else (left, right, whole[:, :, :4])
        assert torch.equal(shown, of) and not hidden.any()
        mirrored += bool(right.any())
    assert (5 < mirrored < 35) == flips and (mirrored > 0) == flips


def test_a_student_of_foregrounds_is_tested_on_foregrounds(net, train, method, train_data, test_data):
    class Blind(net):
        """Right on every image of which the right half is empty, and on no other."""

        def forward(self, images):
            logits = super().forward(images)
            if not self.training:
                empty = ~images[:, :, :, 4:].flatten(1).any(1)
                logits = logits * 0 + torch.nn.functional.one_hot(torch.where(empty, 0, 1), 3)
            return logits

    ones = tiny_images(30, seed=2).replaced(labels=torch.zeros(30, dtype=torch.int64))
    for inputs, accuracy in (("foreground", 1.0), ("image", 0.0)):
        given = {"train_data": foregrounds(train_data), "test_data": foregrounds(ones)}
        result = train(Blind(seed=0), method("cross_entropy", student_inputs=inputs), **given)
        assert result.accuracy_by_epoch == {0: accuracy, 1: accuracy, 2: accuracy}


@pytest.mark.parametrize("side", ["student_inputs", "teacher_inputs"])
def test_foregrounds_that_are_not_known_are_asked_for_before_the_first_step(net, train, method, side):
    recipe = method("kd", teacher=True, **{side: "foreground"})
    with pytest.raises(DataError, match="colours has no foregrounds, which this recipe shows"):
        train(net(seed=0), recipe, teacher=net(seed=9), test_data=None)


def test_so_are_those_of_the_test_images(net, train, method, train_data):
    recipe = method("cross_entropy", student_inputs="foreground")
    with pytest.raises(DataError, match="colours has no foregrounds"):
        train(net(seed=0), recipe, train_data=foregrounds(train_data))


def test_a_teacher_of_features_alone_goes_no_further_than_the_tap(net, train):
    teacher, ran = net(seed=9), []
    teacher.head.fc3.register_forward_hook(lambda *_: ran.append("above"))
    teacher.head.fc1.register_forward_hook(lambda *_: ran.append("tap"))
    train(net(seed=0), "feature", teacher=teacher, cache_teacher=False, settings={"epochs": 3})
    assert ran.count("tap") >= 9 and ran.count("above") <= 1  # once, to see that the tap fires once
