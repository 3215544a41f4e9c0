"""Settings that would spoil small differences are off inside and as they were outside."""

import pytest
import torch
from torch import nn

from kdprobe.errors import InputError
from kdprobe.estimator.arithmetic import exact_arithmetic, full_precision, suited

OPERATIONS = [(backend, op) for backend in ("cuda", "mkldnn") for op in ("matmul", "conv", "rnn")]
DEFAULTS = [("generic", "all"), ("cuda", "all"), ("mkldnn", "all")]


def read(*key):
    return torch._C._get_fp32_precision_getter(*key)


def write(*key_and_value):
    torch._C._set_fp32_precision_setter(*key_and_value)


def shown():
    """What every key shows, also when the defaults are moved: that tells a written setting from an inherited one."""
    keys = [*DEFAULTS, *OPERATIONS]
    before = {key: read(*key) for key in keys}
    general = read("generic", "all")
    moved = {}
    for default in ("ieee", "tf32"):
        write("generic", "all", default)
        moved[default] = {key: read(*key) for key in keys}
    write("generic", "all", general)
    return before, moved


@pytest.fixture(autouse=True)
def settings_of_the_other_tests():
    """Every test starts from torch's initial settings; what cannot be put back is left equal in effect."""
    yield
    torch.set_float32_matmul_precision("highest")
    for key in [*reversed(DEFAULTS), ("cuda", "matmul"), ("mkldnn", "matmul"), ("mkldnn", "conv")]:
        write(*key, "none")
    for op in ("conv", "rnn"):
        write("cuda", op, "tf32")
    torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark = False, False


def older(value):
    return lambda: torch.set_float32_matmul_precision(value)


@pytest.mark.parametrize(
    "caller",
    [
        lambda: None,
        older("high"),
        older("medium"),
        lambda: write("generic", "all", "tf32"),
        lambda: (write("generic", "all", "tf32"), write("cuda", "matmul", "ieee")),
        lambda: (write("cuda", "all", "tf32"), write("mkldnn", "all", "bf16")),
        lambda: (write("cuda", "conv", "tf32"), write("mkldnn", "conv", "bf16")),
        lambda: setattr(torch.backends.cuda.matmul, "allow_tf32", True),
        lambda: setattr(torch.backends.cudnn, "allow_tf32", False),
    ],
)
def test_no_reduced_precision_inside_and_the_callers_settings_outside(caller):
    caller()
    torch.backends.cudnn.benchmark = True
    before = shown()
    with pytest.raises(KeyError), exact_arithmetic():
        assert {read(*key) for key in OPERATIONS} == {"ieee"}
        assert torch.backends.cudnn.deterministic
        assert not torch.backends.cudnn.benchmark
        raise KeyError
    assert shown() == before
    assert torch.backends.cudnn.benchmark
    assert not torch.backends.cudnn.deterministic


def test_the_older_setting_for_matmul_agrees_inside_and_outside():
    """Its readers, CUDA's matmul among them, raise where the two disagree."""
    torch.set_float32_matmul_precision("high")
    with exact_arithmetic():
        assert torch.get_float32_matmul_precision() == "highest"
        assert torch.backends.cuda.matmul.allow_tf32 is False
    assert torch.get_float32_matmul_precision() == "high"
    assert torch.backends.cuda.matmul.allow_tf32 is True


def test_products_are_those_of_float32_whatever_the_caller_allows():
    a, b = torch.randn(2, 64, 64, generator=torch.Generator().manual_seed(0))
    exact = a @ b
    torch.set_float32_matmul_precision("medium")  # bfloat16 where the CPU has it
    with torch.autocast("cpu", dtype=torch.bfloat16), exact_arithmetic():
        product = a @ b
    assert product.dtype == torch.float32
    assert torch.equal(product, exact)


def test_autocast_and_inference_mode_end_at_the_door_and_are_back_behind_it():
    with torch.autocast("cpu", dtype=torch.bfloat16), torch.inference_mode():
        with exact_arithmetic():
            assert not torch.is_autocast_enabled("cpu")
            assert not torch.is_inference_mode_enabled()
        assert torch.is_autocast_enabled("cpu")
        assert torch.is_inference_mode_enabled()
    with torch.no_grad():
        with exact_arithmetic():
            pass
        assert not torch.is_grad_enabled()


def test_short_weights_are_float32_inside_and_the_same_memory_outside():
    net = nn.Sequential(nn.Linear(4, 3).half(), nn.BatchNorm1d(3).bfloat16(), nn.Linear(3, 2).double())
    net[0].weight.grad = torch.ones_like(net[0].weight)
    tensors = [*net.parameters(), *net.buffers()]
    before = [(t.dtype, t.data_ptr(), t.clone()) for t in tensors]
    with pytest.raises(KeyError), full_precision(net):
        inside = {name: value.dtype for name, value in net.state_dict().items()}
        assert {inside[name] for name in ("0.weight", "1.weight", "1.running_var")} == {torch.float32}
        assert inside["2.weight"] == torch.float64
        assert inside["1.num_batches_tracked"] == torch.int64
        assert torch.equal(net[0].weight, before[0][2].float())
        raise KeyError
    for tensor, (dtype, address, value) in zip(tensors, before, strict=True):
        assert (tensor.dtype, tensor.data_ptr()) == (dtype, address)
        assert torch.equal(tensor, value)
    assert net[0].weight.grad.dtype == torch.float16


def test_images_take_the_networks_type_but_none_below_float32():
    image = torch.rand(1, 3, 4, 4)
    assert suited(image.half(), nn.ReLU()).dtype == torch.float32
    assert suited(image.double(), nn.ReLU()).dtype == torch.float64
    assert suited(image, nn.Linear(2, 2).double()).dtype == torch.float64
    assert suited(image, nn.Linear(2, 2).half()).dtype == torch.float32
    assert not suited(image.requires_grad_(), nn.ReLU()).requires_grad
    with torch.inference_mode():
        made_inside = torch.rand(1, 3, 4, 4)
    assert not suited(made_inside, nn.ReLU()).is_inference()
    numbers = nn.Module()
    numbers.codes = nn.Parameter(torch.arange(3), requires_grad=False)
    assert suited(image, numbers).dtype == torch.float32


def test_weights_that_cannot_be_used_get_one_clear_sentence():
    with torch.inference_mode():
        net = nn.Linear(2, 2)
    with pytest.raises(InputError, match="inference_mode"), full_precision(net):
        pass
    with pytest.raises(InputError, match="lazy layers"), full_precision(nn.LazyLinear(2)):
        pass
