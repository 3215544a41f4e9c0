"""Many damaged files, read where a crash would be seen: equal data or SnapshotCorruptError, and nothing else."""

import hashlib
import random

import pytest
import torch
from storage.children import fork_only, in_child
from storage.test_entropy_store import result
from storage.test_round_trip import raw

from kdprobe.errors import SnapshotCorruptError
from kdprobe.storage import EntropyStore, SnapshotStore

pytestmark = fork_only
FLIPS, CUTS, MEMORY = 500, 200, 200 * 2**20


class SnapshotFile:
    """A snapshot, and all that its reader hands out."""

    def __init__(self, folder, in_memory):
        weight = torch.randn(6, 5, generator=torch.Generator().manual_seed(0))
        state = {"a.w": weight, "n": torch.tensor(7), "b": torch.ones(3).bfloat16(), "tied": weight}
        state["mask"] = torch.tensor([True, False])
        self.store = SnapshotStore(folder, in_memory=in_memory)
        self.path = self.store.save(state, epoch=1, step=2, weights="averaged").path

    def read(self):
        return [
            (name, value.dtype, value.shape, raw(value)) for name, value in self.store.load(self.path).items()
        ]


class EntropyFile:
    """A shard of entropy maps, and all that its reader hands out."""

    def __init__(self, folder, _):
        self.store = EntropyStore(folder)
        self.path = self.store.save("x", 0, result(2, deviations=2, passes=256), ("a", "ü"))

    def read(self):
        maps, ids = self.store.load("x")
        tensors = maps.entropy, maps.std_error, maps.noise
        return ids, maps.outcome, maps.stats, [(value.dtype, value.shape, raw(value)) for value in tensors]


def flipped(data, bit):
    damaged = bytearray(data)
    damaged[bit // 8] ^= 1 << bit % 8
    return damaged


def sealed(data):
    """`data` with a user block that announces it as it is: damage that came before the sealing."""
    head = (
        f"kdprobe hdf5\nschema 1\nlength {len(data) - 512}\nsha256 {hashlib.sha256(data[512:]).hexdigest()}\n"
    )
    block = head + f"block {hashlib.sha256(head.encode()).hexdigest()}\n"
    return block.encode().ljust(512, b"\0") + data[512:]


def outcomes(file, damaged_files):
    """How often the reader refused, and how often it gave the data as they were; anything else raises."""
    sound = file.read()
    refused = same = 0
    for damaged in damaged_files:
        file.path.write_bytes(damaged)
        try:
            assert file.read() == sound
            same += 1
        except SnapshotCorruptError as error:
            assert str(file.path) in str(error)
            refused += 1
    return refused, same


KINDS = [
    pytest.param(SnapshotFile, 2**24, id="snapshot"),
    pytest.param(SnapshotFile, 0, id="streamed"),
    pytest.param(EntropyFile, None, id="entropy"),
]


@pytest.mark.parametrize(("kind", "in_memory"), KINDS)
def test_flipped_bits_and_cut_files_are_all_refused(tmp_path, kind, in_memory):
    def sweep():
        file, chance = kind(tmp_path, in_memory), random.Random(0)
        data = file.path.read_bytes()
        flips = [flipped(data, chance.randrange(8 * len(data))) for _ in range(FLIPS)]
        cuts = [data[: chance.randrange(len(data))] for _ in range(CUTS)]
        return outcomes(file, flips + cuts)

    assert in_child(sweep, more_memory=MEMORY) == (FLIPS + CUTS, 0)


@pytest.mark.parametrize(("kind", "in_memory"), KINDS)
def test_damage_under_a_sound_seal_gives_equal_data_or_is_refused(tmp_path, kind, in_memory):
    def sweep():
        file, chance = kind(tmp_path, in_memory), random.Random(1)
        data = file.path.read_bytes()
        flips = [flipped(data, chance.randrange(8 * 512, 8 * len(data))) for _ in range(FLIPS)]
        cuts = [data[: chance.randrange(512, len(data))] for _ in range(CUTS)]
        return outcomes(file, map(sealed, flips + cuts))

    refused, same = in_child(sweep, more_memory=MEMORY)
    assert refused + same == FLIPS + CUTS and refused > (FLIPS + CUTS) / 2
