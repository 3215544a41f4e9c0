"""A network that can teach, as it ended or as it was before, and which of its epochs a recipe means."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from torch import Tensor, nn

from kdprobe.errors import ConfigError
from kdprobe.recipes import Source
from kdprobe.storage import Snapshot, SnapshotStore


@dataclass(frozen=True)
class TeachingNetwork:
    """`model` with its final weights; `weights` gives those after each epoch in `kept`, counted over all its stages."""

    model: nn.Module
    last: int = 0  #: epochs trained; 0: not known, only the final weights can teach
    kept: tuple[int, ...] = ()
    weights: Callable[[int], Mapping[str, Tensor]] | None = None  #: epoch -> state dict

    @classmethod
    def of_store(
        cls, model: nn.Module, store: SnapshotStore, first_epoch: int, last_epoch: int
    ) -> "TeachingNetwork":
        """With the whole snapshots of the epochs `first_epoch` ... `last_epoch` in `store`."""
        there: dict[int, Snapshot] = {
            snapshot.epoch: snapshot
            for snapshot in store.list()
            if not snapshot.partial and first_epoch <= snapshot.epoch <= last_epoch
        }
        return cls(model, last_epoch, tuple(sorted(there)), lambda epoch: store.load(there[epoch]))

    def state(self, epoch: int) -> Mapping[str, Tensor]:
        """The weights after `epoch`."""
        if epoch == self.last or self.weights is None:
            return self.model.state_dict()
        return self.weights(epoch)


def route(source: Source, network: TeachingNetwork) -> tuple[int, ...]:
    """The epochs of `network` at which it teaches, one after the other; of a greedy search all that it may take.

    A share of the epochs, and an anchor of equal intervals (k / n of the epochs, k = 1 ... n), is the nearest kept
    epoch, of two the earlier. Epoch 0, the untrained network, teaches only if it is asked for as such. Raises
    ConfigError if what is asked for is not kept.
    """
    last, kept = network.last, sorted({*network.kept, network.last})
    if source.anchors is None and source.epoch == "last":
        return (last,)
    trained = [epoch for epoch in kept if epoch]
    if not trained:
        raise ConfigError(
            f"{_named(source)} has no epochs to choose from; leave out epoch and anchors, or keep its "
            "snapshots."
        )

    def nearest(wished: float) -> int:
        return min(trained, key=lambda epoch: (abs(epoch - wished), epoch))

    if source.anchors is None:
        if isinstance(source.epoch, float):
            return (nearest(round(source.epoch * last, 9)) if source.epoch or 0 not in kept else 0,)
        if source.epoch not in kept:
            raise ConfigError(
                f"{_named(source)} is to teach as it was after epoch {source.epoch}, but of its epochs "
                f"only {', '.join(map(str, kept))} are kept."
            )
        return (source.epoch,)
    found = trained
    if source.search == "equal_interval":
        found = [nearest(last * k / source.anchors) for k in range(1, source.anchors + 1)]
    if len(set(found)) < (2 if source.search == "greedy" else source.anchors):
        raise ConfigError(
            f"{_named(source)} is to teach by {source.anchors} anchors, but of its epochs only "
            f"{', '.join(map(str, kept))} are kept."
        )
    return tuple(found)


def _named(source: Source) -> str:
    return "The teacher" if source.network == "teacher" else f"The teacher {source.network}"


def span_of(epoch: int, epochs: int, spans: int) -> int:
    """Which of `spans` equal parts of a stage of `epochs` epochs `epoch` (from 1) lies in, from 0; the last epoch
    always lies in the last one."""
    return -(-epoch * spans // epochs) - 1
