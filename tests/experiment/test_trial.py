"""What a recipe cannot compute, or would compute in vain, is refused before anything is trained."""

import json

import pytest
from experiment.quick import changed, quietly

from kdprobe.errors import ConfigError

pytestmark = pytest.mark.usefixtures("runs_trained_only")
LOSSES = """
import torch

def mean(student_logits, teacher_logits):
    return (student_logits - teacher_logits).square().mean()

def broken(student_logits):
    raise KeyError("nothing")

def slope(student_logits):
    (way,) = torch.autograd.grad(student_logits.square().sum(), student_logits, create_graph=True)
    return way.square().sum(1)

def others(student_logits):
    return student_logits.topk(4, dim=0).values[0].sum() + 0 * student_logits.sum(1)
"""


def own(folder, *terms, **stage):
    """A config with a student of one stage, of these terms and keys."""
    (folder / "losses.py").write_text(LOSSES)
    content = {"title": "own", "stages": [{"name": "only", "objective": list(terms), **stage}]}
    (folder / "own.yaml").write_text(json.dumps(content))
    return changed(students=[str(folder / "own.yaml")])


@pytest.mark.parametrize(
    "term, message",
    [
        ({"name": "kd", "options": {"temperature": -3}}, "kd cannot be computed: The temperature must be above 0"),
        ({"name": "kd", "options": {"temperature": "1e-3"}}, "kd cannot be computed: The temperature must be above 0"),
        ({"name": "label_smoothing", "options": {"alpha": 2}}, "label_smoothing cannot be computed: alpha must be"),
        ({"name": "virtual_teacher", "options": {"correct_probability": 0.2}}, "correct_probability must lie"),
        ("losses.py:mean", r"losses.py:mean must return one value per sample, shape \(4,\), got \(\)"),
        ("losses.py:broken", "losses.py:broken cannot be computed: KeyError: 'nothing'"),
    ],
)  # fmt: skip
def test_a_term_that_cannot_be_computed_is_named_before_anything_is_trained(term, message, tmp_path):
    with pytest.raises(ConfigError, match=f"student-own: .*{message}") as caught:
        quietly(own(tmp_path, term), tmp_path / "out")
    assert "\n" not in str(caught.value) and not (tmp_path / "out").exists()


def test_a_loss_may_look_at_gradients_and_at_the_other_images_of_its_batch(tmp_path):
    config = own(tmp_path, "cross_entropy", "losses.py:slope", "losses.py:others")
    _, said = quietly(config, tmp_path / "out")
    assert any(line.startswith("student-own: trained, accuracy") for line in said)


@pytest.mark.parametrize(
    "peers, named",
    [
        ([{"name": "twin"}], "twin has .* of student-own"),
        ([{"name": "one", "initial": 1}, {"name": "two", "initial": 1}], "two has .* of one"),
    ],
)
def test_networks_that_would_stay_the_same_do_not_learn_together(peers, named, tmp_path):
    config = own(tmp_path, "cross_entropy", "ensemble_kd", peers=peers)
    with pytest.raises(ConfigError, match=f"'only' {named}, so that the two would learn nothing"):
        quietly(config, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_with_fewer_epochs_than_anchors_only_those_that_taught_are_said(tmp_path):
    _, said = quietly(changed(students=["rco"], teacher={"epochs": 4}), tmp_path / "out")
    assert said[-1] == (
        "student-rco: its teacher teaches as it was after its epochs 2, 4, one after the other; for 2 of its 4 anchors "
        "the stage has too few epochs."
    )
