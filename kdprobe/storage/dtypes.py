"""How each torch dtype lies in HDF5: as little-endian integers and floats, beside the dtype's name."""

import numpy as np
import torch

#: torch dtype -> numpy dtype in the file. bool as 0 and 1, bfloat16 and float8 as bits.
_STORED = {
    torch.float64: "<f8",
    torch.float32: "<f4",
    torch.float16: "<f2",
    torch.bfloat16: "<u2",
    torch.int64: "<i8",
    torch.int32: "<i4",
    torch.int16: "<i2",
    torch.int8: "|i1",
    torch.uint64: "<u8",
    torch.uint32: "<u4",
    torch.uint16: "<u2",
    torch.uint8: "|u1",
    torch.bool: "|u1",
    torch.complex128: "<f8",  # real and imaginary part in a last axis of length 2
    torch.complex64: "<f4",
    torch.float8_e4m3fn: "|u1",
    torch.float8_e5m2: "|u1",
}
_NAMES = {str(dtype).removeprefix("torch."): dtype for dtype in _STORED}
_BITS = {torch.bfloat16: torch.uint16, torch.float8_e4m3fn: torch.uint8, torch.float8_e5m2: torch.uint8}


def dtype_name(tensor: torch.Tensor) -> str | None:
    """The name of the dtype in the file (`float32`, `bfloat16`, ...), None if it has no stored form."""
    return str(tensor.dtype).removeprefix("torch.") if tensor.dtype in _STORED else None


def stored_dtype(name: str) -> np.dtype | None:
    """The numpy dtype that a tensor of this dtype name has in the file, None if the name is unknown."""
    return np.dtype(_STORED[_NAMES[name]]) if name in _NAMES else None


def to_array(tensor: torch.Tensor) -> np.ndarray:
    """The array that is stored for `tensor`: contiguous, little-endian; shares its memory where it can."""
    tensor = tensor.detach().cpu().resolve_conj().resolve_neg()
    if tensor.is_complex():
        tensor = torch.view_as_real(tensor)
    tensor = tensor.contiguous()
    stored = np.dtype(_STORED[tensor.dtype])
    if tensor.dtype in _BITS:
        tensor = tensor.view(_BITS[tensor.dtype])
    array = tensor.numpy()
    return array.view(np.uint8) if array.dtype == np.bool_ else array.astype(stored, copy=False)


def to_tensor(array: np.ndarray, name: str) -> torch.Tensor:
    """The tensor of dtype `name` that `array` stands for; takes over its memory.

    Raises ValueError if the array cannot be one (a bool other than 0 and 1, a complex without its axis of 2).
    """
    dtype = _NAMES[name]
    if dtype is torch.bool:
        if array.size and array.max() > 1:
            raise ValueError("a bool is neither 0 nor 1")
        return torch.from_numpy(array.view(np.bool_))
    tensor = torch.from_numpy(array.astype(array.dtype.newbyteorder("="), copy=False))
    if dtype in _BITS:
        return tensor.view(dtype)
    if dtype.is_complex:
        if array.ndim == 0 or array.shape[-1] != 2:
            raise ValueError("a complex tensor without an axis of length 2")
        return torch.view_as_complex(tensor) if tensor.numel() else torch.empty(array.shape[:-1], dtype=dtype)
    return tensor
