"""LiveProbe: what is wrong from the start is raised, what fails later costs a warning."""

import pytest
import torch
from live.subjects import Net, images, lines, masks, options, probe

from kdprobe.errors import ConfigError, InputError, LayerError, SnapshotError
from kdprobe.live import LiveProbe


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"on_error": "ignore"}, "on_error must be one of warn, raise, got 'ignore'"),
        ({"look_back": 0}, "look_back must be a whole number of observations from 1 on, or None, got 0"),
        ({"margin": -1.0}, "margin must be a finite number of nats above 0"),
        ({"scope": "world"}, "scope must be one of dataset, image"),
        ({"ids": ["a"]}, "8 probe images need 8 ids, got 1"),
        ({"labels": ["a"] * 9}, "8 probe images need 8 labels, got 9"),
        ({"shown": -1}, "shown must be how many images to make pictures of"),
        ({"display": lambda image: image}, r"display must make \(H, W, 3\) or \(H, W, 1\) of an image, got"),
    ],
)
def test_settings_that_cannot_be_used_are_refused_at_once(tmp_path, changes, sentence):
    with pytest.raises(InputError, match=sentence):
        probe(tmp_path, **changes)


@pytest.mark.parametrize(
    ("pictures", "foreground", "sentence"),
    [
        (images()[0], masks(), "Expected probe images as a floating-point tensor"),
        (images(), masks()[:7], "Expected the foreground as bool of shape"),
        (images(), masks().float(), "Expected the foreground as bool of shape"),
        (images(), torch.ones(8, 8, 8, dtype=torch.bool), "Image 0 has no background cell"),
    ],
)
def test_images_and_masks_that_do_not_fit_are_refused_at_once(tmp_path, pictures, foreground, sentence):
    with pytest.raises(InputError, match=sentence):
        LiveProbe(pictures, foreground, "fc1", tmp_path, **options())


@pytest.mark.parametrize("on_error", ["warn", "raise"])
def test_what_is_wrong_from_the_start_is_raised_whatever_on_error_says(tmp_path, on_error):
    with pytest.raises(LayerError, match="has no layer 'fc9'"):
        LiveProbe(images(), masks(), "fc9", tmp_path, **options(on_error=on_error)).observe(Net(), epoch=0)
    with pytest.raises(ConfigError, match="Net has no parameter 'tail' to follow"):
        probe(tmp_path, weights=["tail"], on_error=on_error).observe(Net(), epoch=0)
    with pytest.raises(LayerError, match="lets no gradient through"):
        deaf = torch.nn.Sequential(Rounded(), torch.nn.Flatten())
        LiveProbe(
            images(), masks(), "0", tmp_path, weights=["0.scale"], **options(on_error=on_error)
        ).observe(deaf, epoch=0)
    assert not list(tmp_path.iterdir())


class Rounded(torch.nn.Module):
    """Depends on the image, and lets no gradient through."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = torch.nn.Parameter(torch.ones(()))

    def forward(self, images):
        return (10 * images).round().detach()


def test_a_measurement_that_fails_later_is_a_warning_and_the_next_one_goes_on(tmp_path):
    watched, net = probe(tmp_path, on_error="warn"), Net()
    watched.observe(net, epoch=0)
    net.fails.append(ValueError("no evaluation today"))
    with pytest.warns(UserWarning, match="Epoch 1 was not measured: no evaluation today"):
        assert watched.observe(net, epoch=1) is None
    net.fails.clear()
    assert watched.observe(net, epoch=2).epoch == 2
    assert watched.failures == ("Epoch 1 was not measured: no evaluation today",)
    assert [line["epoch"] for line in lines(tmp_path)] == [0, 2]


def test_a_measurement_that_fails_is_raised_if_that_is_asked_for(tmp_path):
    watched, net = probe(tmp_path), Net()
    watched.observe(net, epoch=0)
    net.fails.append(ValueError("no evaluation today"))
    with pytest.raises(ValueError, match="no evaluation today"):
        watched.observe(net, epoch=1)


def test_a_folder_that_takes_nothing_costs_a_warning(tmp_path):
    (tmp_path / "file").write_text("no folder")
    watched = probe(tmp_path / "file" / "run", on_error="warn")
    with pytest.warns(UserWarning, match=r"Cannot write .*metrics.jsonl: .* The training goes on"):
        reading = watched.observe(Net(), epoch=0)
    assert reading.n_foreground.n == 8
    assert len(watched.failures) == 1
    with pytest.raises(SnapshotError, match="Cannot write"):
        probe(tmp_path / "file" / "run").observe(Net(), epoch=0)
