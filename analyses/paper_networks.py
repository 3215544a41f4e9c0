"""Every network of kdprobe at its own size, for two epochs on a few photographs, counted by both presets.

    python -m analyses.paper_networks --data path/to/data --out analyses/results/paper_networks.csv

One row for each network, preset and tap: it shows that all of them run, from training to concepts. Nothing is learned
from a handful of photographs, and few probes make noisy maps: the numbers say nothing about distillation.

What is done. --data holds CUB_200_2011 (three species, for networks of 224 px) and tiny-imagenet-200 (ten classes, for
those of 32 px: with three, all logits of an untrained network are often negative, and the protocol's ReLU leaves
nothing of them). Of both a handful (--images photographs of each class to learn from, of Tiny ImageNet three times as
many, and --images to test on) stands in the native layout in --work: tables cut short, the photographs links. Student
(preset's method `feature`, at the last tap, so that all layers below it learn), baseline and teacher are trained by
`train_experiment`; each tap is measured by `compare_networks`. Networks for 32 px are trained for each preset, those
for 224 px once, for the first of the presets (the paper leaves open all in which its training differs from the released
code's).

What differs from the presets: two epochs; no pretrained convolutions; `jacobian` with few probes instead of
`decomposed`; the sample filter from epoch 1 on, and none if it leaves no image (the row says so); measure.path epochs
wherever steps were not written down. Networks for 32 px, which neither the paper nor its code has: batches of five and
teachers of five epochs (after a few steps BatchNorm's statistics are not yet those of the images, and 110 layers
multiply what that leaves), and low rates (SMALL_TRAINING: at those of the released code's ResNets the imitation of
logits overflows in two steps; even so the gradients of plain110 explode and throw its weights far: its D is huge).
Where the paper leaves protocol, probe images and schedule open, the released code's are taken (kdprobe's own schedule
ends near a rate of 0, so that a second of two steps would not move the weights). Networks for 224 px have fully
connected layers of --fc features (0: their own width, for which most of the time goes into writing and reading
weights; the column `parameters` has what was trained) and measure.weights layer. Taps before a ReLU are left out
where the value after it is a tap too (the protocol applies a ReLU: they say the same), and those before the last
convolutions, which have no counterpart in the paper. Networks for 224 px are measured on one photograph.

Rows in --out are not done again; a network that was stopped goes on from --work, whose folders are removed once their
rows are written. `cpu_seconds` is of all threads of the row's call, the row of the last tap has the training in it.
"""

import argparse
import csv
import json
import logging
import shutil
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from math import nan, prod
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch

from analyses.handful import CUB, SPECIES, TINY, WORDS, cut_cub, cut_tiny
from analyses.pool_seeds import write_table
from kdprobe.cli.parser import make_parser
from kdprobe.cli.preset import with_preset
from kdprobe.errors import InputError, KdprobeError
from kdprobe.estimator import Jacobian
from kdprobe.estimator.solvers import SOLVERS
from kdprobe.experiment import ExperimentConfig, compare_networks, read_config, train_experiment
from kdprobe.experiment.config import PRESETS
from kdprobe.experiment.presets import preset_settings
from kdprobe.networks import NetworkEntry, build_network, list_networks
from kdprobe.networks.listing import tap_shapes
from kdprobe.records import ExperimentSummary
from kdprobe.storage import read_json

CLASSES = {True: WORDS, False: SPECIES}  #: for small networks and the others
SMALL = 32  #: pixels; networks for larger images are trained once, and have other budgets
#: what networks for 32 px are trained with
SMALL_TRAINING = {
    "training.batch_size": 5,
    "training.learning_rate": 1e-4,
    "training.student_learning_rate": 1e-5,
}
TIMES = {True: 3, False: 1}  #: what --images is multiplied by
TEACHER_EPOCHS = {True: 5, False: 2}  #: for small networks and the others
PROBE_IMAGES = {True: 2, False: 1}  #: for small networks and the others
PROBES = {True: 4, False: 2}  #: of jacobian, for small networks and the others
CHEAP = {f"jacobian_{probes}": Jacobian(probes=probes) for probes in PROBES.values()}
#: what the paper leaves open: as the released code has it, under both presets
FROM_RELEASED = ("training.schedule", "measure.protocol", "measure.foreground_share")
#: column -> metric
METRICS = {
    "n_fg": "n_foreground",
    "n_bg": "n_background",
    "lambda": "relevance_ratio",
    "d_mean": "learning_distance_mean",
    "d_std": "learning_distance_std",
    "rho": "stability",
}
Key = tuple[str, str, str]


@contextmanager
def cheap_solvers() -> Iterator[None]:
    """CHEAP among the solvers that can be asked for by name."""
    added = {name: solver for name, solver in CHEAP.items() if name not in SOLVERS}
    SOLVERS.update(added)
    try:
        yield
    finally:
        for name in added:
            del SOLVERS[name]


@dataclass(frozen=True)
class Task:
    """One network: all that a process of its own needs to know."""

    entry: NetworkEntry
    presets: tuple[str, ...]
    done: frozenset[Key]
    root: Path
    work: Path
    fc: int
    images: int
    device: str
    threads: int

    @property
    def small(self) -> bool:
        return self.entry.image_shape[-1] <= SMALL

    @property
    def data(self) -> dict[str, Any]:
        """What is asked for of the photographs."""
        if self.small:
            return {"data.name": "tiny_imagenet", "data.root": str(self.root / TINY)}
        return {"data.name": "cub_200_2011", "data.root": str(self.root / CUB)}

    @property
    def trainings(self) -> list[tuple[str, tuple[str, ...]]]:
        """(preset of the training, presets by which it is counted)."""
        return [(p, (p,)) for p in self.presets] if self.small else [(self.presets[0], self.presets)]


def taps(entry: NetworkEntry) -> list[str]:
    """From the last convolutions on, shallow to deep."""
    return ["conv", "fc1", "fc2", "fc3"] if "conv" in entry.taps else ["stage3", "pool", "logits"]


def settings(task: Task, tap: str) -> dict:
    """What is asked for beside the preset, as on the command line."""
    entry = task.entry
    released = preset_settings(
        "released", {"model": entry.name, "data": {"name": task.data["data.name"]}, "measure": {"layer": tap}}
    )
    asked = {
        **task.data,
        "data.image_size": entry.image_shape[-1],
        "model": entry.name,
        "teacher.epochs": TEACHER_EPOCHS[task.small],
        "teacher.pretrained": False,
        "training.epochs": 2,
        "training.classifier_epochs": 1,
        "training.device": task.device,
        "measure.layer": tap,
        "measure.images": PROBE_IMAGES[task.small],
        "measure.solver": f"jacobian_{PROBES[task.small]}",
        "measure.internal_batch_size": 32 if task.small else 4,
        "measure.filter_from_epoch": 1,
        "measure.teacher": "last",
        "measure.resamples": 100,
        "report.images": 1,
        **{setting: released[setting] for setting in FROM_RELEASED},
    }
    if task.small:
        asked |= SMALL_TRAINING
    else:
        asked |= {"measure.weights": "layer", "training.path_length": False, "measure.path": "epochs"}
        if task.fc and "fc" in entry.options:
            asked["model_options"] = {"fc": task.fc}
    return asked


def config_of(preset: str, asked: Mapping[str, Any]) -> ExperimentConfig:
    """As the command line makes it: the preset, then what is asked for."""
    parser = make_parser()
    texts = {name: value if isinstance(value, str) else json.dumps(value) for name, value in asked.items()}
    arguments = ["run", "--preset", preset, *(f"--{name}={text}" for name, text in texts.items())]
    made = parser.instantiate(with_preset(parser, arguments, parser.parse_args(arguments)))["run"]
    return ExperimentConfig(**{name: made[name] for name in ExperimentConfig.__dataclass_fields__})


def counted(
    call: Callable[[ExperimentConfig], ExperimentSummary], config: ExperimentConfig
) -> tuple[ExperimentSummary, str]:
    """What `call` finds with `config`, without sample filter if that leaves no image; and a note."""
    try:
        return call(config), ""
    except InputError as error:
        if "sample filter" not in str(error):
            raise
    unfiltered = replace(config, measure=replace(config.measure, sample_filter="none"))
    return call(unfiltered), "no image passed the sample filter: none used"


def _networks(folder: Path) -> list[Path]:
    return [folder / "networks" / name for name in ("student-feature", "baseline")]


def _trained(folder: Path) -> bool:
    return all((network / "run.json").is_file() for network in _networks(folder))


def row_of(task: Task, trained: str, preset: str, tap: str, folder: Path, failed: str = "") -> dict:
    """Trains what is not trained yet and measures one tap; `failed`: why there is nothing to measure."""
    asked, began = settings(task, tap), (time.perf_counter(), time.process_time())
    first = (preset, tap) == (trained, taps(task.entry)[-1])
    if not first:
        asked["measure.path"] = "epochs"  # only the last tap's weights were followed step by step
    config = config_of(preset, asked)
    summary, note = None, failed
    try:
        if first:
            train_experiment(config, folder, say=lambda _text: None, show_progress=False)
        if not failed:
            config = replace(read_config(folder), preset=preset, measure=config.measure)
            call = partial(compare_networks, *_networks(folder), show_progress=False)
            summary, note = counted(call, config)
    # a training that diverges, no image that could be measured: that too is an answer
    except KdprobeError as error:
        note = str(error).replace(",", ";")
    taken = {"seconds": time.perf_counter() - began[0], "cpu_seconds": time.process_time() - began[1]}
    return _row(task, trained, preset, tap, folder, config, summary) | taken | {"note": note}


def _row(
    task: Task,
    trained: str,
    preset: str,
    tap: str,
    folder: Path,
    config: ExperimentConfig,
    summary: ExperimentSummary | None,
) -> dict:
    records = {record["role"]: record for record in map(read_json, (folder / "networks").glob("*/run.json"))}
    found = {network.role: network for network in summary.networks} if summary else {}
    parameters, shapes = _network(config)
    row = {
        "network": task.entry.name,
        "preset": preset,
        "tap": tap,
        "features": prod(shapes[tap]),
        "pixels": task.entry.image_shape[-1],
        "parameters": parameters,
        "trained_as": trained,
        "train_images": CLASSES[task.small] * TIMES[task.small] * task.images,
        "probe_images": config.measure.images,
        "images_counted": found["student"].metrics["n_foreground"].n if found else 0,
        "epochs_kept": len(found["student"].epochs) - 1 if found else nan,
        "protocol": config.measure.protocol,
        "solver": config.measure.solver,
        "margin": config.measure.margin,
        "weights": config.measure.weights,
        "path": config.measure.path,
        "accuracy_teacher": records.get("teacher", {}).get("accuracy", nan),
    }
    for role in ("student", "baseline"):
        row[f"accuracy_{role}"] = records.get(role, {}).get("accuracy", nan)
        values = {metric: interval.value for metric, interval in found[role].metrics.items()} if found else {}
        row |= {f"{name}_{role}": values.get(metric, nan) for name, metric in METRICS.items()}
    return row | {"train_seconds": float(sum(record["seconds"] for record in records.values()))}


def _network(config: ExperimentConfig) -> tuple[int, dict[str, tuple[int, ...]]]:
    """Parameters and shapes of the taps of the network that is trained."""
    shape = (3, config.data.image_size, config.data.image_size)
    with torch.device("meta"):
        model = build_network(
            config.model, num_classes=CLASSES[shape[-1] <= SMALL], image_shape=shape, **config.model_options
        ).eval()
        shapes = tap_shapes(model, torch.empty(1, *shape))
    return sum(parameter.numel() for parameter in model.parameters()), shapes


@cheap_solvers()
def rows_of(task: Task) -> list[dict]:
    """All rows of one network that are not done; the note says what could not be made."""
    torch.set_num_threads(task.threads)
    warnings.simplefilter("ignore")
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    rows = []
    for trained, presets in task.trainings:
        folder = task.work / f"{task.entry.name}-{trained}"
        order = [(p, tap) for p in presets for tap in reversed(taps(task.entry))]
        if all((task.entry.name, *each) in task.done for each in order):
            continue
        failed = ""
        for preset, tap in order:
            if (task.entry.name, preset, tap) in task.done and (preset, tap) != order[0]:
                continue
            rows.append(row_of(task, trained, preset, tap, folder, failed))
            if (preset, tap) == order[0] and not _trained(folder):
                failed = rows[-1]["note"]
            if rows[-1]["note"]:
                print(f"{task.entry.name} {preset} {tap}: {rows[-1]['note']}", flush=True)
    return rows


def finished(path: Path) -> dict[Key, dict]:
    """The rows of an earlier run."""
    if not path.is_file():
        return {}
    with open(path, newline="", encoding="utf-8") as file:
        return {(row["network"], row["preset"], row["tap"]): row for row in csv.DictReader(file)}


def _results(tasks: list[Task], workers: int) -> Iterator[tuple[Task, list[dict]]]:
    if workers == 1:
        yield from ((task, rows_of(task)) for task in tasks)
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        pending = {pool.submit(rows_of, task): task for task in tasks}
        for future in as_completed(pending):
            yield pending[future], future.result()


def main() -> None:
    known = {entry.name: entry for entry in list_networks()}
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--data", type=Path, required=True, help="the folder with CUB_200_2011 and tiny-imagenet-200"
    )
    parser.add_argument("--out", type=Path, required=True, help="the table")
    parser.add_argument("--networks", nargs="+", choices=known, default=list(known), metavar="NAME")
    parser.add_argument("--presets", nargs="+", choices=PRESETS, default=list(PRESETS))
    parser.add_argument("--images", type=int, default=1, help="photographs of each species and split")
    parser.add_argument("--fc", type=int, default=256, help="features of fc1 and fc2 at 224 px; 0: their own")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--workers", type=int, default=2, help="networks at a time, each on its own process")
    parser.add_argument("--threads", type=int, default=1, help="of each process")
    parser.add_argument(
        "--work", type=Path, default=Path("runs/paper_networks"), help="folder of the experiments"
    )
    options = parser.parse_args()
    table = finished(options.out)
    order = [(name, preset, tap) for name in known for preset in PRESETS for tap in taps(known[name])]
    root = options.work / f"photographs-{options.images}"
    cut_cub(options.data / CUB, root / CUB, options.images * TIMES[False])
    cut_tiny(options.data / TINY, root / TINY, options.images * TIMES[True], options.images)
    tasks = [
        Task(
            entry=known[name],
            presets=tuple(options.presets),
            done=frozenset(table),
            root=root,
            work=options.work,
            fc=options.fc,
            images=options.images,
            device=options.device,
            threads=options.threads,
        )
        for name in options.networks
    ]
    # largest first, so that no worker is idle while another one's large network goes on
    tasks.sort(key=lambda task: (task.entry.image_shape, task.entry.parameters), reverse=True)
    began = time.perf_counter()
    for task, rows in _results(tasks, options.workers):
        if not rows:
            continue
        table |= {(row["network"], row["preset"], row["tap"]): row for row in rows}
        write_table(options.out, [table[key] for key in order if key in table])
        for trained, _ in task.trainings:
            shutil.rmtree(options.work / f"{task.entry.name}-{trained}", ignore_errors=True)
        cpu = sum(row["cpu_seconds"] for row in rows)
        print(
            f"{task.entry.name}: {len(rows)} rows, {cpu:.0f} s of CPU, {time.perf_counter() - began:.0f} s so far"
        )


if __name__ == "__main__":
    main()
