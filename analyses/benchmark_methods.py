"""What a training step of every method costs beside a plain loop that does the same passes: CPU or GPU.

    python -m analyses.benchmark_methods --out analyses/results/benchmark_methods             # CPU: some 7 minutes
    python -m analyses.benchmark_methods --device cuda --batch 256 --steps 20 --out PATH

One process, one thread on the CPU; every stage of every recipe on each pair of networks. In each of `--rounds`
rounds four things are timed one after the other, `--steps` steps each, on the same images in the same batches: a plain
step of the student (forward, cross-entropy, backward, AdamW), the same with the teacher's forward, a plain step with
the passes that the stage asks for, and the stage's own step, as its module does it without Lightning. Making the batch
counts. Times are medians over the rounds, in ms a step, on the CPU of the process's own time; ratios are taken within a
round, then the median, lowest and highest. The first round warms up and is left out. Where features of the teacher are
learned it has the student's architecture, for their widths must be equal.

Columns: `teacher` none, fresh (asked in every step) or cached (its outputs read from the disk); `passes` the cost by
kdprobe.recipes.cost, as if all networks were of one size; `of_student` and `of_student_teacher` the stage's step over
the plain ones; `of_passes` the stage's step over the plain loop with its passes, which is what the objective and the
machinery add: 1 is nothing; below 1, less was done than was counted (a frozen part, a forward that ends at the tap).
`waits`: numbers that a step asks of the device, each of which holds up a GPU, beside the look at its loss (on a GPU
every 50 steps). A stage whose terms count in some of its epochs only has a row for each of its stretches. Rows with
`loop` Lightning are the same step in Lightning's fit: of_passes is then Lightning's own price, too. `load`: the
machine's before the pair; above the number of its processors others were at work too.
"""

import argparse
import statistics
import tempfile
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.utils._python_dispatch import TorchDispatchMode

from analyses.benchmark_storage import surroundings
from analyses.pool_seeds import write_table
from kdprobe.data import LabelledImages, load_data
from kdprobe.networks import build_network
from kdprobe.recipes import Recipe, Stage, list_recipes, load_recipe
from kdprobe.recipes.cost import stage_cost
from kdprobe.training.batches import Batches
from kdprobe.training.layers import STUDENT, stage_layers
from kdprobe.training.lightning_run import fit
from kdprobe.training.module import StageModule, StagePlan
from kdprobe.training.scope import learning_scope
from kdprobe.training.settings import TrainingSettings
from kdprobe.training.stage_batches import StageBatches
from kdprobe.training.stage_teachers import StageTeachers
from kdprobe.training.teacher_cache import TeacherCache
from kdprobe.training.teaching import TeachingNetwork

EPOCHS = 100  #: of a stage, as kdprobe.recipes.cost takes it
_CLASSES = 10
#: recipes of which a step is also timed in Lightning's fit
LIGHTNING = ("baseline", "kd")
_PLAIN = ("student", "student_teacher", "passes")
_WAITS = ("aten::_local_scalar_dense", "aten::nonzero")


@dataclass(frozen=True)
class Pair:
    """A student <- teacher, the layer of the methods that need one, and images."""

    name: str
    student: nn.Module
    teacher: nn.Module
    layer: str
    data: LabelledImages


def digits(images: int) -> Pair:
    data = load_data("cluttered_digits", images_per_class=-(-images // 10))
    student, teacher = (
        build_network("vgg_small", num_classes=10, image_shape=data.image_shape, seed=k) for k in (0, 1)
    )
    return Pair("vgg_small <- vgg_small", student, teacher, "fc1", data)


def resnets(images: int) -> Pair:
    generator = torch.Generator().manual_seed(0)
    data = LabelledImages(
        name="noise",
        images=torch.randint(256, (images, 3, 32, 32), generator=generator, dtype=torch.uint8),
        labels=torch.arange(images) % _CLASSES,
        ids=[str(k) for k in range(images)],
        classes=[str(k) for k in range(_CLASSES)],
        foregrounds=torch.rand(images, 32, 32, generator=generator) < 0.5,
        foreground_kind="mask",
    )
    student, teacher = (
        build_network(name, num_classes=_CLASSES, image_shape=(3, 32, 32), seed=k)
        for k, name in enumerate(("resnet20", "wrn_16_2"))
    )
    return Pair("resnet20 <- wrn_16_2", student, teacher, "pool", data)


PAIRS = {"digits": digits, "resnets": resnets}


def stretches(stage: Stage) -> list[Stage]:
    """`stage` as it is while the same terms count: those alone, throughout."""
    counting = {
        tuple(k for k, term in enumerate(stage.objective) if term.weight_at(epoch, EPOCHS) > 0): None
        for epoch in range(1, EPOCHS + 1)
    }
    return [
        replace(
            stage,
            objective=tuple(replace(stage.objective[k], from_=0, until=1.0, warm_up=0) for k in terms),
        )
        for terms in counting
    ]


def for_ever(batches: Batches | StageBatches) -> Iterator:
    while True:
        yield from batches


class PlainStep:
    """Forward, cross-entropy, backward and optimiser step of `learners`, which also run `others` batches more without
    gradient, after a forward of each of `teachers`."""

    def __init__(
        self, learners: Sequence[nn.Module], others: int, teachers: Sequence[nn.Module], batches: Batches
    ) -> None:
        self.learners, self.others, self.teachers = learners, others, teachers
        self.batches = for_ever(batches)
        self.device = batches.images[:1].device
        self.optimiser = torch.optim.AdamW([p for network in learners for p in network.parameters()], lr=1e-4)

    def __call__(self) -> None:
        images, labels = next(self.batches)
        labels = labels.to(self.device, non_blocking=True)
        with torch.no_grad():
            for teacher in self.teachers:
                teacher(images)
        losses = [cross_entropy(network(images), labels) for network in self.learners]
        with torch.no_grad():
            for network in self.learners:
                for _ in range(self.others):
                    network(images)
        self.optimiser.zero_grad()
        sum(losses).backward()
        self.optimiser.step()


class TimedModule(StageModule):
    """Notes in `clock` when the first and the last step of an epoch ended."""

    def on_train_batch_end(self, outputs: object, batch: object, batch_index: int) -> None:
        if batch_index in (0, len(self._batches) - 1):
            self.clock.append(now(self.device))


class MethodStep:
    """A step of a stage of a recipe, without Lightning."""

    def __init__(
        self, pair: Pair, recipe: Recipe, stage: Stage, batches: Batches, cache: TeacherCache | None
    ) -> None:
        device = batches.images[:1].device
        settings = TrainingSettings(
            batch_size=batches.batch_size, learning_rate=1e-4, schedule="constant", device=device.type
        )
        student = deepcopy(pair.student)
        peers = {peer.name: deepcopy(network_of(pair, peer.model)) for peer in stage.peers}
        known = teaching(pair, recipe, stage)
        images = pair.data.normalised.on(device)[:2]
        models = {source.network: known[source.network].model for source in stage.teachers}
        layers = stage_layers(stage, pair.layer, {STUDENT: student, **peers}, models, images)
        scope = learning_scope(student, stage.learns, layers.tap.get(STUDENT), images)
        scope.freeze(student)
        plan = StagePlan(0, stage, layers, scope, EPOCHS, 0, 0)
        teachers = StageTeachers(stage, layers, EPOCHS, known, device, cache)
        seen = StageBatches(batches, stage, pair.data.foregrounds, teachers.kept)
        self.module = TimedModule(student, teachers, plan, seen, settings, 0, device, peers).to(device)
        self.module.clock = []
        self.module.on_train_epoch_start()
        self.optimiser = self.module.configure_optimizers()
        self.batches, self.length, self.count = for_ever(seen), len(seen), 0

    def __call__(self) -> None:
        loss = self.loss()
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()

    def loss(self) -> Tensor:
        """That of the next batch."""
        batch = next(self.batches)
        device = self.module.device
        given = {name: moved(getattr(batch, name), device) for name in ("labels", "indices", "taught")}
        batch = batch._replace(**given)
        self.count += 1
        return self.module.training_step(batch, (self.count - 1) % self.length)

    def in_lightning(self) -> float:
        """Seconds of a step in an epoch of Lightning's fit."""
        self.module.clock.clear()
        fit(self.module, 1, self.module.device, [])
        began, ended = self.module.clock
        return (ended - began) / (self.length - 1)


def moved(values: Any, device: torch.device) -> Any:
    """Tensors, also in tuples and dicts, on `device`."""
    if isinstance(values, Tensor):
        return values.to(device, non_blocking=True)
    if isinstance(values, dict):
        return {name: moved(each, device) for name, each in values.items()}
    return tuple(moved(each, device) for each in values) if isinstance(values, tuple) else values


def network_of(pair: Pair, model: str) -> nn.Module:
    return pair.teacher if model == "teacher" else pair.student


def fitting(pair: Pair, stage: Stage) -> Pair:
    """`pair` with a teacher whose features are as wide as the student's, if the stage looks at them."""
    if not {"teacher_feature", "teacher_features"} & set(stage.inputs):
        return pair
    name = pair.name.split(" <- ")[0]
    return replace(pair, name=f"{name} <- {name}", teacher=pair.student)


def teaching(pair: Pair, recipe: Recipe, stage: Stage) -> dict[str, TeachingNetwork]:
    """All who teach `stage`, each a frozen network of its own that has kept eight epochs."""
    models = {network.name: network.model for network in recipe.networks} | {"teacher": "teacher"}
    found = {}
    for source in stage.teachers:
        network = deepcopy(network_of(pair, models.get(source.network, "student")))
        network.eval().requires_grad_(False)
        found[source.network] = TeachingNetwork(
            network, 8, tuple(range(9)), lambda _, n=network: n.state_dict()
        )
    return found


def counted_waits(step: Callable[[], object]) -> int:
    """Numbers that `step` asks of the device."""

    class Counting(TorchDispatchMode):
        waits = 0

        def __torch_dispatch__(self, function, types, arguments=(), options=None):
            self.waits += function.name() in _WAITS
            return function(*arguments, **(options or {}))

    with Counting() as counting:
        step()
    return counting.waits


def now(device: torch.device) -> float:
    """Seconds: of the process on the CPU, which what others do there changes less than those of a clock."""
    if device.type == "cpu":
        return process_time()
    torch.cuda.synchronize(device)
    return perf_counter()


def seconds(step: Callable[[], None], steps: int, device: torch.device) -> float:
    """Of one step, the mean over `steps` in a row."""
    began = now(device)
    for _ in range(steps):
        step()
    return (now(device) - began) / steps


def passes_of(
    pair: Pair, recipe: Recipe, stage: Stage, cached: bool
) -> tuple[list[nn.Module], int, list[nn.Module]]:
    """Learners, further forwards of each without gradient, and those who are asked in every step of `stage`."""
    learners = [pair.student, *(network_of(pair, peer.model) for peer in stage.peers)]
    others = ("partner_logits" in stage.inputs) + ("view_logits" in stage.inputs)
    known = {} if cached or not taught(stage) else teaching(pair, recipe, stage)
    return [deepcopy(n) for n in learners], others, [known[s.network].model for s in stage.teachers if known]


def kept(stage: Stage) -> bool:
    """Whether what its teachers say can be kept."""
    return taught(stage) and stage.teacher_is_fixed


def taught(stage: Stage) -> bool:
    return any(name.startswith("teacher") for name in stage.inputs)


def measure(
    pair: Pair, recipe: Recipe, stage: Stage, batches: Batches, folder: Path | None, rounds: int, steps: int
) -> list[dict]:
    """The row of a stretch of a stage, its teachers' outputs in `folder` unless that is None, and that of Lightning."""
    device, cached = batches.images[:1].device, folder is not None
    cache = TeacherCache(folder, len(pair.data), batches.batch_size) if cached else None
    method = MethodStep(pair, recipe, stage, batches, cache)
    frozen_teacher = deepcopy(pair.teacher).eval().requires_grad_(False)
    loops = {
        "student": PlainStep([deepcopy(pair.student)], 0, [], batches),
        "student_teacher": PlainStep([deepcopy(pair.student)], 0, [frozen_teacher], batches),
        "passes": PlainStep(*passes_of(pair, recipe, stage, cached), batches),
        "stage": method,
    }
    if len(stage.peers) == loops["passes"].others == len(loops["passes"].teachers) == 0:
        del loops["passes"]  # it is the student's plain step
    taken: dict[str, list[float]] = {name: [] for name in (*loops, "Lightning")}
    for _ in range(rounds + 1):
        for name, step in loops.items():
            taken[name].append(seconds(step, steps, device))
        if recipe.name in LIGHTNING and not cached:
            taken["Lightning"].append(method.in_lightning())
    taken = {name: times[1:] for name, times in taken.items() if times}
    taken.setdefault("passes", taken["student"])
    cost = stage_cost(stage)
    shared = {"networks": pair.name, "recipe": recipe.name, "stage": stage.name}
    shared |= {"teacher": "cached" if cached else "fresh" if taught(stage) else "none"}
    shared |= {"passes": cost.cached if cached else cost.fresh}
    plain = {f"{name}_ms": 1000 * statistics.median(taken[name]) for name in _PLAIN}
    rows = []
    for name in ("stage", "Lightning"):
        if name in taken:
            rows.append(
                shared
                | {"loop": name, "ms": 1000 * statistics.median(taken[name])}
                | plain
                | {f"of_{of}": ratio(taken[name], taken[of])[0] for of in ("student", "student_teacher")}
                | dict(
                    zip(("of_passes", "lowest", "highest"), ratio(taken[name], taken["passes"]), strict=True)
                )
                | {"waits": counted_waits(method.loss)}
                | {"rounds": rounds, "steps": steps, "batch": batches.batch_size, "device": str(device)}
            )
    return rows


def ratio(times: Sequence[float], plain: Sequence[float]) -> tuple[float, float, float]:
    """Median, lowest and highest of the rounds' ratios."""
    ratios = [a / b for a, b in zip(times, plain, strict=True)]
    return statistics.median(ratios), min(ratios), max(ratios)


def benchmark(
    pair: Pair, recipes: Sequence[str], device: torch.device, batch_size: int, rounds: int, steps: int
) -> Iterator[dict]:
    """The rows of `recipes` on `pair`, as they are found."""
    around = surroundings()
    pair = replace(pair, student=deepcopy(pair.student).to(device), teacher=deepcopy(pair.teacher).to(device))
    batches = Batches(pair.data.normalised.on(device), pair.data.labels, batch_size, seed=0)
    for name in recipes:
        recipe = load_recipe(name)
        for whole in recipe.stages:
            for stage in stretches(whole):
                for cached in (False, True)[: 1 + kept(stage)]:
                    with tempfile.TemporaryDirectory() as folder:
                        place = Path(folder) / "taught" if cached else None
                        for row in measure(
                            fitting(pair, stage), recipe, stage, batches, place, rounds, steps
                        ):
                            yield row | around


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", type=torch.device, default=torch.device("cpu"))
    parser.add_argument("--pairs", nargs="*", default=list(PAIRS), choices=list(PAIRS))
    parser.add_argument("--recipes", nargs="*", default=list(list_recipes()), help="names or files")
    parser.add_argument("--batch", type=int, default=64, help="images of a step")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=2, help="steps in a row in each round")
    parser.add_argument("--out", type=Path, help="stem of the table")
    options = parser.parse_args()
    torch.set_num_threads(1 if options.device.type == "cpu" else torch.get_num_threads())
    print(surroundings())
    rows = []
    for name in options.pairs:
        pair = PAIRS[name](8 * options.batch)
        for row in benchmark(
            pair, options.recipes, options.device, options.batch, options.rounds, options.steps
        ):
            shown = {
                key: round(value, 3) if isinstance(value, float) else value for key, value in row.items()
            }
            print({key: value for key, value in shown.items() if key != "machine"}, flush=True)
            rows.append(row)
            if options.out:  # what is there stays, whatever the next method does
                write_table(Path(f"{options.out}.csv"), rows)


if __name__ == "__main__":
    main()
