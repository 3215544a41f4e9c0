"""The hierarchical loss of knowledge review against torchdistill 1.1.5, which only the tests need."""

import pytest
import torch
from torchdistill.losses import mid_level as losses

from kdprobe.objectives import hcl


@pytest.mark.parametrize("size", [1, 2, 3, 4, 7, 16])
def test_the_hierarchical_loss_is_torchdistills_and_so_is_its_gradient(size):
    generator = torch.Generator().manual_seed(0)
    student, teacher = (
        torch.randn(4, 3, size, size, generator=generator, dtype=torch.float64) for _ in range(2)
    )
    student.requires_grad_()
    whole = losses.HierarchicalContextLoss("s", "output", "t", "output")
    theirs = whole({"s": {"output": (student, None)}}, {"t": {"output": teacher}})
    ours = hcl(student, teacher).mean()
    assert float(ours.detach()) == pytest.approx(float(theirs.detach()), rel=1e-12)
    gradients = [torch.autograd.grad(value, student)[0] for value in (ours, theirs)]
    assert torch.allclose(*gradients, rtol=1e-10, atol=1e-15)
