"""Concept maps against other explanations of the same networks: do they point at the same cells, and at the object?

    python analyses/attribution_agreement.py runs/first --out analyses/results/first

Reads a finished experiment and takes of every network, with its final weights, four maps per probe image, all for
the true label where a label is needed and all averaged over the pixels of each cell of the entropy grid:

- PixelEntropy: mean(H) - H_i in nats, as measured by the experiment;
- IntegratedGradients: |attribution| summed over the channels, from the image of zeros, in 50 steps;
- LayerGradCam: at the last convolution after its ReLU, the map itself not rectified (Captum's default), enlarged
  bilinearly;
- Occlusion: the fall of the label's logit when a window of 2 x 2 cells becomes zero, in steps of one cell.

Zero is the data set's mean colour, since images are normalised. Writes OUT_rank.csv, Spearman's rank correlation of
every two maps over the cells of an image, and OUT_top.csv, the share of each map's top 10 % of the cells that lies on
foreground cells, beside `chance` (the foreground's share of all cells) and `image` (the same share for the map
|image| that knows no network). Means over images with 95 % bootstrap
intervals; rows with `minus` are paired differences student - baseline over the same images. The intervals leave out
the variation between seeds.
"""

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from pathlib import Path

import numpy as np
import torch
from captum.attr import IntegratedGradients, LayerAttribution, LayerGradCam, Occlusion
from scipy.stats import rankdata
from torch import Tensor, nn

from kdprobe.analysis import common_images
from kdprobe.errors import ConfigError, KdprobeError, LayerError
from kdprobe.estimator import EntropyEstimator, truncated_forward
from kdprobe.estimator.cells import CellGrid
from kdprobe.experiment import read_config
from kdprobe.experiment.measuring import Measurable, measurable, measured
from kdprobe.experiment.members import load_final, members
from kdprobe.experiment.setup import load_material
from kdprobe.experiment.unmeasured import measured_members
from kdprobe.metrics import bootstrap_interval, paired_difference
from kdprobe.records import Interval
from kdprobe.storage import load_state, write_atomically

TOP = 0.1  #: share of the cells that counts as a map's top
STEPS = 50  #: of the integrated gradients
ROWS = 256  #: images in one pass through the network


def cell_means(pixels: Tensor, grid: int) -> Tensor:
    """(N, C, H, W) -> (N, g, g) float64: the mean over the pixels of each cell of the sum over the channels."""
    pixels = pixels.detach().double()
    cells = CellGrid(grid, *pixels.shape[-2:], device=pixels.device, dtype=pixels.dtype)
    return (cells.gather(pixels) / cells.gather(torch.ones_like(pixels[:1, :1]))).cpu()


def integrated_gradients(model: nn.Module, images: Tensor, labels: Tensor, grid: int) -> Tensor:
    found = IntegratedGradients(model).attribute(
        images, baselines=0.0, target=labels, n_steps=STEPS, internal_batch_size=ROWS
    )
    return cell_means(found.abs(), grid)


def last_feature_map(model: nn.Module, image: Tensor) -> nn.Module:
    """The module that returns last what has the shape of the last convolution's value: its ReLU, or its block.

    Grad-CAM is defined on rectified maps; taken at the convolution itself, before BatchNorm and ReLU, it correlated
    with Captum's other maps at 0.01-0.03 on the demo. `image`: (1, C, H, W). Raises LayerError if the network has no
    convolution.
    """
    ran: list[tuple[nn.Module, tuple[int, ...]]] = []

    def note(module: nn.Module, _inputs: object, output: object) -> None:
        if isinstance(output, Tensor):
            ran.append((module, tuple(output.shape)))

    handles = [module.register_forward_hook(note) for module in model.modules()]
    try:
        with torch.no_grad():
            model(image)
    finally:
        for handle in handles:
            handle.remove()
    shapes = [shape for module, shape in ran if isinstance(module, nn.Conv2d)]
    if not shapes:
        raise LayerError(f"{type(model).__name__} has no Conv2d, so there is no layer for LayerGradCam.")
    return [module for module, shape in ran if shape == shapes[-1]][-1]


def layer_grad_cam(model: nn.Module, images: Tensor, labels: Tensor, grid: int) -> Tensor:
    found = LayerGradCam(model, last_feature_map(model, images[:1])).attribute(images, target=labels)
    return cell_means(LayerAttribution.interpolate(found, tuple(images.shape[-2:]), "bilinear"), grid)


def occlusion(model: nn.Module, images: Tensor, labels: Tensor, grid: int) -> Tensor:
    channels, *sides = images.shape[1:]
    window = (channels, *(max(1, round(2 * side / grid)) for side in sides))
    with torch.no_grad():
        found = Occlusion(model).attribute(
            images,
            window,
            strides=(channels, *(max(1, side // grid) for side in sides)),
            baselines=0.0,
            target=labels,
            perturbations_per_eval=max(1, ROWS // len(images)),
        )
    return cell_means(found[:, :1], grid)  # a window covers all channels: they are the same


#: name in the tables -> function(model, images (N, C, H, W), labels (N,), grid) -> (N, g, g)
METHODS: dict[str, Callable[[nn.Module, Tensor, Tensor, int], Tensor]] = {
    "IntegratedGradients": integrated_gradients,
    "LayerGradCam": layer_grad_cam,
    "Occlusion": occlusion,
}
MAPS = ("PixelEntropy", *METHODS)


def rank_correlation(one: Tensor, other: Tensor) -> np.ndarray:
    """Spearman's correlation over the cells of every image, (N,); ties share their mean rank, NaN for a flat map."""
    ranks = [rankdata(maps.flatten(1).numpy(), axis=1) for maps in (one, other)]
    a, b = (r - r.mean(1, keepdims=True) for r in ranks)
    spread = np.sqrt((a**2).sum(1) * (b**2).sum(1))
    return np.where(spread > 0, (a * b).sum(1) / np.where(spread > 0, spread, 1.0), np.nan)


def top_share(maps: Tensor, foreground: Tensor, share: float = TOP) -> np.ndarray:
    """Share of each map's top cells that are foreground, (N,); maps (N, g, g), foreground (N, g, g) bool.

    Top: the round(share * g²) cells, at least one, with the largest values. Of cells that tie for the last places as
    many count as there are places, each with equal chance (so that a flat map scores the foreground's share).
    NaN for a map with NaN.
    """
    values, inside = maps.flatten(1).numpy(), foreground.flatten(1).numpy()
    count = max(1, round(share * values.shape[1]))
    last = -np.sort(-values, axis=1)[:, count - 1 : count]
    above, tied = values > last, values == last
    places = count - above.sum(1)
    with_chance = places * (tied & inside).sum(1) / np.maximum(tied.sum(1), 1)
    found = ((above & inside).sum(1) + with_chance) / count
    return np.where(np.isnan(values).any(1), np.nan, found)


def entropy_contrast(model: nn.Module, found: Measurable, entropy: Tensor) -> Tensor:
    """mean(H) - H_i under the final weights, (N, g, g) nats.

    `entropy` (N, g, g) was measured at the end of the analysed stage. It holds for the final weights too if the layer's
    value is still the same for every probe image; if a later stage has changed it, it is measured anew.
    """
    settings, images = found.plan.settings, found.plan.probe.images
    images = images.to(next(model.parameters()).device)
    load_state(
        found.model, found.member.store.load(found.snapshots[-1]), source=str(found.snapshots[-1].path)
    )
    with torch.no_grad():
        before, now = (truncated_forward(m.eval(), settings.layer, images) for m in (found.model, model))
    if not torch.equal(before, now):
        options = {"protocol": settings.protocol, "solver": settings.solver, "grid": settings.grid}
        estimator = EntropyEstimator(
            model,
            settings.layer,
            internal_batch_size=found.plan.internal_batch_size,
            seed=settings.seed,
            **options,
        )
        entropy = estimator.estimate(images).entropy
    return entropy.mean((1, 2), keepdim=True) - entropy


def maps_of_networks(
    folder: Path, most: int | None = None
) -> tuple[dict[str, dict[str, Tensor]], dict[str, str], Tensor, Tensor]:
    """Network -> map -> (N, g, g); network -> role; foreground cells (N, g, g) bool; |image| (N, g, g).

    The N images are those usable in every network, the first `most` of them. Raises ConfigError if a network is not
    trained, SnapshotError if one is not measured.
    """
    config = read_config(folder)
    material = load_material(config)
    everyone = measured_members(config, material, members(config, folder))
    for member in everyone:
        if member.record() is None:
            raise ConfigError(
                f"{folder}: {member.name} is not trained yet; run kdprobe run --out {folder} first."
            )
    found = [measurable(config, material, member) for member in everyone]
    measurements = {m.member.name: measured(config, m, noise=False) for m in found}
    chosen = common_images(measurements).nonzero().flatten()[:most]
    probe, grid = material.probe, config.measure.grid
    maps = {}
    for m in found:
        name = m.member.name
        model = load_final(config, material, m.member).eval()
        device = next(model.parameters()).device
        inputs = probe.images[chosen].to(device), probe.labels[chosen].to(device)
        contrast = entropy_contrast(model, m, measurements[name].entropy[-1])
        others = {method: explain(model, *inputs, grid) for method, explain in METHODS.items()}
        maps[name] = {"PixelEntropy": contrast[chosen], **others}
    roles = {m.member.name: m.member.role for m in found}
    return maps, roles, probe.foreground_cells[chosen], cell_means(probe.images[chosen].abs(), grid)


Values = Mapping[str, Mapping[str, np.ndarray]]  #: network -> row of the table -> (N,)


def table(values: Values, roles: Mapping[str, str], limits: tuple[float, float], seed: int) -> list[dict]:
    """One row per network and one per student minus baseline, for every row of `values`."""
    rows = []

    def add(network: str, minus: str, what: str, interval: Interval) -> None:
        numbers = {
            "value": interval.value,
            "low": interval.low,
            "high": interval.high,
            "n": interval.n,
        }
        rows.append({"network": network, "role": roles[network], "minus": minus, "maps": what, **numbers})

    for network, found in values.items():
        for what, column in found.items():
            add(network, "", what, bootstrap_interval(column, seed=seed, limits=limits))
    for baseline in (n for n in values if roles[n] == "baseline"):
        for student in (n for n in values if roles[n] == "student"):
            for what, column in values[student].items():
                interval = paired_difference(column, values[baseline][what], seed=seed)
                add(student, baseline, what, interval)
    return rows


def agreement(
    maps: Mapping[str, Mapping[str, Tensor]],
    roles: Mapping[str, str],
    foreground: Tensor,
    magnitude: Tensor,
    seed: int,
) -> tuple[list[dict], list[dict]]:
    """The rows of OUT_rank.csv and of OUT_top.csv."""
    ranks = {
        network: {f"{a} ~ {b}": rank_correlation(found[a], found[b]) for a, b in combinations(MAPS, 2)}
        for network, found in maps.items()
    }
    tops = {
        network: {name: top_share(found[name], foreground) for name in MAPS}
        for network, found in maps.items()
    }
    chance, image = float(foreground.double().mean()), float(top_share(magnitude, foreground).mean())
    top = [
        row | {"chance": 0.0 if row["minus"] else chance, "image": 0.0 if row["minus"] else image}
        for row in table(tops, roles, (0.0, 1.0), seed)
    ]
    return table(ranks, roles, (-1.0, 1.0), seed), top


def readable(rows: Sequence[dict], title: str) -> str:
    """The rows as a table: a line per pair of maps or map, a column per network and per difference."""
    heads = list(dict.fromkeys((row["network"], row["minus"]) for row in rows))
    cells = {
        (
            row["maps"],
            row["network"],
            row["minus"],
        ): f"{row['value']:+.2f} [{row['low']:+.2f}, {row['high']:+.2f}]"
        for row in rows
    }
    lines = [["", *(f"{network} - {minus}" if minus else network for network, minus in heads)]]
    for what in dict.fromkeys(row["maps"] for row in rows):
        lines.append([what, *(cells[what, *head] for head in heads)])
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    padded = ("  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)) for line in lines)
    return "\n".join([title, *(line.rstrip() for line in padded)])


def write_table(path: Path, rows: Sequence[dict]) -> None:
    """Numbers with six significant digits."""
    lines = [list(rows[0])]
    lines += [[f"{v:.6g}" if isinstance(v, float) else str(v) for v in row.values()] for row in rows]
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, ("\n".join(map(",".join, lines)) + "\n").encode())
    print(path)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="a finished experiment")
    parser.add_argument("--out", type=Path, required=True, help="stem of the two tables")
    parser.add_argument(
        "--images", type=int, help="only the first so many usable probe images (default: all)"
    )
    options = parser.parse_args(arguments)
    if options.images is not None and options.images < 1:
        parser.error(f"--images must be at least 1, got {options.images}")
    try:
        maps, roles, foreground, magnitude = maps_of_networks(options.folder, options.images)
        rank, top = agreement(maps, roles, foreground, magnitude, read_config(options.folder).seed)
    except KdprobeError as error:
        print(error, file=sys.stderr)
        return 2
    print(f"{len(foreground)} images, {foreground[0].numel()} cells each; mean over images, 95 % interval\n")
    print(readable(rank, "Spearman's rank correlation over the cells:"), end="\n\n")
    beside = f"chance {top[0]['chance']:.2f}, |image| {top[0]['image']:.2f}"
    print(readable(top, f"Share of the top 10 % of the cells on the foreground ({beside}):"), end="\n\n")
    write_table(Path(f"{options.out}_rank.csv"), rank)
    write_table(Path(f"{options.out}_top.csv"), top)
    return 0


if __name__ == "__main__":
    sys.exit(main())
