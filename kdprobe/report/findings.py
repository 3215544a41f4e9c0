"""From verdicts and flags to sentences: what came out for each student, and what the reader must know."""

from math import isfinite
from typing import Any

from kdprobe.metrics import METRICS
from kdprobe.metrics.inference import VERDICTS
from kdprobe.records import Comparison, ExperimentSummary, Hypothesis
from kdprobe.report.words import CEILING, EPOCHS_DIFFER, FINDINGS, FLAGGED, LEFT_OUT, REASONS, SEEDS


def pairs(summary: ExperimentSummary) -> list[dict[str, Any]]:
    """One entry per (student, baseline), in the record's order: headline, hypotheses, comparisons."""
    keys = dict.fromkeys((x.student, x.baseline) for x in (*summary.hypotheses, *summary.comparisons))
    entries = []
    for student, baseline in keys:
        comparisons = [c for c in summary.comparisons if (c.student, c.baseline) == (student, baseline)]
        hypotheses = [h for h in summary.hypotheses if (h.student, h.baseline) == (student, baseline)]
        entries.append(
            {
                "student": student,
                "baseline": baseline,
                "headline": _headline(hypotheses),
                "hypotheses": [_judged(h, comparisons) for h in hypotheses],
                "comparisons": comparisons,
            }
        )
    return entries


def _headline(hypotheses: list[Hypothesis]) -> str:
    if not hypotheses:
        return "No hypothesis was judged."
    if len(hypotheses) > 1 and len({h.verdict for h in hypotheses}) == 1:
        return f"All {len(hypotheses)} hypotheses are {hypotheses[0].verdict}."
    groups = [(verdict, [h.name for h in hypotheses if h.verdict == verdict]) for verdict in VERDICTS]
    return "; ".join(f"{' and '.join(names)} {verdict}" for verdict, names in groups if names) + "."


def _judged(hypothesis: Hypothesis, comparisons: list[Comparison]) -> dict[str, Any]:
    found = [c for c in comparisons if c.metric in hypothesis.metrics]
    return {
        "record": hypothesis,
        "finding": FINDINGS.get(hypothesis.name, {}).get(hypothesis.verdict, hypothesis.statement),
        "reason": REASONS.get(_reason(hypothesis, found), ""),
        "found": found,
    }


def _reason(hypothesis: Hypothesis, found: list[Comparison]) -> str:
    verdicts = {c.verdict for c in found}
    if hypothesis.verdict == "undecided":
        if len(found) < len(hypothesis.metrics) or not all(isfinite(c.difference) for c in found):
            return "missing"
        if {"supported", "contradicted"} <= verdicts:
            return "mixed"
    return hypothesis.verdict


def notes(summary: ExperimentSummary) -> list[str]:
    """What the reader must know: how it was counted, the experiment's own notes, what the networks' records tell."""
    found = [note for note in (summary.counting, *summary.notes) if note]
    if not any("between seeds" in note for note in found):
        found.append(SEEDS)
    lengths = {network.name: network.epochs[-1] for network in summary.networks if network.epochs}
    if len(set(lengths.values())) > 1:
        found.append(
            EPOCHS_DIFFER.format(epochs=", ".join(f"{name} {last}" for name, last in lengths.items()))
        )
    for network in summary.networks:
        counts = [f"{_symbol(metric)} {count}" for metric, count in network.left_out.items() if count]
        if counts:
            found.append(LEFT_OUT.format(name=network.name, values=", ".join(counts)))
    flagged = [f"{network.name} {network.flagged}" for network in summary.networks if network.flagged]
    if flagged:
        found.append(FLAGGED.format(values=", ".join(flagged)))
    ceilings = [(network.name, network.noise_ceiling) for network in summary.networks]
    ceilings = [f"{name} {value:.2f}" for name, value in ceilings if value is not None and isfinite(value)]
    if ceilings:
        found.append(CEILING.format(values=", ".join(ceilings)))
    return found


def _symbol(metric: str) -> str:
    return METRICS[metric].symbol if metric in METRICS else metric
