"""The network up to the tap as a function f of the input, with its passes counted and their memory bounded."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor, nn

from kdprobe.errors import InputError, LayerError
from kdprobe.estimator.arithmetic import suited
from kdprobe.estimator.taps import Truncated, check_tap, measuring

#: Bytes of activations that a pass may keep where the batch size is found by itself. On a CPU passes that outgrow its
#: caches are slower: 256 rows of 64 px took 1.5 times as long as 8 times 32.
_ACTIVATION_BYTES = {"cpu": 64 * 2**20, "other": 2 * 2**30}
#: What the allocators of torch say when memory is short and the error has no class of its own.
_SHORT_OF_MEMORY = (
    "DefaultCPUAllocator: can't allocate memory",
    "DefaultCPUAllocator: not enough memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "MPS backend out of memory",
)

#: How far apart, relative to the largest feature, two memory formats may be.
_ROUNDING = 1e-4

T = TypeVar("T")
Cotangent = Tensor | Callable[[slice, Tensor], Tensor]


@dataclass
class Work:
    """Passes of single samples through the truncated network; forward counts 1, backward to the input counts 1."""

    forward: int = 0
    backward: int = 0

    @property
    def total(self) -> int:
        return self.forward + self.backward


class Feature:
    """f: (R, C, H, W) -> (R, D), the activated and flattened value of one layer, in batches of bounded size.

    Where memory runs out in a pass, `internal_batch_size` is halved for good and the pass is repeated in parts: the
    caller gets what it would have got. Only passes that succeed count as work.
    """

    def __init__(self, model: nn.Module, layer: str, activation: str, internal_batch_size: int) -> None:
        self._truncated = Truncated(model, layer)
        self._layer = layer
        self._relu = activation == "relu"
        self._memory_format = torch.contiguous_format
        self.internal_batch_size = internal_batch_size
        self.work = Work()

    def _forward(self, rows: Tensor) -> Tensor:
        value = self._truncated(rows.contiguous(memory_format=self._memory_format))
        value = value.flatten(1) if value.ndim > 1 else value[:, None]
        value = value.to(rows.dtype)  # a network may lower its precision itself
        return value.relu() if self._relu else value

    @torch.no_grad()
    def __call__(self, rows: Tensor) -> Tensor:
        """f of every row, without a graph."""

        def run(part: slice) -> Tensor:
            value = self._forward(rows[part])
            self.work.forward += len(value)
            return value

        return torch.cat(self._in_parts(rows, run))

    def _with_graph(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """The rows as a leaf, and f of them."""
        leaf = rows.detach().requires_grad_(True)
        with torch.enable_grad():
            return leaf, self._forward(leaf)

    def pull_through(
        self,
        rows: Tensor,
        cotangents: Sequence[Cotangent],
        reduce: Sequence[Callable[[slice, Tensor], Tensor]] | None = None,
    ) -> tuple[Tensor, list[Tensor]]:
        """f of R rows, (R, D) without a graph, and J(x)ᵀ c for each cotangent c: one forward, a backward for each.

        It runs in parts of at most `internal_batch_size` rows, so that the graph of one part is all that is kept.

        cotangents: each (R, D), or a function of (part, value) where it depends on f: `part` is a slice of the R rows,
            `value` f of these rows, (r, D) without a graph, not to be changed; it returns (r, D).
        reduce: for each cotangent a function of (part, gradient) that makes of the (r, C, H, W) gradient what is kept
            of it, row by row, (r, ...): the sums over cells, say. Without it the gradients are kept, (R, C, H, W).

        The functions must depend on their arguments alone (draw noise before): a part in which memory runs out is
        done again in smaller ones. Raises InputError where one row alone does not fit.
        """

        def run(part: slice) -> tuple[Tensor, ...]:
            leaf, value = self._with_graph(rows[part])
            seen = value.detach()
            kept = []
            for index, cotangent in enumerate(cotangents):
                given = cotangent(part, seen) if callable(cotangent) else cotangent[part]
                gradient = _pulled(leaf, value, given, keep=index + 1 < len(cotangents))
                kept.append(reduce[index](part, gradient) if reduce else gradient)
            self.work.forward += len(leaf)
            self.work.backward += len(leaf) * len(cotangents)
            return seen, *kept

        value, *kept = map(torch.cat, zip(*self._in_parts(rows, run), strict=True))
        return value, kept

    def _in_parts(self, rows: Tensor, run: Callable[[slice], T]) -> list[T]:
        done: list[T] = []
        start = 0
        while start < len(rows) or not done:  # once for no rows at all
            part = slice(start, min(start + self.internal_batch_size, len(rows)))
            result = _unless_out_of_memory(run, part)
            if result is None:
                self._halve(part, rows)
                continue
            done.append(result)
            start = part.stop
        return done

    def _halve(self, part: slice, rows: Tensor) -> None:
        size = part.stop - part.start
        if size == 1:
            raise _too_large(self._layer, rows)
        self.internal_batch_size = size // 2
        if rows.device.type == "cuda":
            torch.cuda.empty_cache()

    def prepare(self, like: Tensor) -> None:
        """Looks at the network with one random image (1, C, H, W) `like` those to come; 1 to 4 forwards, 1 backward.

        Raises LayerError where the layer depends on the image and lets no gradient through: it would look as if it
        depended on no pixel at all. Chooses the memory format.
        """
        generator = torch.Generator().manual_seed(0)
        example = torch.randn(like.shape, generator=generator, dtype=like.dtype).to(like.device)
        _, value = self._with_graph(example)
        self.work.forward += len(example)
        if not value.requires_grad and not torch.equal(self(torch.zeros_like(example)), value):
            raise LayerError(
                f"Layer {self._layer!r} depends on the image but lets no gradient through (torch.no_grad, detach or "
                "rounding in the network's forward?); choose another layer or change the network."
            )
        if self._truncated.convolves and example.device.type == "cpu":
            self._try_channels_last(example, value.detach())

    def _try_channels_last(self, example: Tensor, expected: Tensor) -> None:
        """Convolutions on a CPU are faster so; a network that uses `view` cannot take it, a foreign kernel may err."""
        self._memory_format = torch.channels_last
        try:
            value, _ = self.pull_through(example, [torch.ones_like(expected)])
            fits = bool(((value - expected).abs() <= _ROUNDING * expected.abs().max()).all())
        except (RuntimeError, InputError):
            fits = False
        if not fits:
            self._memory_format = torch.contiguous_format


def _pulled(leaf: Tensor, value: Tensor, cotangent: Tensor, keep: bool) -> Tensor:
    if not value.requires_grad:  # the layer does not depend on the input
        return torch.zeros_like(leaf)
    (gradient,) = torch.autograd.grad(value, leaf, cotangent, retain_graph=keep, allow_unused=True)
    return torch.zeros_like(leaf) if gradient is None else gradient


def _unless_out_of_memory(run: Callable[[slice], T], part: slice) -> T | None:
    """None where memory ran out; by then the error is gone, and with it all that its frames held."""
    try:
        return run(part)
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        return None


def is_out_of_memory(error: BaseException) -> bool:
    """Whether torch or Python failed to get memory, on the GPU or the CPU."""
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    return isinstance(error, RuntimeError) and any(text in str(error) for text in _SHORT_OF_MEMORY)


def _too_large(layer: str, rows: Tensor) -> InputError:
    return InputError(
        f"The memory of {rows.device} is too small for layer {layer!r} on one image of {tuple(rows.shape[1:])}; "
        "free memory, choose a lower layer or measure smaller images."
    )


def batch_size(setting: int | str | None) -> int | None:
    """`internal_batch_size` as given: an integer >= 1, or None for "auto". Raises InputError for anything else."""
    if setting is None or setting == "auto":
        return None
    if isinstance(setting, bool) or not isinstance(setting, int) or setting < 1:
        raise InputError(f"internal_batch_size must be an integer of at least 1 or 'auto', got {setting!r}.")
    return setting


@torch.no_grad()
def resolve_batch_size(model: nn.Module, layer: str, example: Tensor) -> int:
    """Rows per pass, found from what the activations of one row (1, C, H, W) occupy; checks the tap on the way.

    A power of two between 8 and 1024: a function of the model and the input's shape alone, the same on every machine,
    unless the free memory of a GPU is too small for it (then down to 1). One whole forward pass of one row.
    """
    sizes: list[int] = []

    def measure(_module: nn.Module, _inputs: object, output: object) -> None:
        if isinstance(output, Tensor):
            sizes.append(output.numel() * output.element_size())

    with measuring(model):
        example = suited(example, model)
        leaves = [module for module in model.modules() if not any(module.children())]
        handles = [module.register_forward_hook(measure) for module in leaves]
        try:
            check_tap(model, layer, example)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            raise _too_large(layer, example) from error
        finally:
            for handle in handles:
                handle.remove()
    bytes_per_row = max(2 * sum(sizes), 1)
    allowed = _ACTIVATION_BYTES["cpu" if example.device.type == "cpu" else "other"]
    rows = 2 ** max(3, min(10, (allowed // bytes_per_row).bit_length() - 1))
    if example.is_cuda:
        rows = _fitting(rows, bytes_per_row, _free_bytes(example.device))
    return rows


def _fitting(rows: int, bytes_per_row: int, free: int) -> int:
    """`rows` halved until they fit, at least 1."""
    while rows > 1 and rows * bytes_per_row > free:
        rows //= 2
    return rows


def _free_bytes(device: torch.device) -> int:
    """What the driver has left, and what torch's allocator holds without using it."""
    held = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return torch.cuda.mem_get_info(device)[0] + held
