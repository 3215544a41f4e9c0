"""Contrastive distillation: one step against plain loops, its draws, its memories, and what it learns."""

import math

import pytest
import torch
from objectives.relation_cases import rows
from oracles import objectives_relations as oracle

from kdprobe.errors import InputError
from kdprobe.objectives import Contrastive
from kdprobe.objectives.crd import draws

COUNT, BATCH = 12, 4
LABELS = torch.tensor([0, 2, 2, 1, 0, 0, 1, 2, 0, 0, 1, 0])
OWN = torch.tensor([5, 2, 10, 7])
NAMES = ("student", "teacher")


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def built(dtype: torch.dtype = torch.float64, seed: int = 0, **options) -> Contrastive:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        example = {
            "student_feature": torch.zeros(2, 5),
            "teacher_feature": torch.zeros(2, 2, 2, 2),
            "train_labels": LABELS,
        }
        return Contrastive(example, **{"width": 6, "negatives": 7} | options).to(dtype)


def given(seed: int = 0, dtype: torch.dtype = torch.float64, own: torch.Tensor = OWN) -> dict:
    return {
        "student_feature": rows(seed, dtype, len(own), 5),
        "teacher_feature": rows(seed + 50, dtype, len(own), 8).view(-1, 2, 2, 2),
        "indices": own,
        "labels": LABELS[own],
        "train_labels": LABELS,
        "generator": generator(seed),
    }


def listed(table: torch.Tensor) -> list[list[int]]:
    """For each row of `draws` the images drawn, each as often as it was."""
    return [[n for n, times in enumerate(row) for _ in range(int(times))] for row in table.tolist()]


def memories(loss: Contrastive) -> list[torch.Tensor]:
    return [getattr(loss, f"{name}_memory").clone() for name in NAMES]


# against plain loops


@pytest.mark.parametrize("negatives", [1, 7, 40])
@pytest.mark.parametrize(("temperature", "momentum"), [(0.07, 0.5), (1.0, 0.9)])
def test_two_steps_with_their_memories_and_z_are_the_oracle(negatives, temperature, momentum):
    """Seven of at most nine other images, and forty: more than there are."""
    loss = built(negatives=negatives, temperature=temperature, momentum=momentum)
    layers = [getattr(loss, f"{name}_embedding") for name in NAMES]
    weights = [(layer.weight.tolist(), layer.bias.tolist()) for layer in layers]
    kept, z = memories(loss), None
    for step, own in enumerate([OWN, torch.tensor([0, 2, 3, 11])]):
        inputs = given(step, own=own)
        drawn = listed(draws(LABELS[own], LABELS, negatives, generator(step)))
        features = [inputs[f"{name}_feature"].flatten(1).tolist() for name in NAMES]
        kept = [memory.tolist() for memory in kept]
        expected, kept, z = oracle.contrastive(
            features, weights, kept, z, own.tolist(), drawn, temperature, momentum
        )
        got = loss(**inputs)
        assert torch.allclose(got, torch.tensor(expected, dtype=torch.float64), rtol=1e-8)
        for found, memory in zip(memories(loss), kept, strict=True):
            assert torch.allclose(found, torch.from_numpy(memory), rtol=1e-12)
        assert loss.log_z.tolist() == pytest.approx([math.log(each) for each in z], rel=1e-12)


def test_at_a_memory_of_zeros_the_value_is_known():
    """Every score is 1, so Z = N and P = 1/N: -log(1 / (1 + K)) - K log(K / (1 + K)), twice."""
    loss = built()
    loss.student_memory, loss.teacher_memory = (torch.zeros_like(each) for each in memories(loss))
    expected = 2 * (math.log(8) + 7 * math.log(8 / 7))
    assert loss(**given()).tolist() == pytest.approx([expected] * BATCH, rel=1e-5)


# draws


def test_only_images_of_other_classes_are_drawn_and_as_many_as_asked():
    table = draws(LABELS, LABELS, 500, generator())
    assert table.sum(dim=1).tolist() == [500] * COUNT
    assert bool((table[LABELS[:, None] == LABELS] == 0).all())
    assert bool((table[LABELS[:, None] != LABELS] > 0).all())


def test_each_other_image_is_drawn_equally_often():
    """20000 draws among 6, 9 or 9 images: within 5 standard deviations."""
    table = draws(LABELS, LABELS, 20000, generator(1))
    for row, label in zip(table, LABELS, strict=True):
        found = row[label != LABELS]
        share = 1 / len(found)
        assert float((found - 20000 * share).abs().max()) < 5 * (20000 * share * (1 - share)) ** 0.5


def test_the_draws_are_those_of_the_generator_and_of_nothing_else():
    before = torch.get_rng_state()
    first = draws(LABELS, LABELS, 9, generator(3))
    assert torch.equal(draws(LABELS, LABELS, 9, generator(3)), first)
    assert not torch.equal(draws(LABELS, LABELS, 9, generator(4)), first)
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(draws(LABELS.to(torch.uint8), LABELS.int(), 9, generator(3)), first)


# what moves


def test_both_embeddings_learn_and_only_the_batchs_memories_move():
    loss = built()
    optimiser = torch.optim.SGD(loss.parameters(), lr=0.1)
    parameters = {name: value.detach().clone() for name, value in loss.named_parameters()}
    assert set(parameters) == {f"{name}_embedding.{part}" for name in NAMES for part in ("weight", "bias")}
    before = memories(loss)
    loss(**given()).mean().backward()
    optimiser.step()
    for name, value in loss.named_parameters():
        assert bool((value != parameters[name]).any(dim=-1).all()), name
    others = [n for n in range(COUNT) if n not in OWN.tolist()]
    for old, new in zip(before, memories(loss), strict=True):
        assert torch.equal(new[others], old[others])
        assert bool((new[OWN] != old[OWN]).all())
        assert torch.allclose(new[OWN].norm(dim=1), torch.ones(BATCH, dtype=torch.float64), rtol=1e-12)
    assert int(loss.batches) == 1 and bool((loss.log_z != 0).all())


def test_memories_begin_as_long_as_embeddings_and_apart_from_each_other():
    loss = built(width=600)
    bound = math.sqrt(3 / 600)
    first, second = memories(loss)
    assert not torch.equal(first, second)
    for memory in (first, second):
        assert memory.shape == (COUNT, 600) and float(memory.abs().max()) <= bound
        assert torch.allclose(memory.norm(dim=1), torch.ones(COUNT, dtype=torch.float64), rtol=0.2)


def test_z_is_that_of_the_first_batch_for_good():
    loss = built()
    loss(**given(0))
    first = loss.log_z.clone()
    loss(**given(1))
    assert torch.equal(loss.log_z, first) and int(loss.batches) == 2


def test_later_batches_do_not_pay_for_z(monkeypatch):
    """It takes longer than all the rest of a step."""
    asked, worked_out = [], Contrastive._first_log_z
    monkeypatch.setattr(
        Contrastive, "_first_log_z", lambda *given: (asked.append(None), worked_out(*given))[1]
    )
    loss = built()
    for step in range(3):
        loss(**given(step))
        assert len(asked) == 2  # of both anchors, in the first


def test_what_is_stored_continues_as_if_nothing_had_happened():
    loss = built()
    loss(**given(0))
    later = built(seed=9)
    later.load_state_dict(loss.state_dict())
    assert set(loss.state_dict()) >= {"student_memory", "teacher_memory", "log_z", "batches"}
    for step in (1, 2):
        assert torch.equal(loss(**given(step)), later(**given(step)))
    assert all(torch.equal(a, b) for a, b in zip(memories(loss), memories(later), strict=True))


def test_one_that_goes_back_to_its_beginning_finds_its_z_anew():
    loss = built()
    beginning = {name: value.clone() for name, value in loss.state_dict().items()}
    first = loss(**given(0))
    loss.load_state_dict(beginning)
    assert torch.equal(loss(**given(0)), first)


def test_nothing_is_remembered_in_evaluation_mode():
    loss = built().eval()
    state = {name: value.clone() for name, value in loss.state_dict().items()}
    values = loss(**given())
    assert torch.equal(loss(**given()), values)
    assert all(torch.equal(value, state[name]) for name, value in loss.state_dict().items())
    trained = built()
    assert torch.equal(trained(**given()), values)


def test_steps_bring_the_loss_down_and_the_two_embeddings_of_an_image_together():
    loss = built(temperature=0.5)
    inputs = given(own=torch.arange(COUNT))
    optimiser = torch.optim.SGD(loss.parameters(), lr=0.5)

    def alike() -> float:
        embedded = [
            torch.nn.functional.normalize(getattr(loss, f"{n}_embedding")(inputs[f"{n}_feature"].flatten(1)))
            for n in NAMES
        ]
        return (embedded[0] * embedded[1]).sum(dim=1).mean().item()

    before, losses = alike(), []
    for step in range(60):
        optimiser.zero_grad()
        value = loss(**inputs | {"generator": generator(step)}).mean()
        value.backward()
        optimiser.step()
        losses.append(value.item())
    assert sum(losses[-5:]) < sum(losses[:5]) and alike() > before + 0.2


# gradients, precision, awkward features


@pytest.mark.parametrize("whose", NAMES)
def test_gradients_are_those_of_autograds_own_check(whose):
    loss = built()
    loss(**given(1))
    loss.eval()
    inputs = given()
    feature = inputs[f"{whose}_feature"].requires_grad_()
    weights = [*loss.parameters()]

    def values(moved, *_):
        return loss(**inputs | {f"{whose}_feature": moved, "generator": generator()})

    assert torch.autograd.gradcheck(values, (feature, *weights))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_the_precision_of_the_embeddings(dtype):
    inputs = given(dtype=dtype)
    full = {
        key: value.float() if value.is_floating_point() else value
        for key, value in inputs.items()
        if key != "generator"
    }
    values = built(torch.float32)(**inputs)
    assert values.dtype == torch.float32
    assert torch.equal(values, built(torch.float32)(**full, generator=generator()))


@pytest.mark.parametrize("factor", [0.0, 1e-30, 1e4])
@pytest.mark.parametrize("temperature", [0.07, 0.005])
def test_finite_values_and_gradients_on_awkward_features_and_a_low_temperature(factor, temperature):
    """At 0.005 exp(score) would leave float32; so would, later, exp(score) / Z of a first batch with low scores."""
    loss = built(torch.float32, temperature=temperature)
    for step in range(2):
        loss.log_z = loss.log_z - 100 * step
        inputs = given(step, torch.float32)
        feature = (factor * inputs["student_feature"]).requires_grad_()
        values = loss(**inputs | {"student_feature": feature})
        values.sum().backward()
        assert bool(values.isfinite().all()) and bool((values > 0).all())
        assert bool(feature.grad.isfinite().all())
    assert all(bool(value.isfinite().all()) for value in loss.state_dict().values())


def test_an_embedding_without_direction_is_remembered_and_gets_no_gradient():
    loss = built()
    with torch.no_grad():
        for parameter in loss.parameters():
            parameter.zero_()
    loss(**given()).sum().backward()
    assert all(torch.equal(p.grad, torch.zeros_like(p)) for p in loss.parameters())
    assert all(bool(memory.isfinite().all()) for memory in memories(loss))


def test_once_z_is_fixed_the_value_of_an_image_does_not_depend_on_its_batch():
    loss = built()
    loss(**given(1))
    loss.eval()
    table = draws(LABELS[OWN], LABELS, 7, generator())
    assert not torch.equal(table[0], table[1])
    inputs = given()
    one = {key: value[:1] for key, value in inputs.items() if key not in ("generator", "train_labels")}
    alone = loss(**one, train_labels=LABELS, generator=generator())
    assert torch.allclose(alone, loss(**inputs)[:1], rtol=1e-12)


def test_an_empty_batch_gives_no_values_and_changes_nothing():
    loss = built()
    before = memories(loss)
    assert loss(**given(own=OWN[:0])).shape == (0,)
    assert int(loss.batches) == 0
    assert all(torch.equal(a, b) for a, b in zip(before, memories(loss), strict=True))


# what is said and refused


def test_the_memory_that_is_said_covers_what_is_kept_and_is_not_far_from_it():
    kept = {}

    def keep(tensor):
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    labels = torch.arange(3000) % 10
    example = {
        "student_feature": rows(0, width=16),
        "teacher_feature": rows(1, width=16),
        "train_labels": labels,
    }
    loss, own = Contrastive(example, negatives=2000), torch.arange(32)
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        values = loss(
            rows(0, batch=32, width=16), rows(1, batch=32, width=16), own, labels[own], labels, generator()
        )
    held = sum(kept.values()) + sum(value.nbytes for value in loss.buffers())
    assert held < Contrastive.memory_bytes(example, 32, negatives=2000) < 4 * held
    assert values.shape == (32,)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"width": 0}, "width must be a whole number from 1 on, got 0"),
        ({"negatives": 2.0}, "negatives must be a whole number from 1 on, got 2.0"),
        ({"temperature": 0}, "temperature must be above 0, got 0"),
        ({"temperature": "0.07"}, "temperature must be above 0, got '0.07'"),
        ({"momentum": 1.1}, r"momentum must be a number in 0 \.\.\. 1, got 1.1"),
    ],
)
def test_an_option_out_of_its_range_is_refused(options, says):
    with pytest.raises(InputError, match=says):
        built(**options)


@pytest.mark.parametrize("labels", [torch.zeros(5), torch.zeros(0), torch.zeros(2, 3)])
def test_training_images_of_a_single_class_are_refused(labels):
    example = {"student_feature": rows(0), "teacher_feature": rows(1), "train_labels": labels.long()}
    with pytest.raises(InputError, match="two classes at least"):
        Contrastive(example)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"indices": OWN[:3]}, r"of one batch, got the shapes \(4, 5\), \(4, 2, 2, 2\), \(3,\) and \(4,\)"),
        ({"teacher_feature": torch.zeros(3, 8)}, "of one batch"),
        ({"labels": torch.zeros(4, 3)}, "of one batch"),
        ({"train_labels": LABELS[:9]}, "memories are of 12 training images, got train_labels of 9"),
    ],
)
def test_inputs_that_do_not_fit_are_refused(change, says):
    with pytest.raises(InputError, match=says):
        built()(**given() | change)
