"""The teacher teaches and does not learn."""

import pytest
import torch
from torch import nn

from kdprobe.errors import TrainingError
from kdprobe.training.teacher import state_digest


@pytest.mark.parametrize("recipe", ["kd", "feature"])
def test_the_teacher_is_in_eval_without_gradients_and_unchanged(net, train, state, same, recipe):
    teacher = net(seed=9)
    before, seen = state(teacher), []

    def watch(module, inputs, output):
        seen.append((module.training, torch.is_grad_enabled(), output.requires_grad))
        seen.append(tuple(p.requires_grad for p in module.parameters())[:3])

    handle = teacher.register_forward_hook(watch)
    train(net(seed=0), recipe, teacher=teacher)
    handle.remove()
    assert set(seen) == {(False, False, False)}
    assert same(before, state(teacher))
    assert all(m.training for m in teacher.modules()) and all(p.requires_grad for p in teacher.parameters())


def test_the_baseline_never_looks_at_a_teacher(net, train):
    class Untouchable(nn.Module):
        def forward(self, images):
            raise AssertionError("the baseline has asked the teacher")

    train(net(seed=0), "baseline", teacher=Untouchable())


class Restless(nn.Module):
    """Counts its calls in a buffer, also in eval mode."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(3 * 8 * 8, 3)
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, images):
        self.calls += 1
        return self.linear(images.flatten(1))


def test_a_teacher_that_changes_is_an_error(net, train):
    with pytest.raises(TrainingError, match="buffers changed while it taught"):
        train(net(seed=0), "kd", teacher=Restless())


def test_teacher_and_student_must_not_share_weights(net, train):
    model = net(seed=0)
    with pytest.raises(TrainingError, match=r"share the weights features\.conv\.weight"):
        train(model, "kd", teacher=model)


def test_the_flags_of_the_teacher_come_back_after_an_error(net, train):
    teacher = net(seed=9)
    with pytest.raises(RuntimeError, match="broken"):

        class Broken(net):
            def forward(self, images):
                if self.training:
                    raise RuntimeError("broken")
                return super().forward(images)

        train(Broken(seed=0), "kd", teacher=teacher)
    assert all(m.training for m in teacher.modules()) and all(p.requires_grad for p in teacher.parameters())


def test_the_digest_sees_values_types_names_and_buffers(net):
    model = net(seed=0)
    digest = state_digest(model)
    assert state_digest(net(seed=0)) == digest != state_digest(net(seed=1))
    model.features.norm.num_batches_tracked += 1
    assert state_digest(model) != digest
    assert state_digest(nn.Linear(2, 2).half()) != state_digest(nn.Linear(2, 2))
    assert state_digest(model.to(torch.bfloat16)) != digest
