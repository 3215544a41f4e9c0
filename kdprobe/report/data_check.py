"""What was found in a data set, in words."""

from collections import Counter
from collections.abc import Sequence
from textwrap import wrap

import numpy as np

from kdprobe.data.check import DataCheck, SplitCheck
from kdprobe.data.images import LabelledImages

WIDTH = 100  #: columns at most, but for names that are longer
_LABEL = 14
_CLASSES, _REASONS = 12, 6  #: how many are written out
_KINDS = {
    "mask": "pixel masks",
    "box": "boxes",
    "central": "the central square, the same in every image",
}


def data_check_text(check: DataCheck) -> str:
    """The sentences of ``kdprobe data check``; one block for each split."""
    lines = [f"{check.name}{f' in {check.root}' if check.root else ''}"]
    seen: set[str] = set()
    for split in check.splits:
        if split.data is None:
            if split.problem not in seen:
                lines += ["", *_row(split.split, f"MISSING. {split.problem}")]
            else:
                lines += ["", *_row(split.split, "MISSING, for the same reason.")]
            seen.add(split.problem)
        else:
            lines += ["", *_split_lines(split, split.data, check.foreground_share)]
    if check.about and not check.usable:
        lines += ["", f"About {check.name}:", ""]
        lines += [f"  {line}".rstrip() for line in check.about.splitlines()]
    return "\n".join(_clean(line) for line in lines) + "\n"


def _split_lines(split: SplitCheck, data: LabelledImages, wanted: tuple[float, float]) -> list[str]:
    height, width = data.image_shape[1:]
    options = data.options
    lines = _row(
        split.split, f"{_count(len(data), 'image')} of {_count(len(data.classes), 'class', 'classes')}"
    )
    lines += _row("classes", _classes(data))
    lines += _row("size", _sizes(data.source_sizes, (width, height), options.get("crop")))
    lines += _row("memory", _memory(data))
    if "label_noise" in options:
        share, wrong = _percent(options["label_noise"]), options["wrong_labels"]
        text = (
            f"{share} of the labels are wrong on purpose ({wrong} images), counted above as they are labelled"
        )
        lines += _row("label noise", text)
    if split.fit is None:
        lines += _row("foreground", "none: such data can train a network, but concepts need a foreground")
    else:
        lines += _row("foreground", _foreground(data, split.fit.shares.numpy()))
        usable = int(split.fit.usable.sum())
        why = "; ".join(f"{reason}: {n}" for reason, n in split.fit.left_out.items())
        low, high = wanted
        text = f"{usable} of {len(data)} images can be probe images at a share of {low:g} to {high:g}"
        lines += _row("probe images", text + (f"; not: {why}" if why else ""))
    for note in data.notes:
        lines += _row("note", note)
    return lines + _left_out(data.left_out)


def _classes(data: LabelledImages) -> str:
    counts = np.bincount(data.labels.numpy(), minlength=len(data.classes))
    named = [f"{name} {n}" for name, n in zip(data.classes, counts, strict=True)]
    low, high = int(counts.min()), int(counts.max())
    each = (
        f"{_count(low, 'image')} each"
        if low == high
        else f"{low} to {high} images each, median {np.median(counts):g}"
    )
    listed = ", ".join(named[:_CLASSES]) + (
        f" and {len(named) - _CLASSES} more" if len(named) > _CLASSES else ""
    )
    empty = [name for name, n in zip(data.classes, counts, strict=True) if n == 0]
    without = f". WITHOUT IMAGES: {', '.join(empty[:_CLASSES])}" if empty else ""
    return f"{each}: {listed}{without}"


def _sizes(sources: Sequence[tuple[int, int]] | None, size: tuple[int, int], crop: float | None) -> str:
    now = f"{size[0]} x {size[1]} pixels"
    if sources is None:
        return f"{now}, made at this size"
    sides = np.array(sources)
    low, middle, high = (sides.min(0), np.median(sides, 0), sides.max(0))
    what = "images" if crop is None else f"crops ({crop:g} x box)"
    if (low == high).all():
        text = f"{now}, from {what} of {low[0]} x {low[1]}"
    else:
        text = (
            f"{now}, from {what} {_range(low[0], high[0])} wide and {_range(low[1], high[1])} high "
            f"(median {middle[0]:.0f} x {middle[1]:.0f})"
        )
    small = int((sides.min(1) < min(size) / 2).sum())
    return text + (f"; {small} ({_percent(small / len(sides))}) enlarged more than twofold" if small else "")


def _memory(data: LabelledImages) -> str:
    values = len(data) * int(np.prod(data.image_shape))
    masks = 0 if data.foregrounds is None else data.foregrounds.numel()
    return f"{_bytes(values + masks)} as loaded (bytes); the images as floats take {_bytes(4 * values)} more"


def _foreground(data: LabelledImages, shares: np.ndarray) -> str:
    kind = _KINDS[data.foreground_kind]
    low, first, middle, third, high = np.quantile(shares, (0, 0.25, 0.5, 0.75, 1))
    if low == high:
        return f"{kind}; {_percent(low)} of every image"
    text = (
        f"{kind}; share of the image: median {_percent(middle)}, half of the images {_percent(first)} to "
        f"{_percent(third)}, lowest {_percent(low)}, highest {_percent(high)}"
    )
    for hit, words in (
        (shares < 0.05, "under 5 %, hardly any foreground"),
        ((shares > 0.9) & (shares < 1), "above 90 %, hardly any background"),
        (shares == 1, "all of the image, no background"),
    ):
        if hit.any():
            text += f"; {_count(int(hit.sum()), 'image')}: {words}"
    return text


def _left_out(left_out: Sequence[tuple[str, str]]) -> list[str]:
    if not left_out:
        return _row("left out", "none")
    kinds = Counter(
        reason.split()[0] + " " + reason.split()[1] for _, reason in left_out if len(reason.split()) > 1
    )
    most = ", ".join(f"{n} x “{kind} …”" for kind, n in kinds.most_common(_REASONS))
    lines = _row("left out", f"{_count(len(left_out), 'image')}: {most}")
    for identity, reason in left_out[:_REASONS]:
        lines += _row("", f"{identity}: {reason}")
    if len(left_out) > _REASONS:
        lines += _row("", f"and {len(left_out) - _REASONS} more")
    return lines


def _row(label: str, text: str) -> list[str]:
    return wrap(
        text,
        WIDTH,
        initial_indent=f"{label:<{_LABEL}}",
        subsequent_indent=" " * _LABEL,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _range(low: int, high: int) -> str:
    return f"{low}" if low == high else f"{low} to {high}"


def _count(n: int, one: str, many: str | None = None) -> str:
    return f"{n:,} {one if n == 1 else many or f'{one}s'}".replace(",", " ")


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %" if 0.01 <= share <= 0.99 or share in (0, 1) else f"{100 * share:.1f} %"


def _bytes(count: float) -> str:
    for unit, scale in (("GB", 1e9), ("MB", 1e6)):
        if count >= scale:
            return f"{count / scale:.1f} {unit}"
    return f"{count / 1e3:.0f} kB"


def _clean(text: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in text)
