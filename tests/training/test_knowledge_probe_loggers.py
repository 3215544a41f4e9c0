"""What loggers get of KnowledgeProbe: TensorBoard and CSV for real, W&B and MLflow as they are documented."""

import csv
import random
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from lightning.pytorch.loggers import CSVLogger, Logger, TensorBoardLogger
from live.subjects import lines
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from training.probed import probe, taught

NAMES = ("n_foreground", "n_background", "relevance_ratio", "stability_so_far")


def expected(folder) -> dict[int, dict[str, float]]:
    """By step, from the log: every number that has a value."""
    found = {}
    for line in lines(folder):
        numbers = {"probe/weight_path": line["weight_path"]}
        for name in NAMES:
            parts = {"": "value", "_low": "low", "_high": "high"}
            numbers |= {f"probe/{name}{end}": line[name][part] for end, part in parts.items()}
        found[line["step"]] = {key: value for key, value in numbers.items() if value is not None}
    return found


class Plain(Logger):
    """The least that a logger is."""

    def __init__(self) -> None:
        super().__init__()
        self.numbers: dict[int, dict[str, float]] = {}

    @property
    def name(self):
        return "plain"

    @property
    def version(self):
        return 0

    def log_hyperparams(self, params, *args, **kwargs):
        pass

    def log_metrics(self, metrics, step=None):
        numbers = {key: value for key, value in metrics.items() if key.startswith("probe/")}
        if numbers:
            self.numbers[step] = numbers


class Wandb(Plain):
    """WandbLogger.log_image: lists of pictures and captions of one length."""

    def __init__(self) -> None:
        super().__init__()
        self.images: list[tuple] = []

    @property
    def experiment(self):
        return SimpleNamespace(log=lambda *_: None)

    def log_image(self, key: str, images: list, step: int | None = None, **kwargs) -> None:
        if not isinstance(images, list):
            raise TypeError(f'Expected a list as "images", found {type(images)}')
        for name, values in kwargs.items():
            if len(values) != len(images):
                raise ValueError(f"Expected {len(images)} items but only found {len(values)} for {name}")
        self.images.append((key, images, step, kwargs))


class MlflowClient:
    """Its log_image: either artifact_file, or key, step and timestamp; keys of few signs."""

    def __init__(self) -> None:
        self.images: list[tuple] = []

    def log_image(
        self, run_id, image, artifact_file=None, *, key=None, step=None, timestamp=None, synchronous=None
    ):
        if (artifact_file is None) == (key is None):
            raise TypeError("Exactly one of artifact_file and key must be given.")
        if not all(sign.isalnum() or sign in "_-. /" for sign in key):
            raise ValueError(key)
        self.images.append((run_id, image, key, step))


class Mlflow(Plain):
    run_id = "run 7"

    def __init__(self) -> None:
        super().__init__()
        self.experiment = MlflowClient()


def is_a_picture(pixels) -> bool:
    return pixels.dtype == np.uint8 and pixels.ndim == 3 and pixels.shape[2] == 3


def test_tensorboard_shows_numbers_and_concept_maps(tmp_path):
    logger = TensorBoardLogger(tmp_path / "board", name="", version="")
    taught([probe(tmp_path / "run", shown=2)], logger=logger)
    events = EventAccumulator(str(tmp_path / "board"), size_guidance={"images": 0})
    events.Reload()
    found: dict[int, dict[str, float]] = {}
    for tag in events.Tags()["scalars"]:
        if tag.startswith("probe/"):
            for event in events.Scalars(tag):
                found.setdefault(event.step, {})[tag] = event.value
    wanted = expected(tmp_path / "run")
    assert set(found) == set(wanted) == {0, 3, 6, 9}
    for step, numbers in wanted.items():
        assert found[step] == pytest.approx(numbers, rel=1e-6)
    assert events.Tags()["images"] == ["probe/maps/0", "probe/maps/1"]
    images = events.Images("probe/maps/1")
    assert [image.step for image in images] == [0, 3, 6, 9]
    assert (images[0].height, images[0].width) == (96, 3 * 96 + 8)
    assert images[0].encoded_image_string.startswith(b"\x89PNG")


def test_csv_files_hold_the_numbers(tmp_path):
    taught([probe(tmp_path / "run")], logger=CSVLogger(tmp_path / "csv", name="", version=""))
    with (tmp_path / "csv" / "metrics.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["probe/n_foreground"]]
    found = {
        int(row["step"]): {k: float(v) for k, v in row.items() if k.startswith("probe/") and v}
        for row in rows
    }
    wanted = expected(tmp_path / "run")
    assert set(found) == set(wanted)
    for step, numbers in wanted.items():
        assert found[step] == pytest.approx(numbers, rel=1e-12)


def test_wandb_gets_pictures_as_a_list_with_captions(tmp_path):
    logger = Wandb()
    named = {"ids": [f"id {i}" for i in range(8)], "labels": ["cat"] * 8, "shown": 2}
    taught([probe(tmp_path, **named)], logger=logger)
    assert logger.numbers == expected(tmp_path)
    assert [(key, step) for key, _, step, _ in logger.images] == [
        ("probe/maps", step) for step in (0, 3, 6, 9)
    ]
    assert all(is_a_picture(image) for _, images, _, _ in logger.images for image in images)
    assert logger.images[1][3] == {"caption": ["id 0, cat, epoch 1", "id 1, cat, epoch 1"]}


def test_mlflow_gets_pictures_under_keys_that_it_takes(tmp_path):
    logger = Mlflow()
    taught([probe(tmp_path, shown=2)], logger=logger)
    assert logger.numbers == expected(tmp_path)
    found = [(run, key, step) for run, _, key, step in logger.experiment.images]
    keys = ("probe/maps/0", "probe/maps/1")
    assert found == [("run 7", key, step) for step in (0, 3, 6, 9) for key in keys]
    assert all(is_a_picture(image) for _, image, _, _ in logger.experiment.images)


def test_every_logger_of_the_trainer_is_told(tmp_path):
    loggers = [Plain(), Mlflow(), Plain()]
    taught([probe(tmp_path)], logger=loggers)
    assert all(logger.numbers == expected(tmp_path) for logger in loggers)


def test_an_experiment_that_takes_images_otherwise_gets_none(tmp_path):
    """Comet's takes image_data and name, and its logger has no run_id."""
    logger = Plain()
    logger.experiment = SimpleNamespace(log_image=lambda image_data, name=None: 1 / 0)
    taught([probe(tmp_path)], logger=logger)
    assert logger.numbers == expected(tmp_path)


def test_first_step_counts_in_the_log_and_the_loggers_keep_their_own(tmp_path):
    """A Trainer of a later stage logs by its own steps: so its loggers' curves stand beside its other ones."""
    logger = Plain()
    taught([probe(tmp_path, first_step=100)], logger=logger)
    assert [*logger.numbers] == [0, 3, 6, 9]
    assert [line["step"] for line in lines(tmp_path)] == [100, 103, 106, 109]


def test_a_logger_that_cannot_be_reached_costs_a_warning(tmp_path):
    class Gone(Plain):
        def log_metrics(self, metrics, step=None):
            if "probe/weight_path" in metrics:
                raise ConnectionError("no route to host")

    callback = probe(tmp_path, on_error="warn")
    with pytest.warns(UserWarning, match="Epoch 3 was not logged everywhere: no route to host"):
        taught([callback], logger=Gone())
    assert len(callback.failures) == len(lines(tmp_path)) == 4
    with pytest.raises(ConnectionError):
        taught([probe(tmp_path / "other")], logger=Gone())


def test_random_numbers_that_a_logger_draws_are_not_missed_by_the_training(tmp_path, same):
    class Drawing(Plain):
        def log_metrics(self, metrics, step=None):
            if "probe/weight_path" in metrics:
                random.random(), np.random.rand(), torch.rand(1)

    def next_numbers():
        return {"torch": torch.rand(2), "others": torch.tensor([random.random(), np.random.rand()])}

    plain = taught([]).lightning_module.state_dict(), next_numbers()
    drawn = taught([probe(tmp_path)], logger=Drawing()).lightning_module.state_dict(), next_numbers()
    assert all(same(a, b) for a, b in zip(plain, drawn, strict=True))
