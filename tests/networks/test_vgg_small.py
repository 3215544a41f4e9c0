"""The small VGG-like network."""

import torch
from torch import nn

from kdprobe.networks import build_network

SHAPE = (3, 32, 32)


def tapped(model, images):
    """The values at the taps and what the modules named by them were followed by."""
    values = {}
    hooks = [
        model.get_submodule(path).register_forward_hook(
            lambda m, i, o, tap=tap: values.update({tap: o.clone()})
        )
        for tap, path in model.taps.items()
    ]
    logits = model(images)
    for hook in hooks:
        hook.remove()
    return logits, values


def test_taps_are_before_the_relu_and_fc3_is_the_logits():
    model = build_network("vgg_small", num_classes=7, image_shape=SHAPE, seed=0).eval()
    logits, values = tapped(model, torch.randn(4, *SHAPE))
    assert logits.shape == (4, 7) and torch.equal(values["fc3"], logits)
    for tap in ("conv", "fc1", "fc2"):
        assert (values[tap] < 0).any(), tap  # not after a ReLU


def test_vgg_small_sizes_and_options():
    model = build_network(
        "vgg_small", num_classes=5, image_shape=(1, 64, 48), seed=0, widths=[8, 12, 16, 20], fc=24
    )
    _, values = tapped(model.eval(), torch.randn(2, 1, 64, 48))
    assert values["conv"].shape == (2, 20, 8, 6)
    assert values["fc1"].shape == values["fc2"].shape == (2, 24)
    assert model.classifier.fc1.in_features == 20 * 4 * 3


def test_vgg_small_is_conv_norm_relu_pool_then_three_linear_layers():
    """The same function in plain calls, from the state dict alone."""
    model = build_network("vgg_small", num_classes=4, image_shape=(3, 16, 16), seed=2, widths=(4, 6), fc=8)
    images = torch.randn(8, 3, 16, 16)
    model.train()(images)  # moves the running statistics
    model.eval()
    w, x = model.state_dict(), images
    f = nn.functional
    for block in ("features.block1", "features.block2"):
        x = f.conv2d(x, w[f"{block}.conv.weight"], padding=1)
        mean, var = w[f"{block}.norm.running_mean"], w[f"{block}.norm.running_var"]
        x = (x - mean[:, None, None]) / torch.sqrt(var[:, None, None] + 1e-5)
        x = x * w[f"{block}.norm.weight"][:, None, None] + w[f"{block}.norm.bias"][:, None, None]
        x = f.max_pool2d(x.clamp(min=0), 2)
    x = x.reshape(8, -1)
    for layer in ("fc1", "fc2", "fc3"):
        x = x @ w[f"classifier.{layer}.weight"].T + w[f"classifier.{layer}.bias"]
        x = x if layer == "fc3" else x.clamp(min=0)
    torch.testing.assert_close(model(images), x, atol=1e-5, rtol=1e-5)


def test_vgg_small_works_inside_vmap():
    model = build_network(
        "vgg_small", num_classes=4, image_shape=(3, 16, 16), seed=0, widths=(4,), fc=8
    ).eval()
    images = torch.randn(3, 3, 16, 16)
    one_by_one = torch.vmap(lambda image: model(image[None])[0])(images)
    torch.testing.assert_close(one_by_one, model(images), atol=1e-5, rtol=1e-5)


def test_the_classifier_keeps_the_signal_alive():
    """With He's initialisation the spread stays from fc1 to fc2; PyTorch's own start shrinks it threefold."""
    model = build_network("vgg_small", num_classes=10, image_shape=SHAPE, seed=0)
    _, values = tapped(model.train(), torch.randn(64, *SHAPE))
    assert (values["fc2"].detach().std() / values["fc1"].detach().std()).item() > 0.6
