"""A small run on disk, as training and measuring leave it."""

import torch

from kdprobe.records import EntropyResult, Outcome
from kdprobe.storage import EntropyStore, SnapshotStore, append_jsonl, write_json

NAMES = ("teacher", "baseline")


def state(epoch):
    """Everything that is awkward in a state dict."""
    generator = torch.Generator().manual_seed(epoch)
    weight = torch.randn(4, 3, generator=generator)
    return {
        "conv.weight": weight,
        "conv/weight": torch.randn(2, 0, 3),
        ".": torch.tensor(epoch),
        "": torch.ones(2, dtype=torch.bool),
        "größe%2F\0": weight.bfloat16(),
        "tied.weight": weight,
        "complex": torch.randn(3, dtype=torch.complex64, generator=generator),
        "counts": torch.arange(5) + epoch,
    }


def maps(images=3):
    generator = torch.Generator().manual_seed(images)
    values = [torch.rand(images, 4, 4, generator=generator, dtype=torch.float64) for _ in range(2)]
    return EntropyResult(*values, (Outcome.OK,) * images, {"layer": "fc1", "seed": 0})


def make_network(folder, epochs=(0, 1, 2), role="baseline"):
    """A finished network with snapshots, one analysis, settings and a log."""
    store = SnapshotStore(folder / "snapshots")
    for epoch in epochs:
        snapshot = store.save(state(epoch), epoch=epoch, step=10 * epoch)
        ids = ("a", "b", "c")
        EntropyStore(folder / "entropy" / "0123456789abcdef").save(snapshot.name, 0, maps(), ids)
        append_jsonl(folder / "metrics.jsonl", {"epoch": epoch, "größe": 0.5})
    write_json(folder / "run.json", {"schema": 1, "role": role})
    return folder


def make_connectors(network, stages):
    """Snapshots of connectors in the folder of a network; `stages`: stage -> epochs."""
    for stage, epochs in stages.items():
        store = SnapshotStore(network / "connectors" / f"stage-{stage}")
        for epoch in epochs:
            weight = torch.full((3, 2), float(epoch))
            store.save({"Hint_0.to_teacher.weight": weight}, epoch=epoch, step=10 * epoch, stage=stage)


def make_experiment(folder):
    for name in NAMES:
        make_network(folder / "networks" / name, role=name)
    (folder / "config.yaml").write_text("seed: 0\n", encoding="utf-8")
    (folder / "comparison.json").write_text("{}\n", encoding="utf-8")
    return folder


def files(folder):
    """Path -> bytes of all files below `folder`."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def damage(path):
    """Turns one bit in the middle."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
