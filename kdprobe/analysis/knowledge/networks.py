"""Tables of every network: its metrics, its curves over the epochs, and both beside its accuracy."""

from collections.abc import Iterator

from kdprobe.analysis.knowledge.counted import CountedNetwork, CountedUnit
from kdprobe.analysis.knowledge.fields import Row, interval_fields, mean, network_fields, number
from kdprobe.analysis.summary import metric_intervals
from kdprobe.metrics import concept_overlap, forgetting, stability_so_far


def network_rows(counted: CountedUnit) -> list[Row]:
    """networks.csv: every metric of every network with its interval over images, and its test accuracy."""
    rows = []
    for name, network in counted.networks.items():
        accuracy = number(network.network.accuracy)
        for metric, interval in metric_intervals(network.values, counted.unit.settings).items():
            found = {"accuracy": accuracy, "metric": metric, **interval_fields(interval)}
            rows.append({**network_fields(counted, name), **found})
    return rows


def curve_rows(counted: CountedUnit) -> list[Row]:
    """curves.csv: N_fg, N_bg and lambda with their intervals, and the test accuracy, at every kept epoch.

    Epochs are counted from the stage's start. The path of a network with one epoch alone is not known.
    """
    rows = []
    for name, network in counted.networks.items():
        for place, epoch, path in _epochs(network):
            at = {**network_fields(counted, name), "epoch": epoch, "path": path}
            for metric, intervals in network.curves.items():
                rows.append({**at, "metric": metric, **interval_fields(intervals[place])})
            accuracy = number(network.network.accuracy_by_epoch[place])
            if accuracy is not None:
                rows.append({**at, "metric": "accuracy", "value": accuracy})
    return rows


def accuracy_rows(counted: CountedUnit) -> list[Row]:
    """accuracy.csv: what was counted at every kept epoch beside the test accuracy there.

    stability_so_far is rho had the training ended at that epoch: from the first epoch that enters rho on. gained and
    lost are the foreground cells that came and went since the kept epoch before, overlap is the IoU of the foreground
    concepts with those of the teacher's last epoch, as in forgetting.csv and overlap.csv; the first epoch has no gains
    and losses, the teacher no overlap.
    """
    settings, rows = counted.unit.settings, []
    teacher = counted.networks.get("teacher")
    for name, network in counted.networks.items():
        so_far = stability_so_far(network.counted, counted.unit.foreground, settings.empty)
        changes = forgetting(network.concepts, counted.unit.foreground)
        overlap = None
        if teacher not in (None, network):
            overlap = concept_overlap(network.concepts, teacher.concepts[-1], counted.unit.foreground)
        for place, epoch, path in _epochs(network):
            found = {metric: number(intervals[place].value) for metric, intervals in network.curves.items()}
            if not network.alone:
                if place >= network.first:
                    found["stability_so_far"] = mean(so_far[place - network.first])
                found["path"] = path
            if place:
                found |= {"gained": mean(changes.gained[place]), "lost": mean(changes.lost[place])}
            if overlap is not None:
                found["overlap"] = mean(overlap[place])
            accuracy = number(network.network.accuracy_by_epoch[place])
            at = {**network_fields(counted, name), "epoch": epoch, "accuracy": accuracy}
            rows += [{**at, "metric": metric, "value": value} for metric, value in found.items()]
    return rows


def _epochs(network: CountedNetwork) -> Iterator[tuple[int, int, float | None]]:
    """Place, epoch from the stage's start, and path of the weights until then."""
    for place, epoch in enumerate(network.epochs):
        yield place, epoch, None if network.alone else float(network.network.measured.path[place])
