"""Agreement of concept maps with Captum's: the measures in plain form, Captum's maps in closed form, one small run."""

import runpy
from pathlib import Path

import numpy as np
import pytest
import torch
from oracles.entropy import cell_of
from scipy.stats import spearmanr
from torch import nn

from analyses.attribution_agreement import (
    MAPS,
    METHODS,
    agreement,
    cell_means,
    entropy_contrast,
    last_feature_map,
    main,
    maps_of_networks,
    rank_correlation,
    readable,
    top_share,
)
from kdprobe.errors import LayerError
from kdprobe.estimator import EntropyEstimator
from kdprobe.experiment import read_config
from kdprobe.experiment.measuring import measurable
from kdprobe.experiment.members import load_final, members
from kdprobe.experiment.setup import load_material

FIGURE = Path(__file__).parents[2] / "figures" / "attribution_agreement.py"


def noise(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def by_cells(pixels, grid):
    """The mean over the pixels of every cell of (H, W), pixel by pixel."""
    found = [[[] for _ in range(grid)] for _ in range(grid)]
    for y, row in enumerate(pixels.tolist()):
        for x, value in enumerate(row):
            found[cell_of(y, len(pixels), grid)][cell_of(x, len(row), grid)].append(value)
    return torch.tensor([[np.mean(cell) for cell in row] for row in found])


@pytest.mark.parametrize("size", [(8, 8), (7, 10)])
def test_cells_get_the_mean_of_their_pixels(size):
    pixels = noise(2, 3, *size).float()
    found = cell_means(pixels, 3)
    for image in range(2):
        assert torch.allclose(found[image], by_cells(pixels[image].sum(0), 3), atol=1e-6)


def test_rank_correlation_is_spearmans_image_by_image():
    one, other = noise(3, 4, 4).mul(2).round(), noise(3, 4, 4, seed=1).mul(2).round()  # ties on purpose
    other[2] = one[2] ** 3 + one[2]
    found = rank_correlation(one, other)
    assert found == pytest.approx(
        [spearmanr(a.flatten(), b.flatten())[0] for a, b in zip(one, other, strict=True)]
    )
    assert found[2] == pytest.approx(1.0)
    one[1] = 7.0
    assert np.isnan(rank_correlation(one, other)).tolist() == [False, True, False]


def test_top_share_counts_the_largest_cells():
    maps = torch.arange(40.0).reshape(1, 5, 8)
    inside = torch.zeros(1, 5, 8, dtype=torch.bool)
    inside[0, 4, 5:] = True  # the largest three of the top four
    assert top_share(maps, inside) == pytest.approx([0.75])
    assert top_share(-maps, inside) == pytest.approx([0.0])
    assert top_share(maps, inside, share=0.001) == pytest.approx([1.0])  # at least one cell
    maps[0, 0, 0] = torch.nan
    assert np.isnan(top_share(maps, inside)).all()


def test_cells_that_tie_for_the_last_places_share_them():
    maps = torch.zeros(2, 5, 8)
    inside = torch.zeros(2, 5, 8, dtype=torch.bool)
    inside[:, 0, :5] = True
    maps[0, 0, 0] = 2.0  # one of four places, on the foreground; 39 cells, 4 of them foreground, share three
    assert top_share(maps, inside) == pytest.approx([(1 + 3 * 4 / 39) / 4, 5 / 40])
    drawn = np.random.default_rng(0)
    tied = maps.flatten(1).numpy()[0]
    shares = [
        inside[0].flatten().numpy()[np.lexsort((drawn.random(40), -tied))[:4]].mean() for _ in range(4000)
    ]
    assert top_share(maps, inside)[0] == pytest.approx(np.mean(shares), abs=0.01)


@pytest.fixture
def linear():
    """f = w x on images 2 x 8 x 8 with 3 classes, and the products w x of each image's label."""
    net = nn.Sequential(nn.Flatten(), nn.Linear(128, 3)).double()
    net[1].weight.data = noise(3, 128)
    images, labels = noise(2, 2, 8, 8, seed=1), torch.tensor([2, 0])
    products = (net[1].weight.detach()[labels] * images.flatten(1)).reshape(images.shape)
    return net, images, labels, products


def test_integrated_gradients_of_a_linear_network_are_its_products(linear):
    net, images, labels, products = linear
    found = METHODS["IntegratedGradients"](net, images, labels, 4)
    for image in range(2):
        assert torch.allclose(found[image], by_cells(products[image].abs().sum(0), 4).double())


def test_occlusion_of_a_linear_network_is_the_mean_over_windows_of_two_by_two_cells(linear):
    net, images, labels, products = linear
    found = METHODS["Occlusion"](net, images, labels, 4)
    for image in range(2):
        total, windows = torch.zeros(8, 8).double(), torch.zeros(8, 8).double()
        for y in (0, 2, 4):
            for x in (0, 2, 4):
                total[y : y + 4, x : x + 4] += products[image, :, y : y + 4, x : x + 4].sum()
                windows[y : y + 4, x : x + 4] += 1
        assert torch.allclose(found[image], by_cells(total / windows, 4).double())


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(2, 4, 3, padding=1, stride=2)
        self.conv = nn.Conv2d(4, 4, 3, padding=1)
        self.norm = nn.BatchNorm2d(4)

    def forward(self, x):
        x = self.first(x)
        return (x + self.norm(self.conv(x))).relu()


def conv_net(*middle):
    torch.manual_seed(0)
    layers = [*middle, nn.MaxPool2d(2), nn.Flatten(), nn.Linear(4 * 4, 3)]
    return nn.Sequential(*layers).double().eval()


def test_grad_cam_looks_at_the_rectified_value_of_the_last_convolution():
    net = conv_net(nn.Conv2d(2, 4, 3, padding=1, stride=2), nn.BatchNorm2d(4), nn.ReLU(inplace=True))
    images, labels = noise(2, 2, 8, 8), torch.tensor([2, 0])
    assert last_feature_map(net, images[:1]) is net[2]
    value = net[:3](images).detach().requires_grad_(True)
    (slope,) = torch.autograd.grad(net[3:](value).gather(1, labels[:, None]).sum(), value)
    by_hand = (slope.mean((2, 3), keepdim=True) * value.detach()).sum(1, keepdim=True)
    large = nn.functional.interpolate(by_hand, size=(8, 8), mode="bilinear")
    found = METHODS["LayerGradCam"](net, images, labels, 4)
    for image in range(2):
        assert torch.allclose(found[image], by_cells(large[image, 0], 4).double())


def test_the_last_feature_map_of_a_residual_block_is_the_block():
    net = conv_net(Residual())
    assert last_feature_map(net, noise(1, 2, 8, 8)) is net[0]
    assert not any(module._forward_hooks for module in net.modules())
    with pytest.raises(LayerError, match="Sequential has no Conv2d"):
        last_feature_map(nn.Sequential(nn.Flatten(), nn.Linear(128, 3)).double(), noise(1, 2, 8, 8))


def test_differences_are_paired_and_chance_belongs_to_single_networks():
    foreground = noise(9, 4, 4) > 0.5
    names = {"teacher": "teacher", "baseline": "baseline", "student-a": "student", "student-b": "student"}
    maps = {n: {m: noise(9, 4, 4, seed=7 * i + j) for j, m in enumerate(MAPS)} for i, n in enumerate(names)}
    maps["student-b"] = maps["baseline"]
    rank, top = agreement(maps, names, foreground, foreground.double(), seed=0)
    assert len(rank) == (4 + 2) * 6 and len(top) == (4 + 2) * 4
    assert [row["minus"] for row in top] == [""] * 16 + ["baseline"] * 8
    single = {(r["network"], r["maps"]): r for r in rank if not r["minus"]}
    for row in (r for r in rank if r["minus"]):
        values = [single[name, row["maps"]]["value"] for name in (row["network"], "baseline")]
        assert row["value"] == pytest.approx(values[0] - values[1])
        assert (
            (row["low"], row["high"]) == (0, 0) if row["network"] == "student-b" else row["low"] < row["high"]
        )
    expected = rank_correlation(maps["teacher"]["LayerGradCam"], maps["teacher"]["Occlusion"])
    assert single["teacher", "LayerGradCam ~ Occlusion"]["value"] == pytest.approx(expected.mean())
    assert single["teacher", "LayerGradCam ~ Occlusion"]["n"] == 9
    share = float(foreground.double().mean())
    assert {(bool(r["minus"]), r["chance"]) for r in top} == {(False, share), (True, 0.0)}
    image = top_share(foreground.double(), foreground).mean()
    assert {r["image"] for r in top if not r["minus"]} == {image} and image > share
    text = readable(top, "title").splitlines()
    assert text[0] == "title" and len(text) == 2 + 4
    assert text[1].split("  ")[-1].strip() == "student-b - baseline"
    assert text[2].startswith("PixelEntropy  ") and f"{top[0]['value']:+.2f} [" in text[2]


def state_of(folder):
    return {p: (p.stat().st_mtime_ns, p.stat().st_size) for p in folder.rglob("*")}


@pytest.mark.slow  # all methods of captum
def test_from_an_experiment_to_tables_and_figure(experiment, read, tmp_path, capsys):
    before = state_of(experiment)
    assert main([str(experiment), "--out", str(tmp_path / "new" / "found"), "--images", "2"]) == 0
    printed = capsys.readouterr().out
    assert state_of(experiment) == before
    assert "2 images, 16 cells each" in printed and "student-feature - baseline" in printed
    rank, top = (read(tmp_path / "new" / f"found_{name}.csv") for name in ("rank", "top"))
    assert {(r["network"], r["role"]) for r in rank} == {
        ("teacher", "teacher"),
        ("baseline", "baseline"),
        ("student-feature", "student"),
    }
    assert {r["n"] for r in rank + top} == {"2"}
    config = read_config(experiment)
    material = load_material(config)
    for member in members(config, experiment):
        model = load_final(config, material, member).eval()
        images, labels = material.probe.images[:2], material.probe.labels[:2]
        entropy = EntropyEstimator(model, "fc1", grid=4).estimate(images).entropy
        contrast = entropy.mean((1, 2), keepdim=True) - entropy
        cells = METHODS["Occlusion"](model, images, labels, 4)
        (row,) = [
            r
            for r in rank
            if (r["network"], r["minus"], r["maps"]) == (member.name, "", "PixelEntropy ~ Occlusion")
        ]
        assert float(row["value"]) == pytest.approx(rank_correlation(contrast, cells).mean(), abs=0.01)
        (row,) = [r for r in top if (r["network"], r["minus"], r["maps"]) == (member.name, "", "Occlusion")]
        share = top_share(cells, material.probe.foreground_cells[:2]).mean()
        assert float(row["value"]) == pytest.approx(share, abs=1e-5)

    draw = runpy.run_path(str(FIGURE))["main"]
    assert draw([str(tmp_path / "new" / "found"), "--out", str(tmp_path / "picture")]) == 0
    assert (tmp_path / "picture.png").stat().st_size > 10_000 and (tmp_path / "picture.pdf").exists()
    assert draw([str(tmp_path / "nothing")]) == 2
    assert "nothing_rank.csv does not exist" in capsys.readouterr().err


@pytest.mark.slow  # an experiment
def test_maps_are_those_of_the_final_weights(experiment):
    """The stored map holds while the layer's value is the final one; a stage that changed it is measured anew."""
    config = read_config(experiment)
    material = load_material(config)
    member = next(m for m in members(config, experiment) if m.name == "student-feature")
    model = load_final(config, material, member).eval()
    stored = noise(3, 4, 4)
    contrast = stored.mean((1, 2), keepdim=True) - stored
    found = measurable(config, material, member)
    assert torch.equal(entropy_contrast(model, found, stored), contrast)
    with torch.no_grad():
        model.get_parameter("features.block1.conv.weight").mul_(1.5)
    anew = EntropyEstimator(
        model, "fc1", grid=4, seed=config.seed, internal_batch_size=found.plan.internal_batch_size
    ).estimate(material.probe.images)
    expected = anew.entropy.mean((1, 2), keepdim=True) - anew.entropy
    assert torch.equal(entropy_contrast(model, found, stored), expected)


def test_roles_maps_and_images_of_an_experiment(experiment):
    maps, roles, foreground, magnitude = maps_of_networks(experiment)
    assert list(maps) == list(roles) == ["teacher", "baseline", "student-feature"]
    assert all(list(found) == list(MAPS) for found in maps.values())
    shapes = {tuple(m.shape) for found in maps.values() for m in found.values()}
    assert shapes == {tuple(foreground.shape)} == {tuple(magnitude.shape)} == {(3, 4, 4)}
    assert all(m.isfinite().all() and m.std() > 0 for found in maps.values() for m in found.values())


def test_what_is_missing_is_one_sentence(experiment, tmp_path, capsys):
    assert main([str(tmp_path), "--out", str(tmp_path / "x")]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    (tmp_path / "config.yaml").write_bytes((experiment / "config.yaml").read_bytes())
    assert main([str(tmp_path), "--out", str(tmp_path / "x")]) == 2
    assert "teacher is not trained yet; run kdprobe run" in capsys.readouterr().err
    assert not (tmp_path / "x_rank.csv").exists()
    with pytest.raises(SystemExit):
        main([str(experiment), "--out", "x", "--images", "0"])
    assert "--images must be at least 1, got 0" in capsys.readouterr().err
