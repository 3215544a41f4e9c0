"""What a snapshot costs: MB/s beside torch.save and safetensors, and its share of an epoch of the demo.

    python -m analyses.benchmark_storage --folder /somewhere/on/the/disk
    python -m analyses.benchmark_storage --demo --repeats 3

All in one process, one thread, every method once in each of `--repeats` rounds; medians, lowest and highest. MB are
10^6 bytes of tensors. kdprobe always takes digests and syncs; the others come with fsync and without. `bytes` is the
floor: the same bytes in one write, read in one read; `sha256` is one digest over them. Reading is from the page cache
into memory of its own (safetensors maps the file: its tensors are copied). Dirty pages are flushed between the methods,
outside of the times. `load` is the machine's before the first round: above the number of its processors, others were
at work too.

With --demo the baseline of `make demo` is trained: per epoch the time of its snapshot and of what a resume needs. The
snapshot of epoch 0 belongs to no epoch and is left out of the shares, of what is divided and of what it is divided by.
"""

import argparse
import hashlib
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import torch
import torchvision
from safetensors.torch import load_file, save_file
from torch import Tensor

from analyses.pool_seeds import write_table
from kdprobe.experiment.config import ExperimentConfig
from kdprobe.experiment.setup import Material, build, load_material
from kdprobe.recipes import load_recipe
from kdprobe.storage import SnapshotStore
from kdprobe.storage.resume import ResumeStore
from kdprobe.training import TrainingResult, train_network
from kdprobe.training.resume import Resume

NETWORKS = {"resnet18": torchvision.models.resnet18, "vgg11": torchvision.models.vgg11}


def surroundings() -> dict[str, float | str]:
    """Machine, versions and load."""
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [line.split(":")[1].strip() for line in info.read_text().splitlines() if "model name" in line]
        model = names[0] if names else model
    versions = f"torch {torch.__version__}; h5py {h5py.__version__}"
    return {
        "load": os.getloadavg()[0],
        "machine": f"{model} x {os.cpu_count()}; {versions}".replace(",", " "),
    }


def synced(path: Path) -> None:
    for each in (path, path.parent):
        descriptor = os.open(each, os.O_RDONLY)
        os.fsync(descriptor)
        os.close(descriptor)


class Methods:
    """Each way of writing a state to a file and of reading it again."""

    def __init__(self, state: dict[str, Tensor], folder: Path) -> None:
        self.state, self.folder = state, folder
        self.bytes = b"".join(
            tensor.contiguous().view(-1).view(torch.uint8).numpy().tobytes() for tensor in state.values()
        )

    def write(self) -> dict[str, Callable[[Path], None]]:
        def with_sync(write: Callable[[Path], None]) -> Callable[[Path], None]:
            return lambda path: (write(path), synced(path))

        plain = {
            "torch.save": lambda path: torch.save(self.state, path),
            "safetensors": lambda path: save_file(self.state, path),
            "bytes": lambda path: path.write_bytes(self.bytes),
        }
        return (
            {"kdprobe": lambda path: SnapshotStore(path).save(self.state, epoch=0, step=0)}
            | {f"{name} + fsync": with_sync(write) for name, write in plain.items()}
            | plain
            | {"sha256": lambda path: hashlib.sha256(self.bytes).digest()}
        )

    def read(self) -> dict[str, Callable[[Path], object]]:
        read = {
            "torch.save": lambda path: torch.load(path, weights_only=True),
            "safetensors": lambda path: [tensor.clone() for tensor in load_file(path).values()],
            "bytes": lambda path: path.read_bytes(),
        }
        snapshot = "epoch-00000_step-000000000.h5"
        kdprobe = {"kdprobe": lambda path: SnapshotStore(path).load(path / snapshot)}
        return kdprobe | {f"{name} + fsync": method for name, method in read.items()} | read


def seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def benchmark(name: str, folder: Path, repeats: int) -> list[dict]:
    around = surroundings()
    torch.manual_seed(0)
    state = NETWORKS[name](weights=None).state_dict()
    methods = Methods(state, folder)
    write, read = methods.write(), methods.read()
    taken: dict[str, tuple[list[float], list[float]]] = {method: ([], []) for method in write}
    sizes: dict[str, int] = {}
    for repeat in range(repeats + 1):  # the first round warms up
        for number, method in enumerate(write):
            path = folder / f"{name}-{repeat}-{number}"
            writing = seconds(lambda w=write[method], p=path: w(p))
            os.sync()
            reading = seconds(lambda r=read[method], p=path: r(p)) if method in read else float("nan")
            files = [each for each in (path.rglob("*") if path.is_dir() else [path]) if each.is_file()]
            sizes[method] = sum(each.stat().st_size for each in files)
            for each in files:
                each.unlink()
            if repeat:
                taken[method][0].append(writing)
                taken[method][1].append(reading)
    size = len(methods.bytes) / 1e6
    rows = []
    for method, (writing, reading) in taken.items():
        row = {"network": name, "method": method, "tensors_mb": size, "file_mb": sizes[method] / 1e6}
        for what, times in (("write", writing), ("read", reading)):
            row |= {
                f"{what}_mb_s": size / statistics.median(times),
                f"{what}_lowest": size / max(times),
                f"{what}_highest": size / min(times),
            }
        rows.append(row | {"repeats": repeats, **around})
    return rows


def timed(kind: type, times: list[float]) -> type:
    """`kind` with a `save` that notes its seconds."""

    class Timed(kind):
        def save(self, *arguments, **options):
            began = time.perf_counter()
            try:
                return super().save(*arguments, **options)
            finally:
                times.append(time.perf_counter() - began)

    return Timed


def shares(snapshots: list[float], resumes: list[float], seconds: float) -> dict[str, float]:
    """What saving takes of the epochs: seconds of each save, the snapshot of epoch 0 first; `seconds` of everything."""
    epochs = seconds - snapshots[0]
    return {
        "epoch_seconds": epochs / len(snapshots[1:]),
        "snapshot_share": sum(snapshots[1:]) / epochs,
        "resume_share": sum(resumes) / epochs,
    }


def train_baseline(material: Material, home: Path, store: SnapshotStore, **options: Any) -> TrainingResult:
    """Trains the baseline of `make demo` into the folder `home`."""
    config = ExperimentConfig()
    return train_network(
        build(config, material, "baseline"),
        load_recipe("baseline"),
        material.train,
        material.test,
        settings=config.training,
        layer=config.measure.layer,
        store=store,
        seed=config.seed,
        log_path=home / "metrics.jsonl",
        **options,
    )


def demo(folder: Path, repeats: int) -> list[dict]:
    """The baseline of `make demo`: what saving takes of its epochs."""
    config, around = ExperimentConfig(), surroundings()
    material, rows = load_material(config), []
    for repeat in range(repeats):
        home, snapshots, resumes = folder / f"demo-{repeat}", [], []
        resume = Resume(home, {"benchmark": repeat})
        resume.store = timed(ResumeStore, resumes)(home)
        store = timed(SnapshotStore, snapshots)(home / "snapshots")
        result = train_baseline(material, home, store, resume=resume)
        epochs = len(result.accuracy_by_epoch) - 1
        rows.append(
            {
                "network": config.model,
                "epochs": epochs,
                "snapshot_ms": 1000 * statistics.median(snapshots),
                "snapshot_highest_ms": 1000 * max(snapshots),
                "resume_ms": 1000 * statistics.median(resumes),
            }
            | shares(snapshots, resumes, result.seconds)
            | around
        )
    return rows


def show(rows: list[dict]) -> None:
    for row in rows:
        shown = {key: round(value, 4) if isinstance(value, float) else value for key, value in row.items()}
        print({key: value for key, value in shown.items() if key != "machine"}, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--networks", nargs="*", default=list(NETWORKS), choices=list(NETWORKS))
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--folder", type=Path, help="on the disk in question (default: the temporary folder)")
    parser.add_argument("--demo", action="store_true", help="the share of an epoch instead")
    parser.add_argument("--out", type=Path, help="stem of the table")
    options = parser.parse_args()
    torch.set_num_threads(1)
    print(surroundings())
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        rows = []
        for part in [demo] if options.demo else options.networks:
            found = (
                demo(Path(folder), options.repeats)
                if part is demo
                else benchmark(part, Path(folder), options.repeats)
            )
            show(found)
            rows += found
    if options.out:
        write_table(Path(f"{options.out}.csv"), rows)


if __name__ == "__main__":
    main()
