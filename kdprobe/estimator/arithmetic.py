"""Arithmetic in which small differences survive: f(x') - f(x) is a few thousandths of f(x), so float32 or better."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import torch
from torch import Tensor, nn

from kdprobe.errors import InputError

# torch.backends offers no name for cuda rnn, and its setter for mkldnn sets something else; hence the functions below.
_read = torch._C._get_fp32_precision_getter
_write = torch._C._set_fp32_precision_setter
_DEFAULTS = (("generic", "all"), ("cuda", "all"), ("mkldnn", "all"))
_MATMUL = (("cuda", "matmul"), ("mkldnn", "matmul"))
_OPERATIONS = tuple((backend, op) for backend in ("cuda", "mkldnn") for op in ("matmul", "conv", "rnn"))


@contextmanager
def exact_arithmetic() -> Iterator[None]:
    """Inside, float32 is float32: no TF32, no bfloat16 in its place, no autocast, and the same cuDNN kernel each time.

    Inference mode is left, for it cannot differentiate. All settings are put back, also after an exception; without a
    GPU those for CUDA are set and put back all the same.
    """
    with ExitStack() as stack:
        if torch.is_inference_mode_enabled():
            stack.enter_context(torch.inference_mode(False))
        for device in ("cpu", "cuda"):
            if torch.is_autocast_enabled(device):
                stack.enter_context(torch.autocast(device, enabled=False))
        stack.enter_context(_ieee_float32())
        stack.enter_context(_same_kernels())
        yield


@contextmanager
def _same_kernels() -> Iterator[None]:
    cudnn = torch.backends.cudnn
    before = cudnn.deterministic, cudnn.benchmark
    cudnn.deterministic, cudnn.benchmark = True, False
    try:
        yield
    finally:
        cudnn.deterministic, cudnn.benchmark = before


@contextmanager
def _ieee_float32() -> Iterator[None]:
    """A setting that says nothing ("none") takes its default's; only what speaks for itself is written and put back.

    This order matters: the initial "tf32" of cuDNN yields to a default, and would no longer, had it been written.
    """
    defaults = {}
    for key in _DEFAULTS:  # the general one first: the others show its value unless it is none
        defaults[key] = _read(*key)
        _write(*key, "none")
    own = {key: _read(*key) for key in _OPERATIONS}
    _write("generic", "all", "ieee")
    spoken = [key for key in _OPERATIONS if _read(*key) != "ieee"]
    older = _matmul_precision() if spoken else None  # the older setting, whose readers want it to agree
    try:
        if older is not None:
            spoken = [*_MATMUL, *spoken]  # it writes both
            torch.set_float32_matmul_precision("highest")
        for key in spoken:
            _write(*key, "ieee")
        yield
    finally:
        if older is not None:
            torch.set_float32_matmul_precision(older)
        for key in spoken:
            _write(*key, own[key])
        for key in reversed(_DEFAULTS):
            _write(*key, defaults[key])


def _matmul_precision() -> str | None:
    try:
        older = torch.get_float32_matmul_precision()
    except RuntimeError:  # the caller has used the newer settings for matmul, which rule
        return None
    return older if older != "highest" else None


@contextmanager
def full_precision(model: nn.Module) -> Iterator[None]:
    """Inside, weights and buffers of less than 32 bits are float32 copies; afterwards the very same memory is back.

    Raises InputError for weights that cannot be differentiated through or do not exist yet.
    """
    tensors = [*model.parameters(), *model.buffers()]
    if any(isinstance(tensor, nn.parameter.UninitializedTensorMixin) for tensor in tensors):
        raise InputError(
            f"{type(model).__name__} has lazy layers without weights; pass one batch through it first."
        )
    if any(tensor.is_inference() for tensor in tensors):
        raise InputError(
            f"The weights of {type(model).__name__} were made under torch.inference_mode, which forbids gradients "
            "through them for good; build or load the model outside of it."
        )
    short = [(tensor, tensor.data) for tensor in tensors if _is_short(tensor)]
    try:
        for tensor, data in short:
            tensor.data = data.float()
        yield
    finally:
        for tensor, data in short:
            tensor.data = data


def suited(images: Tensor, model: nn.Module) -> Tensor:
    """`images` without a graph, on the model's device and in its floating-point type, at least float32."""
    tensors = [*model.parameters(), *model.buffers()]
    dtypes = [parameter.dtype for parameter in model.parameters() if parameter.is_floating_point()]
    images = images.detach().to(tensors[0].device if tensors else images.device)
    images = images.to(dtypes[0]) if dtypes else images
    images = images.float() if _is_short(images) else images
    return images.clone() if images.is_inference() else images


def _is_short(tensor: Tensor) -> bool:
    return tensor.is_floating_point() and tensor.element_size() < 4
