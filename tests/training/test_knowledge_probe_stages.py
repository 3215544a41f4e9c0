"""KnowledgeProbe over several trainings: stages, a second one, and the end."""

import lightning.pytorch as L
import pytest
from live.subjects import images, lines, masks, options
from training.probed import Pupil, probe, taught

from kdprobe.errors import ConfigError
from kdprobe.live import LiveProbe
from kdprobe.training import KnowledgeProbe


def test_a_second_training_needs_a_callback_of_its_own(tmp_path):
    callback, second = probe(tmp_path), Pupil()
    taught([callback], epochs=1)
    with pytest.raises(
        ConfigError, match="has seen epoch 1 of another training, and this one begins at epoch 0"
    ):
        taught([callback], module=second)
    assert second.net.passes == 0


def test_one_probe_goes_through_the_stages_of_a_training(tmp_path):
    watch, module = LiveProbe(images(), masks(), "fc1", tmp_path, **options()), Pupil()
    taught([KnowledgeProbe.of(watch, module="net")], module=module, epochs=2)
    second = KnowledgeProbe.of(watch, module="net", begins=(1, 2, 6))
    taught([second], module=module, epochs=2)
    found = lines(tmp_path)
    assert [(line["epoch"], line["step"], line["stage"]) for line in found] == [
        (0, 0, 0),
        (1, 3, 0),
        (2, 6, 0),
        (3, 9, 1),
        (4, 12, 1),
    ]
    path = [line["weight_path"] for line in found]
    assert path == sorted(path)
    assert path[2] > 0


def test_the_page_of_a_finished_training_no_longer_reloads_itself(tmp_path):
    reloading = []

    class Look(L.Callback):
        def on_train_batch_end(self, *_):
            reloading.append((tmp_path / "live.html").read_text())

    taught([probe(tmp_path, page="live.html", name="my <i>student</i>"), Look()])
    page = (tmp_path / "live.html").read_text()
    assert page != reloading[-1]
    assert "my <i>student</i>" not in page
    assert "my &lt;i&gt;student&lt;/i&gt;" in page
