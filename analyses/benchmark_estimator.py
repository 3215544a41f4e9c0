"""What an estimate costs beside the published procedure and beside the bare network: one command, CPU or GPU.

    python -m analyses.benchmark_estimator                                   # small networks on the CPU
    python -m analyses.benchmark_estimator --device cuda --models vgg16 resnet50 --size 224 --images 8
    python -m analyses.benchmark_estimator --trained runs/tiny:baseline:6:fc1 --images 4

All in one process on the same images, `--repeats` times in turn, medians. Columns: work and seconds an image of
`sgd` (one image, for it is slow) and of two budgets of `decomposed`, and their ratios; `of_bare` is the time that the
same forward and backward passes take in the bare truncated network at the same batch (contiguous float32, as a plain
loop would run it) over the time of the estimate; peak_mib the peak of GPU memory. With --precisions the network
runs its forward in TF32 (GPU) or bfloat16, and the maps' correlation with those in float32 is printed. Untrained
weights by default: what is timed does not depend on them, what is measured does.
"""

import argparse
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch
import torchvision
from torch import Tensor, nn

from analyses.estimator_agreement import load_case, parse_case
from analyses.pool_seeds import write_table
from kdprobe.estimator import Decomposed, EntropyEstimator, Sgd, truncated_forward
from kdprobe.networks import build_network

BUDGETS = {"decomposed 1 round": Decomposed(tolerance=None), "decomposed": Decomposed()}
_CLASSES = 10


def networks(names: list[str], size: int) -> dict[str, tuple[nn.Module, str]]:
    """Name -> network and layer."""
    shape = (3, size, size)
    known: dict[str, Callable[[], tuple[nn.Module, str]]] = {
        "vgg_small": lambda: (build_network("vgg_small", num_classes=_CLASSES, image_shape=shape), "fc1"),
        "resnet20": lambda: (build_network("resnet20", num_classes=_CLASSES, image_shape=shape), "pool"),
        "vgg11": lambda: (build_network("vgg11", num_classes=_CLASSES, image_shape=shape), "fc1"),
        "vgg16": lambda: (torchvision.models.vgg16(weights=None), "classifier.0"),
        "resnet50": lambda: (torchvision.models.resnet50(weights=None), "avgpool"),
    }
    torch.manual_seed(0)
    return {name: known[name]() for name in names}


def seconds(run: Callable[[], object], device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    began = time.perf_counter()
    run()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - began


class Bare:
    """The truncated network and nothing else: seconds of one forward and of one backward pass a row."""

    def __init__(self, model: nn.Module, layer: str, rows: Tensor) -> None:
        self._model, self._layer, self._rows = model, layer, rows
        self.forward: list[float] = []
        self.backward: list[float] = []

    def measure(self) -> None:
        device = self._rows.device
        leaf = self._rows.clone().requires_grad_(True)
        values: list[Tensor] = []

        def forward() -> None:
            values.append(truncated_forward(self._model, self._layer, leaf).relu())

        def backward() -> None:
            torch.autograd.grad(values[0], leaf, torch.ones_like(values[0]))

        self.forward.append(seconds(forward, device) / len(leaf))
        self.backward.append(seconds(backward, device) / len(leaf))

    def of(self, stats: dict) -> float:
        """Seconds that the passes of an estimate would take."""
        return stats["work_forward"] * statistics.median(self.forward) + stats[
            "work_backward"
        ] * statistics.median(self.backward)


def benchmark(
    name: str, model: nn.Module, layer: str, images: Tensor, repeats: int, with_sgd: bool
) -> list[dict]:
    device = images.device
    model = model.to(device).eval()
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    solvers = BUDGETS | ({"sgd": Sgd()} if with_sgd else {})
    chosen = {solver: images[:1] if solver == "sgd" else images for solver in solvers}
    estimators = {solver: EntropyEstimator(model, layer, solver=record) for solver, record in solvers.items()}
    for solver, estimator in estimators.items():
        if solver != "sgd":
            estimator.estimate(images)  # warm
    batch = estimators["decomposed"].estimate(images[:1]).stats["internal_batch_size"]
    bare = Bare(model, layer, images[torch.arange(batch, device=device) % len(images)])
    bare.measure()
    bare.forward.clear()
    bare.backward.clear()
    taken: dict[str, list[float]] = {solver: [] for solver in solvers}
    stats, peak = {}, {}
    for _ in range(repeats):
        for solver, estimator in estimators.items():
            if device.type == "cuda":
                torch.cuda.reset_peak_memory_stats(device)
            results = []
            batch_of = chosen[solver]
            taken[solver].append(
                seconds(lambda e=estimator, b=batch_of, r=results: r.append(e.estimate(b)), device)
            )
            stats[solver] = results[0].stats
            peak[solver] = (
                torch.cuda.max_memory_allocated(device) / 2**20 if device.type == "cuda" else float("nan")
            )
            bare.measure()
    rows = []
    for solver in solvers:
        count, time_taken = len(chosen[solver]), statistics.median(taken[solver])
        passes = stats[solver]["work_forward"] + stats[solver]["work_backward"]
        rows.append(
            {"network": name, "layer": layer, "size": images.shape[-1], "device": str(device), "batch": batch}
            | {"solver": solver, "images": count, "work": passes / count, "seconds": time_taken / count}
            | {"of_bare": bare.of(stats[solver]) / time_taken, "peak_mib": peak[solver]}
        )
    if with_sgd:
        for row in rows:
            row["times_less_work"] = rows[-1]["work"] / row["work"]
            row["times_less_seconds"] = rows[-1]["seconds"] / row["seconds"]
    return rows


class Lowered(nn.Module):
    """A network whose forward runs in another precision, whatever surrounds it."""

    def __init__(self, model: nn.Module, precision: str) -> None:
        super().__init__()
        self.model, self.precision = model, precision

    def forward(self, images: Tensor) -> Tensor:
        if self.precision == "bfloat16":
            with torch.autocast(images.device.type, dtype=torch.bfloat16):
                return self.model(images)
        matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn.conv
        before = matmul.fp32_precision, cudnn.fp32_precision
        matmul.fp32_precision = cudnn.fp32_precision = "tf32"
        try:
            return self.model(images)
        finally:
            matmul.fp32_precision, cudnn.fp32_precision = before


def precision(name: str, model: nn.Module, layer: str, images: Tensor, wanted: str) -> str:
    """How far the maps move by a lower precision, beside how far they move by another seed."""
    solver = Decomposed(tolerance=None)

    def maps(network: nn.Module, path: str, seed: int) -> Tensor:
        entropy = EntropyEstimator(network, path, solver=solver, seed=seed).estimate(images).entropy
        return (entropy - entropy.mean((1, 2), keepdim=True)).flatten()

    plain, other = maps(model, layer, 0), maps(model, layer, 1)
    path = model.taps.get(layer, layer) if hasattr(model, "taps") else layer
    lowered = maps(Lowered(model, wanted), f"model.{path}", 0)

    def apart(a: Tensor, b: Tensor) -> str:
        return f"correlation {torch.corrcoef(torch.stack([a, b]))[0, 1]:.4f}, {(a - b).abs().mean():.4f} nats"

    return f"{name} {wanted}: {apart(plain, lowered)}; another seed in float32: {apart(plain, other)}"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", type=torch.device, default=torch.device("cpu"))
    parser.add_argument(
        "--models", nargs="*", default=["vgg_small", "resnet20"], help="networks with random weights"
    )
    parser.add_argument(
        "--trained", nargs="*", type=parse_case, default=[], help="EXPERIMENT:NETWORK:EPOCH:LAYER"
    )
    parser.add_argument("--size", type=int, default=32, help="side of the images in pixels")
    parser.add_argument("--images", type=int, default=8)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--no-sgd", action="store_true", help="leave the published procedure out")
    parser.add_argument("--precisions", nargs="*", default=[], choices=["bfloat16", "tf32"])
    parser.add_argument("--out", type=Path, help="stem of the table")
    options = parser.parse_args()
    torch.set_num_threads(1 if options.device.type == "cpu" else torch.get_num_threads())
    machine = (
        torch.cuda.get_device_name(options.device) if options.device.type == "cuda" else platform.processor()
    )
    print(f"{machine or platform.machine()}, torch {torch.__version__}, {torch.get_num_threads()} threads")
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(options.images, 3, options.size, options.size, generator=generator)
    jobs = [(name, *pair, images) for name, pair in networks(options.models, options.size).items()]
    for case in options.trained:
        model, probe, _ = load_case(case)
        jobs.append((case.label, model, case.layer, probe.images[: options.images]))
    rows = []
    for name, model, layer, batch in jobs:
        batch = batch.to(options.device)
        found = benchmark(name, model, layer, batch, options.repeats, not options.no_sgd)
        for row in found:
            print(
                {key: round(value, 4) if isinstance(value, float) else value for key, value in row.items()},
                flush=True,
            )
        for wanted in options.precisions:
            print(precision(name, model, layer, batch, wanted), flush=True)
        rows += found
    if options.out:
        write_table(Path(f"{options.out}.csv"), rows)


if __name__ == "__main__":
    main()
