"""Tap shapes at the networks' own sizes, and their numbers of parameters."""

import re
from pathlib import Path

import pytest
import torch

from kdprobe.networks import NETWORKS, list_networks, native_size


def paper(channels, side, width, *maps):
    """`maps`: channels and side of every stage."""
    values = {f"stage{k}": (c, s, s) for k, (c, s) in enumerate(maps, start=1)}
    before = {f"{stage}_preact": shape for stage, shape in values.items()}
    linear = {"conv": (channels, side, side), "fc1": (width,), "fc2": (width,), "fc3": (10,)}
    return {**linear, **values, **before, "embedding": (width,)}


def headed(width, fc):
    return paper(width, 7, fc, *((width // 2**k, 7 * 2**k) for k in (3, 2, 1, 0)))


def stages(stem, *channels, rectified=False):
    maps = {f"stage{k}": (c, 32 // 2 ** (k - 1), 32 // 2 ** (k - 1)) for k, c in enumerate(channels, start=1)}
    before = {f"{stage}_preact": shape for stage, shape in maps.items()}
    after = {f"{stage}_rectified": shape for stage, shape in maps.items()} if rectified else {}
    ends = {"pool": (channels[-1],), "logits": (10,), **after, "embedding": (channels[-1],)}
    return {"stem": (stem, 32, 32), **maps, **before, **ends}


SHAPES = {
    "vgg_small": paper(64, 8, 128, (16, 32), (32, 16), (64, 8)),
    "alexnet": paper(256, 13, 4096, (64, 56), (192, 27), (256, 13)),
    **dict.fromkeys(
        ("vgg11", "vgg16", "vgg19"),
        paper(512, 14, 4096, (64, 224), (128, 112), (256, 56), (512, 28), (512, 14)),
    ),
    "resnet18": headed(512, 4096),
    "resnet50": headed(2048, 2048),
    "resnet101": headed(2048, 2048),
    "resnet152": headed(2048, 2048),
    **{
        f"{family}{depth}": stages(16, 16, 32, 64)
        for family in ("resnet", "plain")
        for depth in (20, 32, 56, 110)
    },
    **{f"{family}{depth}x4": stages(32, 64, 128, 256) for family in ("resnet", "plain") for depth in (8, 32)},
    "wrn_16_2": stages(16, 32, 64, 128, rectified=True),
    "wrn_40_1": stages(16, 16, 32, 64, rectified=True),
    "wrn_40_2": stages(16, 32, 64, 128, rectified=True),
}


def test_every_network_has_the_taps_of_its_kind_with_their_shapes(entries):
    assert {name: entry.taps for name, entry in entries.items()} == SHAPES


def test_their_own_sizes(entries):
    sides = {name: entry.image_shape[1:] for name, entry in entries.items()}
    assert sides["alexnet"] == (227, 227)
    assert {sides[name] for name in ("vgg11", "vgg16", "vgg19", "resnet18", "resnet50")} == {(224, 224)}
    assert {sides[name] for name in ("resnet20", "plain110", "wrn_40_2", "vgg_small")} == {(32, 32)}


@pytest.mark.parametrize(
    ("name", "millions"),
    [
        # He et al. 2016, table 6
        ("resnet20", "0.27"),
        ("resnet32", "0.46"),
        ("resnet56", "0.85"),
        ("resnet110", "1.7"),
        # Tian et al. 2020 (CRD)
        ("resnet8x4", "1.2"),
        ("resnet32x4", "7.4"),
        # Zagoruyko and Komodakis 2016
        ("wrn_16_2", "0.7"),
        ("wrn_40_1", "0.6"),
        ("wrn_40_2", "2.2"),
    ],
)
def test_small_networks_have_the_published_number_of_parameters(entries, name, millions):
    digits = len(millions.partition(".")[2])
    assert f"{entries[name].parameters / 1e6:.{digits}f}" == millions


@pytest.mark.parametrize("depth", ["20", "32", "56", "110"])
def test_without_skip_connections_not_a_parameter_is_gone(entries, depth):
    assert entries[f"plain{depth}"].parameters == entries[f"resnet{depth}"].parameters


@pytest.mark.parametrize(
    ("name", "published"),
    [("alexnet", 61100840), ("vgg11", 132863336), ("vgg16", 138357544), ("vgg19", 143667240)],
)
def test_alexnet_and_vggs_have_torchvisions_number_of_parameters(entries, name, published):
    """torchvision's is for 1000 classes: 990 more logits of 4096 weights and a bias."""
    assert entries[name].parameters + 990 * (4096 + 1) == published


@pytest.mark.parametrize(
    ("name", "published", "width", "fc"),
    [
        ("resnet18", 11689512, 512, 4096),
        ("resnet50", 25557032, 2048, 2048),
        ("resnet101", 44549160, 2048, 2048),
        ("resnet152", 60192808, 2048, 2048),
    ],
)
def test_headed_resnets_are_torchvisions_without_its_classifier_and_with_the_papers_head(
    entries, name, published, width, fc
):
    body = published - (width + 1) * 1000
    added = 2 * (9 * width * width + width + 2 * width)
    classifier = (width + 1) * fc + (fc + 1) * fc + (fc + 1) * 10
    assert entries[name].parameters == body + added + classifier


def test_options_and_a_sentence_stand_beside_each_name(entries):
    assert entries["resnet20"].options == {"shortcut": "pad"}
    assert entries["vgg19"].options == {"dropout": 0.5, "fc": 4096, "pretrained": False}
    for entry in entries.values():
        assert entry.about and "\n" not in entry.about


def test_listing_costs_no_memory_for_weights_and_leaves_the_random_state(monkeypatch):
    monkeypatch.setattr("kdprobe.networks.build.NETWORKS", {"vgg19": NETWORKS["vgg19"]})
    before = torch.get_rng_state()
    (entry,) = list_networks(num_classes=1000)
    assert entry.parameters == 143667240 and torch.equal(torch.get_rng_state(), before)


def written_out(found):
    """ "stage1_preact ... stage3_preact" with all between them."""
    return ", ".join(f"stage{k}{found[1]}" for k in range(1, int(found[2]) + 1))


def test_the_readme_says_of_every_network_its_size_and_its_taps(entries):
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    rows = readme.split("| `model` |")[1].split("\n\n")[0].splitlines()[2:]
    taps = [row.split("|")[3].strip() for row in rows]
    listed = {}
    for row, text in zip(rows, taps, strict=True):
        for name in re.findall("`(.+?)`", row.split("|")[1]):
            listed[name] = (
                row.split("|")[2].strip(),
                re.sub(r"stage1(\w*) \.\.\. stage(\d)\1", written_out, text),
            )
    assert {name for name in entries if not name.startswith("plain")} | {"plain20"} == set(listed)
    for name, (size, text) in listed.items():
        side = entries[name].image_shape[1]
        assert size == ("any" if native_size(name) is None else f"{side} px")
        assert text == ", ".join(entries[name].taps)
