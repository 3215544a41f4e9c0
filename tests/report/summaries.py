"""Made-up experiments that look like real ones: for the tests of figures and report."""

import numpy as np

from kdprobe.records import Comparison, ConceptMaps, ExperimentSummary, Hypothesis, Interval, NetworkSummary

NAN = float("nan")
CURVES = ("n_foreground", "n_background", "relevance_ratio")
HIGHER = {
    "n_foreground": True,
    "n_background": False,
    "relevance_ratio": True,
    "learning_distance_mean": False,
    "learning_distance_std": False,
    "learning_distance_var": False,
    "stability": True,
}
H = {
    "H1": ("n_foreground", "n_background", "relevance_ratio"),
    "H2": ("learning_distance_mean", "learning_distance_std"),
    "H3": ("stability",),
}


def interval(value: float, half: float, n: int = 40) -> Interval:
    value, half = float(value), float(half)
    return Interval(value, value - 0.9 * half, value + 1.1 * half, n)


def network(name: str, role: str, recipe: str, last: int = 6, lift: float = 0.0) -> NetworkSummary:
    epochs = tuple(range(last + 1))
    rise = [1 - np.exp(-k / 2) for k in epochs]
    curves = {
        "n_foreground": tuple(interval(0.3 + (14 + 4 * lift) * r, 0.2 + 1.1 * r) for r in rise),
        "n_background": tuple(interval(0.8 + (13 - 2 * lift) * r, 0.2 + 1.3 * r) for r in rise),
        "relevance_ratio": (
            Interval(NAN, NAN, NAN, 0),
            *(interval(0.3 + (0.16 + 0.06 * lift) * r, 0.03, 38) for r in rise[1:]),
        ),
    }
    metrics = {
        **{metric: points[-1] for metric, points in curves.items()},
        "learning_distance_mean": interval(0.62 - 0.05 * lift, 0.04, 39),
        "learning_distance_std": interval(0.21 - 0.02 * lift, 0.03, 39),
        "learning_distance_var": interval((0.21 - 0.02 * lift) ** 2, 0.012, 39),
        "stability": interval(0.66 + 0.05 * lift, 0.03, 39),
    }
    return NetworkSummary(
        name=name,
        role=role,
        recipe=recipe,
        layer="fc1",
        epochs=epochs,
        path=tuple(float(0.8 * (1 - 0.75**k)) for k in epochs),
        curves=curves,
        metrics=metrics,
        left_out={"relevance_ratio": 2, "learning_distance_mean": 1, "stability": 1},
        accuracy=0.5 + 0.1 * lift,
        accuracy_by_epoch=(None, *(0.2 + 0.05 * k for k in epochs[1:])),
        accuracy_note="",
        noise_ceiling=0.91,
        flagged=3 if role == "student" else 0,
    )


def differences(
    student: NetworkSummary, baseline: NetworkSummary, wide: tuple[int, ...] = (0, 6)
) -> list[Comparison]:
    found = []
    for k, (metric, higher) in enumerate(HIGHER.items()):
        difference = student.metrics[metric].value - baseline.metrics[metric].value
        half = abs(difference) * (1.4 if k in wide else 0.6) + 1e-4
        low, high = difference - half, difference + half
        good = low > 0 if higher else high < 0
        bad = high < 0 if higher else low > 0
        verdict = "supported" if good else "contradicted" if bad else "undecided"
        found.append(Comparison(student.name, baseline.name, metric, difference, low, high, 38, verdict))
    return found


def judged(found: list[Comparison]) -> list[Hypothesis]:
    verdicts = {c.metric: c.verdict for c in found}
    statements = {
        "H1": "Distillation makes a network learn more task-relevant and fewer task-irrelevant concepts.",
        "H2": "Distillation makes a network learn concepts faster and more simultaneously.",
        "H3": "Distillation makes a network give up fewer of the concepts that it has learned.",
    }
    hypotheses = []
    for name, metrics in H.items():
        own = {verdicts[metric] for metric in metrics}
        verdict = (
            "supported"
            if own == {"supported"}
            else "contradicted"
            if "contradicted" in own and "supported" not in own
            else "undecided"
        )
        hypotheses.append(
            Hypothesis(found[0].student, found[0].baseline, name, statements[name], metrics, verdict)
        )
    return hypotheses


def concept_maps(names: list[str], epochs=(1, 2, 4, 6), seed: int = 0, shape=(64, 64)) -> ConceptMaps:
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    centre, radius = (0.48 * shape[0], 0.52 * shape[1]), 0.3 * min(shape)
    foreground = (rows - centre[0]) ** 2 + (columns - centre[1]) ** 2 < radius**2
    image = np.stack([rows / shape[0], columns / shape[1], 0.4 + 0.3 * np.sin(rows / 7)], axis=-1)
    image[foreground] = (0.85, 0.55, 0.2)
    image = np.clip(image + 0.05 * rng.standard_normal(image.shape), 0, 1)
    r16, c16 = np.mgrid[:16, :16]
    cells = (r16 - 7.5) ** 2 + (c16 - 8.0) ** 2 < 23
    entropy, concepts = {}, {}
    for n, name in enumerate(names):
        maps = []
        for k, _ in enumerate(epochs):
            noise = 0.15 * rng.standard_normal((16, 16))
            maps.append(-2.8 - 0.12 * (k + 1) * (1 + 0.3 * n) * cells + noise)
        entropy[name] = np.stack(maps)
        concepts[name] = -2.75 - entropy[name] > 0.2
    return ConceptMaps(
        "n01443537/images/n01443537_12.JPEG",
        "goldfish",
        image,
        foreground,
        cells,
        tuple(epochs),
        entropy,
        concepts,
    )


def summary(
    students: int = 2, teacher: bool = True, maps: int = 2, title: str = "Ten classes of Tiny ImageNet"
):
    """A baseline, up to three students and, if asked, a teacher that trained for longer."""
    baseline = network("baseline", "baseline", "baseline")
    recipes = ("feature", "kd", "hint")
    pupils = [
        network(f"student-{recipes[k]}", "student", recipes[k], lift=1 - 0.8 * k) for k in range(students)
    ]
    teachers = [network("teacher", "teacher", "baseline", last=12, lift=1.6)] if teacher else []
    networks = (*teachers, baseline, *pupils)
    found = [
        differences(pupil, baseline, wide) for pupil, wide in zip(pupils, ((6,), (0, 3), (0,)), strict=False)
    ]
    return ExperimentSummary(
        title=title,
        networks=networks,
        comparisons=tuple(c for group in found for c in group),
        hypotheses=tuple(h for group in found for h in judged(group)),
        maps=tuple(concept_maps([n.name for n in (baseline, *pupils)], seed=k) for k in range(maps)),
        settings={
            "data": {"name": "tiny_imagenet", "classes": 10, "image_size": 64},
            "protocol": {
                "name": "cheng2020",
                "target_mean_entropy": -2.8,
                "entropy_weight": 7.0,
                "steps": [60, 20],
            },
            "margin": 0.2,
            "grid": 16,
            "weights_in_distance": "below the tap",
        },
        provenance={
            "versions": {"kdprobe": "0.1.0", "torch": "2.15.0", "python": "3.11.7"},
            "seeds": [0],
            "git_revision": "0123456789abcdef0123456789abcdef01234567",
            "command": "kdprobe run --config analyses/configs/tiny_imagenet.yaml --out runs/tiny",
        },
        notes=(
            "2 of 42 probe images were left out: their estimate was not usable in at least one epoch.",
            "The foreground is the box that comes with each image: it also holds some background.",
        ),
    )
