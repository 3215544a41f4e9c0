"""A fixed teacher's outputs on the disk, computed once for images that never change."""

import math
import shutil
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

FILES = "teacher_*.npy"  #: how the files of outputs are called


@contextmanager
def cleared(folder: Path) -> Iterator[None]:
    """No outputs in `folder` afterwards, whatever happens inside, those of a process that was killed neither; a folder
    that is empty then is removed."""
    try:
        yield
    finally:
        _clear(folder)


def _clear(folder: Path) -> None:
    if folder.is_dir():
        for path in folder.glob(FILES):
            path.unlink(missing_ok=True)
        if not any(folder.iterdir()):
            folder.rmdir()


def flat(outputs: Mapping[str, Any]) -> dict[str, Tensor]:
    """A tensor for each file: of a tuple each under its name and number."""
    files = {}
    for name, values in outputs.items():
        several = isinstance(values, tuple)
        files |= {f"{name}_{k}": value for k, value in enumerate(values)} if several else {name: values}
    return files


def nested(files: Mapping[str, Tensor]) -> dict[str, Any]:
    """The outputs again of which `files` are `flat`."""
    outputs: dict[str, Any] = {name: value for name, value in files.items() if not name[-1].isdigit()}
    numbered = sorted((int(name.rpartition("_")[2]), name) for name in files if name[-1].isdigit())
    for _, name in numbered:
        of = name.rpartition("_")[0]
        outputs[of] = (*outputs.get(of, ()), files[name])
    return outputs


class TeacherCache:
    """Outputs for `count` images, by index, written to and read from plain .npy files in `folder`.

    A full batch is taken from the files; another one (the short last batch of an epoch) is not, because a network
    may round differently in batches of another size: a training is the same, to the last bit, as without the files
    on every machine on which the place of an image in a batch of one size changes nothing.
    """

    def __init__(self, folder: Path, count: int, batch_size: int) -> None:
        self._folder = folder
        self.count = count  #: images
        self._size = min(batch_size, count)
        self._read: dict[str, np.ndarray] = {}
        self._strides: dict[str, tuple[int, ...]] = {}  # of a full batch, by which sums over it round

    def outputs(self, chosen: Tensor) -> dict[str, Tensor] | None:
        """The outputs for the images with these indices; None if they are not there, or not a full batch."""
        if not self._read or len(chosen) != self._size:
            return None
        rows = chosen.numpy()
        return {name: self._laid_out(name, values[rows]) for name, values in self._read.items()}

    def fits(self, example: Mapping[str, Tensor]) -> bool:
        """Whether files of such outputs take at most half of the free disk; if not, a warning says so."""
        need = sum(self.count * math.prod(v.shape[1:]) * v.element_size() for v in example.values())
        place = self._folder.absolute()
        while not place.exists():
            place = place.parent
        free = shutil.disk_usage(place).free
        if need > free / 2:
            warnings.warn(
                f"The teacher's outputs need {need / 1e9:.3g} GB, more than half of the {free / 1e9:.3g} GB that are "
                f"free in {place}: it is asked anew in every step, which takes longer.",
                UserWarning,
                stacklevel=2,
            )
        return need <= free / 2

    def fill(self, teach: Callable[[Tensor], dict[str, Tensor]]) -> None:
        """Replaces the files by what `teach` returns for indices; always asks for a full batch."""
        self.drop()
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._write(self._asked(teach))
        except OSError as error:
            self.drop()  # the disk has become full, or is read-only: slower is better than not at all
            warnings.warn(
                f"The teacher's outputs cannot be kept in {self._folder} ({error}): it is asked anew in every step.",
                UserWarning,
                stacklevel=2,
            )
            return
        self._read = {path.stem: np.load(path, mmap_mode="r") for path in self._folder.glob(FILES)}

    def drop(self) -> None:
        """Forgets what is there, and removes the files."""
        self._read, self._strides = {}, {}
        _clear(self._folder)

    def _laid_out(self, name: str, values: np.ndarray) -> Tensor:
        """`values`, in memory in the order in which the network gives them (with channels last, it may be)."""
        read, strides = torch.from_numpy(values), self._strides[name]
        if read.stride() == strides:
            return read
        return torch.empty_strided(read.shape, strides, dtype=read.dtype).copy_(read)

    def _asked(self, teach: Callable[[Tensor], dict[str, Tensor]]) -> Iterator[dict[str, Tensor]]:
        for start in range(0, self.count, self._size):
            rows = torch.arange(start, start + self._size)
            new = min(self._size, self.count - start)
            said = teach(rows % self.count)
            self._strides = {name: torch.empty_like(values).stride() for name, values in said.items()}
            yield {name: values[:new] for name, values in said.items()}

    def _write(self, rows: Iterable[Mapping[str, Tensor]]) -> None:
        """Written, not mapped: a full disk is then an error and not the end of the process."""
        with ExitStack() as stack:
            files = {}
            for batch in rows:
                for name, values in batch.items():
                    array = values.cpu().numpy()
                    if name not in files:
                        files[name] = stack.enter_context(open(self._folder / f"{name}.npy", "wb"))
                        header = {
                            "descr": np.lib.format.dtype_to_descr(array.dtype),
                            "fortran_order": False,
                            "shape": (self.count, *array.shape[1:]),
                        }
                        np.lib.format.write_array_header_1_0(files[name], header)
                    files[name].write(array.tobytes())
