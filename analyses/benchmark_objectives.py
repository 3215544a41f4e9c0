"""What value and backward of an objective cost that looks at features or relations, and how that grows.

    python -m analyses.benchmark_objectives --out analyses/results/benchmark_objectives       # CPU: a minute
    python -m analyses.benchmark_objectives --device cuda --out PATH

Each objective with its default options on noise of one shape in student and teacher, no network around it. One size
is varied at a time, the others stay at BASE. Maps are of one layer, of fsp and review_kd of two of one size.
at_gradient is nothing without a network: what it adds to a step is in analyses.benchmark_methods.

OUT.csv, a row for each point. `side` is that of the maps, `width` that of the vectors (of crd 512), `images` those of
the training set. `ms` of a step: the median of the rounds, `lowest` and `highest` of them; on the CPU the process's own
time, one thread (the system's for giving out large tensors anew included). A round takes all points of an objective in
turn, `steps` steps in a row at each. MB are 10^6 bytes: `held_mb` between steps, parameters and buffers of its own;
`kept_mb` by autograd from value to backward, beside inputs and what is held; `peak_mb` the most that torch's allocator
has given out during a step beyond what it had before, gradients of features and parameters included (on the CPU as
torch.profiler sees it, on a GPU max_memory_allocated); `stated_mb` what the objective's memory_bytes says, if anything;
`stated_share` that over held + peak: below 1, more is taken than said. `load`: the machine's before the objective.

OUT_growth.csv, a row for each size of an objective: exponents from its second largest value to the largest, by which
time, what is kept and the peak grow: 1 is in proportion, 2 with the square. `arithmetic`: that of the products in its
definition, in the cheapest form known. A step that is cheap beside the calls that it consists of grows less.
"""

import argparse
import math
import os
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import accumulate
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.profiler import ProfilerActivity, profile

from analyses.benchmark_methods import seconds
from analyses.benchmark_storage import surroundings
from analyses.pool_seeds import write_table
from kdprobe.objectives import OBJECTIVES, is_connector, objective_inputs

#: of each size the values, and the one that it has while others vary
SIZES = {"batch": (16, 32, 64, 128), "channels": (16, 32, 64, 128), "side": (4, 8, 16, 32)}
SIZES |= {"width": (128, 512, 2048, 8192), "images": (1000, 10_000, 50_000), "negatives": (1024, 4096, 16384)}
BASE = {"batch": 32, "channels": 32, "side": 8, "width": 512, "images": 10_000, "negatives": 4096}
_MAPS, _VECTORS = ("batch", "channels", "side"), ("batch", "width")
_WIDE = (_MAPS, lambda b, c, s: b * c**2 * s**2)
_PAIRS = (_VECTORS, lambda b, w: b**2 * w)
#: the sizes that an objective is measured over, and how many products it needs at those
CASES: dict[str, tuple[tuple[str, ...], Callable[..., int]]] = {
    **dict.fromkeys(("hint", "fsp", "ab", "ofd", "review_kd"), _WIDE),
    **dict.fromkeys(("at", "at_paper"), (_MAPS, lambda b, c, s: b * c * s**2)),
    "nst": (_MAPS, lambda b, c, s: b * min(2 * c * s**4, 3 * c**2 * s**2)),
    "information_flow": (_MAPS, lambda b, c, s: b**2 * c * s**2),
    **dict.fromkeys(("sp", "pkt", "rkd_distance", "darkrank_hard", "darkrank_soft"), _PAIRS),
    "rkd_angle": (_VECTORS, lambda b, w: b**2 * w + 10 * b**3),  # some ten operations on each triple
    "crd": (("batch", "images", "negatives"), lambda b, n, k: b * min(n, k)),
}
LAYERS = {"fsp": 2, "review_kd": 2}  #: of the others 1


class Step:
    """Value and backward of the objective `name` on noise of the sizes `point`."""

    def __init__(self, name: str, point: Mapping[str, int], device: torch.device) -> None:
        torch.manual_seed(0)
        self.point, size = point, BASE | point
        batch, maps = size["batch"], (size["channels"], size["side"], size["side"])
        shape = (batch, *(maps if "channels" in point else (size["width"],)))
        layers = range(LAYERS.get(name, 1))
        student = tuple(torch.randn(shape, device=device, requires_grad=True) for _ in layers)
        teacher = tuple(torch.randn(shape, device=device) for _ in layers)
        labels = torch.arange(size["images"], device=device) % 10
        given = {"student_features": student, "teacher_features": teacher}
        given |= {"student_feature": student[0], "teacher_feature": teacher[0]}
        given |= {"teacher_norms": tuple(torch.ones(2, shape[1], device=device) for _ in layers)}
        given |= {"indices": torch.arange(batch, device=device), "generator": torch.Generator()}
        given |= {"labels": labels[:batch], "train_labels": labels}
        options = {"negatives": size["negatives"]} if "negatives" in point else {}
        objective, self.own = OBJECTIVES[name], nn.Module()
        self.given = {key: given[key] for key in objective_inputs(objective, options)}
        says = getattr(objective, "memory_bytes", None)
        self.stated = says(self.given, batch, **options) if says else None
        if is_connector(objective):
            objective = self.own = objective(self.given, **options).to(device)
        self.objective, self.learning = objective, [*student, *self.own.parameters()]
        self.inputs = [*student, *teacher, *given["teacher_norms"], labels, given["indices"]]

    def value(self) -> Tensor:
        return self.objective(**self.given).mean()

    def __call__(self) -> None:
        torch.autograd.grad(self.value(), self.learning)


def kept_bytes(value: Callable[[], Tensor], known: Sequence[Tensor]) -> int:
    """Bytes that autograd keeps for the backward of `value()`, beside the tensors `known`."""
    found = {}  # held here, so that no place is given out twice

    def keep(tensor: Tensor) -> Tensor:
        found[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        value()
    for tensor in known:
        found.pop(tensor.untyped_storage().data_ptr(), None)
    return sum(storage.nbytes() for storage in found.values())


def peak_bytes(work: Callable[[], object], device: torch.device) -> int:
    """The most bytes of tensors during `work()` beyond those before it."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        work()
        return torch.cuda.max_memory_allocated(device) - before
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as seen:
        work()
    events = [event for event in seen.profiler.kineto_results.events() if event.name() == "[memory]"]
    changes = (event.nbytes() for event in sorted(events, key=lambda event: event.start_ns()))
    return max(accumulate(changes, initial=0))


def memory(step: Step, device: torch.device) -> dict[str, float | str]:
    """The columns in MB."""
    for _ in range(2):  # of what a step replaces the profiler knows the size only if it saw it made
        peak = peak_bytes(step, device) / 1e6
    own = [*step.own.parameters(), *step.own.buffers()]
    held = sum(tensor.nbytes for tensor in own) / 1e6
    kept = kept_bytes(step.value, [*step.inputs, *own]) / 1e6
    stated = "" if step.stated is None else step.stated / 1e6
    found = {"held_mb": held, "kept_mb": kept, "peak_mb": peak, "stated_mb": stated}
    return found | {"stated_share": stated and stated / (held + peak)}


def benchmark(name: str, device: torch.device, rounds: int, least: float) -> Iterator[dict]:
    """The rows of an objective; a round at a point takes about `least` seconds, at least one step."""
    around = surroundings()
    start = {size: BASE[size] for size in CASES[name][0]}
    points = {tuple((start | {size: value}).items()) for size in start for value in SIZES[size]}
    steps = [Step(name, dict(point), device) for point in sorted(points)]
    counts = [1 + int(least / min(seconds(step, 1, device) for _ in range(2))) for step in steps]
    taken = [
        [1000 * seconds(step, count, device) for step, count in zip(steps, counts, strict=True)]
        for _ in range(rounds)
    ]
    for step, count, *times in zip(steps, counts, *taken, strict=True):
        yield (
            {"objective": name}
            | {size: step.point.get(size, "") for size in SIZES}
            | {"ms": statistics.median(times), "lowest": min(times), "highest": max(times)}
            | memory(step, device)
            | {"steps": count, "rounds": rounds, "device": str(device)}
            | around
        )


def growth(rows: Sequence[Mapping]) -> Iterator[dict]:
    """The exponents of an objective, from its rows, by each of its sizes."""
    sizes, products = CASES[rows[0]["objective"]]
    for size in sizes:
        along = [row for row in rows if all(row[each] == BASE[each] for each in sizes if each != size)]
        ends = sorted(along, key=lambda row: row[size])[-2:]
        low, high = (row[size] for row in ends)
        values = {"arithmetic": [products(*(row[each] for each in sizes)) for row in ends]}
        values |= {of: [row[of] for row in ends] for of in ("ms", "kept_mb", "peak_mb")}
        exponents = {of: exponent((low, high), both) for of, both in values.items()}
        yield {"objective": rows[0]["objective"], "size": size, "from": low, "to": high} | exponents


def exponent(sizes: Sequence[float], values: Sequence[float]) -> float:
    """By which power of the size a value grows from the first to the second; NaN if one is 0."""
    return math.log(values[1] / values[0]) / math.log(sizes[1] / sizes[0]) if min(values) > 0 else math.nan


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", type=torch.device, default=torch.device("cpu"))
    parser.add_argument("--objectives", nargs="*", default=list(CASES), choices=list(CASES))
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--least", type=float, default=0.03, help="seconds of a round at a point")
    parser.add_argument("--out", type=Path, help="stem of the two tables")
    options = parser.parse_args()
    os.environ.setdefault("KINETO_LOG_LEVEL", "6")  # the profiler tells of every start
    torch.set_num_threads(1 if options.device.type == "cpu" else torch.get_num_threads())
    rows, growing = [], []
    for name in options.objectives:
        rows += (found := [*benchmark(name, options.device, options.rounds, options.least)])
        growing += growth(found)
        print(f"{name}: {len(found)} points", flush=True)
    if options.out:
        write_table(Path(f"{options.out}.csv"), rows)
        write_table(Path(f"{options.out}_growth.csv"), growing)


if __name__ == "__main__":
    main()
