"""Wide residual networks."""

import torch
from torch.nn import functional as F

from kdprobe.networks import build_network


def active(x, w, name):
    mean, var = (w[f"{name}.running_{key}"][:, None, None] for key in ("mean", "var"))
    return (x - mean) / torch.sqrt(var + 1e-5)


def test_every_tap_of_a_wide_network_is_what_plain_calls_on_the_state_dict_give():
    """Pre-activation: the shortcut convolution sees the normalised and rectified input, the identity the bare one."""
    model = build_network("wrn_16_2", num_classes=6, image_shape=(3, 16, 16), seed=1)
    images = torch.randn(8, 3, 16, 16, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        model.train()(images)
    model.eval()
    values = {}
    for tap, path in model.taps.items():
        model.get_submodule(path).register_forward_hook(
            lambda m, i, value, tap=tap: values.update({tap: value})
        )
    w = model.state_dict()
    with torch.no_grad():
        logits = model(images)
        x = F.conv2d(images, w["stem.weight"], padding=1)
        expected = {"stem": x}
        for stage in (1, 2, 3):
            for block in (0, 1):
                at, stride = f"stage{stage}.{block}", 2 if stage > 1 and block == 0 else 1
                ready = active(x, w, f"{at}.norm1")
                if block == 0 and stage > 1:
                    expected[f"stage{stage - 1}_preact"] = ready
                ready = ready.clamp(min=0)
                out = F.conv2d(ready, w[f"{at}.conv1.weight"], stride=stride, padding=1)
                out = F.conv2d(active(out, w, f"{at}.norm2").clamp(min=0), w[f"{at}.conv2.weight"], padding=1)
                way = F.conv2d(ready, w[f"{at}.shortcut.weight"], stride=stride) if block == 0 else x
                x = out + way
            expected[f"stage{stage}"] = x
        expected["stage3_preact"] = active(x, w, "norm")
        expected["pool"] = expected["stage3_preact"].clamp(min=0).mean((2, 3))
        expected["embedding"] = expected["pool"]
        expected |= {f"stage{k}_rectified": expected[f"stage{k}_preact"].clamp(min=0) for k in (1, 2, 3)}
        expected["logits"] = expected["pool"] @ w["fc.weight"].T + w["fc.bias"]
    assert set(values) == set(expected) and torch.equal(values["logits"], logits)
    for tap, value in expected.items():
        torch.testing.assert_close(
            values[tap], value, atol=1e-4, rtol=1e-4, msg=lambda text, tap=tap: f"{tap}: {text}"
        )
