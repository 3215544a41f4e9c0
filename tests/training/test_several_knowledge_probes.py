"""Several KnowledgeProbes in one training: beside each other, never in each other's way."""

import pytest
from lightning.pytorch.callbacks import ModelCheckpoint
from live.subjects import images, lines, masks, options
from training.probed import probe, taught
from training.test_knowledge_probe_loggers import NAMES, Plain, expected

from kdprobe import KnowledgeProbe
from kdprobe.errors import ConfigError


class Collecting(Plain):
    """Keeps whatever comes at one step."""

    def log_metrics(self, metrics, step=None):
        before = self.numbers.get(step, {})
        super().log_metrics(metrics, step)
        self.numbers[step] = {**before, **self.numbers.get(step, {})}


def other(folder, layer: str = "fc1", **more) -> KnowledgeProbe:
    """Of fewer images."""
    return KnowledgeProbe(images(6), masks(6), layer, folder, **{"module": "net", **options(**more)})


def test_each_is_logged_under_its_name_and_layer(tmp_path):
    logger = Collecting()
    taught([probe(tmp_path / "a"), other(tmp_path / "b", "body.conv")], logger=logger)
    wanted: dict[int, dict[str, float]] = {}
    for folder, layer in (("a", "fc1"), ("b", "body.conv")):
        for step, numbers in expected(tmp_path / folder).items():
            placed = {
                key.replace("probe/", f"probe/student/{layer}/"): value for key, value in numbers.items()
            }
            wanted.setdefault(step, {}).update(placed)
    assert logger.numbers == wanted and len(wanted[9]) == 2 * (3 * len(NAMES) + 1)


def test_each_measures_what_it_would_measure_alone(tmp_path):
    taught([probe(tmp_path / "a"), other(tmp_path / "b", name="few")])
    taught([probe(tmp_path / "alone")])
    taught([other(tmp_path / "few", name="few")])
    assert lines(tmp_path / "a") == lines(tmp_path / "alone")
    assert lines(tmp_path / "b") == lines(tmp_path / "few")


@pytest.mark.filterwarnings("ignore:.*callbacks used to create the checkpoint need to be provided")
def test_each_goes_on_from_its_own_part_of_a_checkpoint(tmp_path):
    def both(**more):
        taught([probe(tmp_path / "a"), other(tmp_path / "b", name="few"), *more.pop("keep", [])], **more)

    both(epochs=2, keep=[ModelCheckpoint(tmp_path, filename="c")], enable_checkpointing=True)
    both(epochs=3, ckpt_path=tmp_path / "c.ckpt")
    for folder, count in (("a", 8), ("b", 6)):
        found = lines(tmp_path / folder)
        assert [(line["epoch"], line["images"]) for line in found] == [(epoch, count) for epoch in range(4)]


@pytest.mark.parametrize(
    ("second", "sentence"),
    [
        (("a", "body.conv"), "write to .*a; give each its own folder"),
        (("b", "fc1"), "are called 'student' at layer fc1; give each its own name"),
    ],
)
def test_two_that_would_mix_are_refused_before_anything_is_written(tmp_path, second, sentence):
    folder, layer = second
    with pytest.raises(ConfigError, match=f"Two KnowledgeProbes of one Trainer {sentence}"):
        taught([probe(tmp_path / "a"), other(tmp_path / folder, layer)])
    assert not list(tmp_path.iterdir())
