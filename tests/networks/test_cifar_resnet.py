"""The ResNets for small images and their plain counterparts."""

import pytest
import torch
from torch.nn import functional as F

from kdprobe.errors import ConfigError
from kdprobe.networks import build_network

WIDTHS = {"20": (16, 32, 64), "8x4": (64, 128, 256)}
BLOCKS = {"20": 3, "8x4": 1}


def trained_a_little(name, channels=3, size=16, **options):
    """In evaluation mode with running statistics other than 0 and 1, and images to try it on."""
    model = build_network(name, num_classes=6, image_shape=(channels, size, size), seed=1, **options)
    images = torch.randn(8, channels, size, size, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        model.train()(images)
    return model.eval(), images


def norm(x, w, name):
    values = (w[f"{name}.{key}"] for key in ("running_mean", "running_var", "weight", "bias"))
    mean, var, weight, bias = (value[:, None, None] for value in values)
    return (x - mean) / torch.sqrt(var + 1e-5) * weight + bias


def by_hand(w, x, size, shortcut):
    """Values at all taps from the state dict alone."""
    found = {}
    x = norm(F.conv2d(x, w["stem.0.weight"], padding=1), w, "stem.1").clamp(min=0)
    found["stem"] = x
    for stage in (1, 2, 3):
        for block in range(BLOCKS[size]):
            at = f"stage{stage}.{block}"
            stride = 2 if stage > 1 and block == 0 else 1
            out = F.conv2d(x, w[f"{at}.conv1.weight"], stride=stride, padding=1)
            out = norm(out, w, f"{at}.norm1").clamp(min=0)
            out = norm(F.conv2d(out, w[f"{at}.conv2.weight"], padding=1), w, f"{at}.norm2")
            if shortcut == "pad":
                way = torch.zeros_like(out)
                way[:, : x.shape[1]] = x[:, :, ::stride, ::stride]
                out = out + way
            elif shortcut == "conv" and x.shape == out.shape:
                out = out + x
            elif shortcut == "conv":
                way = torch.einsum(
                    "oi,nihw->nohw", w[f"{at}.shortcut.0.weight"][:, :, 0, 0], x[:, :, ::stride, ::stride]
                )
                out = out + norm(way, w, f"{at}.shortcut.1")
            x = out.clamp(min=0)
        found[f"stage{stage}"], found[f"stage{stage}_preact"] = x, out
    found["pool"] = found["embedding"] = x.mean((2, 3))
    found["logits"] = found["pool"] @ w["fc.weight"].T + w["fc.bias"]
    return found


@pytest.mark.parametrize(
    ("name", "options", "shortcut"),
    [
        ("resnet20", {}, "pad"),
        ("resnet20", {"shortcut": "conv"}, "conv"),
        ("resnet8x4", {}, "conv"),
        ("plain20", {}, None),
        ("plain8x4", {}, None),
    ],
)
def test_every_tap_is_what_plain_calls_on_the_state_dict_give(name, options, shortcut):
    model, images = trained_a_little(name, **options)
    values = {}
    for tap, path in model.taps.items():
        model.get_submodule(path).register_forward_hook(
            lambda m, i, value, tap=tap: values.update({tap: value})
        )
    with torch.no_grad():
        logits = model(images)
        expected = by_hand(
            model.state_dict(), images, name.removeprefix("resnet").removeprefix("plain"), shortcut
        )
    assert set(values) == set(expected) and torch.equal(values["logits"], logits)
    for tap, value in expected.items():
        torch.testing.assert_close(
            values[tap], value, atol=1e-4, rtol=1e-4, msg=lambda text, tap=tap: f"{tap}: {text}"
        )


def test_grey_images_of_an_odd_size_pass():
    model, images = trained_a_little("resnet20", channels=1, size=13)
    assert model(images).shape == (8, 6)


def test_the_distillation_tables_resnet20_has_four_small_tensors_more():
    """Two 1x1 convolutions (16 x 32, 32 x 64) and their BatchNorms."""
    counts = [
        sum(p.numel() for p in trained_a_little("resnet20", shortcut=kind)[0].parameters())
        for kind in ("pad", "conv")
    ]
    assert counts[1] - counts[0] == 16 * 32 + 2 * 32 + 32 * 64 + 2 * 64


def test_an_unknown_shortcut_is_refused_with_the_plain_networks_name():
    with pytest.raises(ConfigError, match=r"resnet20 has the shortcuts pad and conv, got None.*plain20"):
        build_network("resnet20", num_classes=2, image_shape=(3, 32, 32), shortcut=None)
