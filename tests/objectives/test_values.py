"""The objectives against plain Python."""

import pytest
import torch
from oracles import objectives as oracle
from oracles import objectives_logits as decimals
from torch.nn import functional

from kdprobe import objectives
from kdprobe.objectives import cross_entropy, feature_mse, kd
from kdprobe.objectives.dkpp import permuted

LABELS = torch.tensor([0, 4, 2, 2, 1, 3])


def batch(*shape: int, seed: int, scale: float = 3.0) -> torch.Tensor:
    return scale * torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def same(got: torch.Tensor, expected: list[float], rtol: float = 1e-10) -> bool:
    return torch.allclose(got, torch.tensor(expected, dtype=got.dtype), rtol=rtol, atol=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_cross_entropy_is_the_oracle(seed):
    logits = batch(6, 5, seed=seed)
    assert same(cross_entropy(logits, LABELS), oracle.cross_entropy(logits.tolist(), LABELS.tolist()))


@pytest.mark.parametrize("temperature", [1, 2.5, 4, 20])
def test_kd_is_the_oracle(temperature):
    student, teacher = batch(6, 10, seed=1), batch(6, 10, seed=2)
    expected = oracle.kd(student.tolist(), teacher.tolist(), temperature)
    assert same(kd(student, teacher, temperature=temperature), expected)


def test_kd_by_hand():
    """Two classes, T = 1: teacher (3/4, 1/4), student (1/2, 1/2): 3/4 ln 3/2 + 1/4 ln 1/2 = 0.1308 nats."""
    teacher = torch.tensor([[3.0, 1.0]]).log()
    assert float(kd(torch.zeros(1, 2), teacher, temperature=1.0)) == pytest.approx(0.130812, abs=1e-6)


def test_feature_mse_is_the_oracle():
    student, teacher = batch(4, 3, 2, 2, seed=3), batch(4, 3, 2, 2, seed=4)
    expected = oracle.feature_mse(student.flatten(1).tolist(), teacher.flatten(1).tolist())
    assert same(feature_mse(student, teacher), expected)


@pytest.mark.parametrize("temperature", [1, 2.5, 20])
@pytest.mark.parametrize("name", ["kd", "class_wise", "view_consistency", "ensemble_kd"])
def test_everything_that_imitates_softened_outputs_is_the_oracle(name, temperature):
    student, target = batch(6, 10, seed=1), batch(6, 10, seed=2)
    expected = decimals.kd(student.tolist(), target.tolist(), temperature)
    assert same(getattr(objectives, name)(student, target, temperature=temperature), expected)


@pytest.mark.parametrize("name", ["kd_mean", "generalised"])
@pytest.mark.parametrize("temperature", [1, 3, 20])
def test_kd_mean_and_generalised_are_the_oracle(name, temperature):
    student, teacher = batch(6, 7, seed=5), batch(6, 7, seed=6)
    expected = getattr(decimals, name)(student.tolist(), teacher.tolist(), temperature)
    assert same(getattr(objectives, name)(student, teacher, temperature=temperature), expected)


def test_logit_regression_is_the_oracle():
    student, teacher = batch(6, 7, seed=5), batch(6, 7, seed=6)
    expected = decimals.logit_regression(student.tolist(), teacher.tolist())
    assert same(objectives.logit_regression(student, teacher), expected)


@pytest.mark.parametrize("alpha", [0.0, 0.1, 0.7, 1.0])
@pytest.mark.parametrize("name", ["label_smoothing", "label_smoothing_tfkd"])
@pytest.mark.parametrize("classes", [5, 9])
def test_label_smoothing_is_the_oracle(name, alpha, classes):
    student = batch(6, classes, seed=7)
    expected = getattr(decimals, name)(student.tolist(), LABELS.tolist(), alpha)
    assert same(getattr(objectives, name)(student, LABELS, alpha=alpha), expected)


@pytest.mark.parametrize("form", ["released", "paper"])
@pytest.mark.parametrize(("correct", "temperature"), [(0.99, 20), (0.9, 1), (0.5, 3.5)])
def test_the_virtual_teacher_is_the_oracle(form, correct, temperature):
    student = batch(6, 5, seed=8)
    expected = decimals.virtual_teacher(student.tolist(), LABELS.tolist(), correct, temperature, form)
    got = objectives.virtual_teacher(student, LABELS, correct, temperature, form)
    assert same(got, expected)


@pytest.mark.parametrize("name", ["tckd", "nckd"])
@pytest.mark.parametrize("temperature", [1, 4])
@pytest.mark.parametrize("scale", [3, 200, 1e4])
def test_the_parts_of_dkd_are_the_oracle_also_for_logits_of_1e4(name, temperature, scale):
    student, teacher = batch(6, 5, seed=9, scale=scale), batch(6, 5, seed=10, scale=scale)
    given = student.tolist(), teacher.tolist(), LABELS.tolist(), temperature
    got = getattr(objectives, name)(student, teacher, LABELS, temperature=temperature)
    assert same(got, getattr(decimals, name)(*given))


@pytest.mark.parametrize(("alpha", "beta", "temperature"), [(1, 8, 4), (0.5, 2, 1), (0, 1, 2), (1, 0, 2)])
def test_dkd_is_the_oracle(alpha, beta, temperature):
    student, teacher = batch(6, 5, seed=9), batch(6, 5, seed=10)
    expected = decimals.dkd(student.tolist(), teacher.tolist(), LABELS.tolist(), alpha, beta, temperature)
    assert same(objectives.dkd(student, teacher, LABELS, alpha, beta, temperature), expected)


def test_cwtm_is_the_oracle():
    student, teacher = batch(6, 5, seed=11), batch(6, 5, seed=12, scale=1)
    expected = decimals.cwtm(student.tolist(), teacher.tolist(), LABELS.tolist())
    assert same(objectives.cwtm(student, teacher, LABELS), expected)


@pytest.mark.parametrize("temperature", [1, 4])
def test_dkpp_is_kd_with_the_permuted_teacher(temperature):
    student, teacher = batch(6, 5, seed=13), batch(6, 5, seed=14)
    target = permuted(teacher, torch.Generator().manual_seed(7))
    got = objectives.dkpp(student, teacher, torch.Generator().manual_seed(7), temperature=temperature)
    assert same(got, decimals.kd(student.tolist(), target.tolist(), temperature))


@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_mean_of_kd_over_the_batch_is_torchs_batchmean_and_kd_mean_its_mean(temperature):
    student, teacher = batch(32, 100, seed=5).float(), batch(32, 100, seed=6).float()
    log_q = functional.log_softmax(student / temperature, dim=1)
    p = functional.softmax(teacher / temperature, dim=1)
    batchmean = functional.kl_div(log_q, p, reduction="batchmean")
    mean = functional.kl_div(log_q, p, reduction="none").mean()
    for objective, reference in ((kd, batchmean), (objectives.kd_mean, mean)):
        got = float(objective(student, teacher, temperature).mean())
        assert got == pytest.approx(float(reference) * temperature**2, rel=1e-5)


@pytest.mark.parametrize("alpha", [0.0, 0.1, 0.5])
def test_label_smoothing_is_torchs(alpha):
    student = batch(6, 5, seed=7)
    expected = functional.cross_entropy(student, LABELS, label_smoothing=alpha, reduction="none")
    assert torch.allclose(objectives.label_smoothing(student, LABELS, alpha), expected, rtol=1e-12)


def test_the_defaults_are_those_documented():
    student, teacher = batch(6, 5, seed=7), batch(6, 5, seed=8)
    draw = {"generator": torch.Generator().manual_seed(0)}
    again = {"generator": torch.Generator().manual_seed(0)}
    for name, given, options in [
        ("kd", (student, teacher), {"temperature": 4.0}),
        ("kd_mean", (student, teacher), {"temperature": 4.0}),
        ("class_wise", (student, teacher), {"temperature": 4.0}),
        ("view_consistency", (student, teacher), {"temperature": 4.0}),
        ("ensemble_kd", (student, teacher), {"temperature": 2.0}),
        ("generalised", (student, teacher), {"temperature": 1.0}),
        ("tckd", (student, teacher, LABELS), {"temperature": 4.0}),
        ("nckd", (student, teacher, LABELS), {"temperature": 4.0}),
        ("dkd", (student, teacher, LABELS), {"alpha": 1.0, "beta": 8.0, "temperature": 4.0}),
        ("label_smoothing", (student, LABELS), {"alpha": 0.1}),
        ("label_smoothing_tfkd", (student, LABELS), {"alpha": 0.1}),
        (
            "virtual_teacher",
            (student, LABELS),
            {"correct_probability": 0.99, "temperature": 20.0, "form": "released"},
        ),
    ]:
        objective = getattr(objectives, name)
        assert torch.equal(objective(*given), objective(*given, **options)), name
    assert torch.equal(
        objectives.dkpp(student, teacher, **draw), objectives.dkpp(student, teacher, temperature=1.0, **again)
    )


def test_kd_asks_the_student_to_cover_the_teacher_not_the_reverse():
    peaked, flat = torch.tensor([[8.0, 0.0, 0.0]]), torch.zeros(1, 3)
    expected = oracle.kd(flat.tolist(), peaked.tolist(), 1.0)[0]
    assert float(kd(flat, peaked, 1.0)) == pytest.approx(expected, rel=1e-5)
    assert float(kd(peaked, flat, 1.0)) != pytest.approx(expected, rel=0.5)
