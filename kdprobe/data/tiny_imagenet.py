"""Tiny ImageNet in its native layout, with the boxes as foreground."""

from pathlib import Path

from kdprobe.data.asked import Asked
from kdprobe.data.choosing import choose_classes, grouped
from kdprobe.data.crops import Box
from kdprobe.data.gather import Reading, gather
from kdprobe.data.images import LabelledImages
from kdprobe.data.masks import box_mask
from kdprobe.data.reading import need_folder, read_lines, read_rgb
from kdprobe.errors import DataError

_VAL = "val/val_annotations.txt"


def tiny_imagenet(asked: Asked) -> LabelledImages:
    """Tiny ImageNet (Stanford CS231n, after ILSVRC-2012): 64 x 64 photographs, one box each.

    Layout below `root`: ``wnids.txt`` and ``words.txt`` (optional), ``train/<wnid>/images/*.JPEG`` with
    ``train/<wnid>/<wnid>_boxes.txt`` (file, x0, y0, x1, y1), ``val/images/*.JPEG`` with
    ``val/val_annotations.txt`` (file, wnid, x0, y0, x1, y1). Boxes are inclusive pixels of the stored image.
    Split "test" is ``val``. `classes` takes wnids or words ("goldfish"). `image_size` other than 64 resizes
    image and box.

    Raises DataError if a folder or file is missing, or if no image can be used.
    """
    root = asked.folder("tiny_imagenet", "that holds train/ and val/ (tiny-imagenet-200)")
    train = need_folder(need_folder(root, "Tiny ImageNet") / "train", "Tiny ImageNet's training images")
    wnids = _wnids(root, train)
    words = _words(root / "words.txt", wnids)
    names = {w: (words[w], words[w].split(",")[0]) for w in wnids if w in words}
    chosen = choose_classes(wnids, asked.classes, names)
    paths, boxes = (_train if asked.split == "train" else _val)(root, chosen, asked.native)
    size = asked.image_size or 64

    def read(identity: str) -> Reading:
        path = paths[identity]
        pixels, stored = read_rgb(path, size)
        if not asked.native:
            return Reading(pixels, None, stored)
        if identity not in boxes:
            raise DataError(f"No box for {path}; add its line, or leave the image out.")
        return Reading(pixels, box_mask([boxes[identity]], stored, size, path), stored)

    return gather(
        asked,
        name="tiny_imagenet",
        root=root,
        size=size,
        candidates=grouped(chosen, ((i, i.split("/")[1]) for i in paths)),
        listing=train if asked.split == "train" else root / _VAL,
        read=read,
        foreground_kind="box" if asked.native else None,
        classes=_labels(chosen, names),
    )


def _wnids(root: Path, train: Path) -> list[str]:
    listed = root / "wnids.txt"
    if listed.is_file():
        wnids = " ".join(read_lines(listed, "the classes")).split()
    else:
        wnids = [p.name for p in train.iterdir() if p.is_dir()]
    if not wnids:
        raise DataError(f"{root} names no class: wnids.txt is empty, or train/ holds no class folder.")
    return sorted(set(wnids))


def _words(path: Path, wnids: list[str]) -> dict[str, str]:
    if not path.is_file():
        return {}
    wanted = set(wnids)
    pairs = (line.split("\t", 1) for line in read_lines(path, "words of the classes") if "\t" in line)
    return {wnid: words.strip() for wnid, words in pairs if wnid in wanted}


def _labels(chosen: list[str], names: dict[str, tuple[str, str]]) -> list[str]:
    """The first word of each class; the wnid is added where two classes share that word."""
    short = [names[w][1] if w in names else w for w in chosen]
    return [s if short.count(s) == 1 else f"{s} ({w})" for s, w in zip(short, chosen, strict=True)]


def _train(root: Path, chosen: list[str], with_boxes: bool) -> tuple[dict[str, Path], dict[str, Box]]:
    paths: dict[str, Path] = {}
    boxes: dict[str, Box] = {}
    for wnid in chosen:
        folder = need_folder(root / "train" / wnid / "images", f"training images of {wnid}")
        paths |= {
            f"train/{wnid}/{p.name}": p
            for p in sorted(folder.iterdir())
            if p.suffix.lower() in (".jpeg", ".jpg")
        }
        if with_boxes:
            rows = _rows(root / "train" / wnid / f"{wnid}_boxes.txt", f"boxes of {wnid}", 1)
            boxes |= {f"train/{wnid}/{row[0]}": box for row, box in rows if box is not None}
    return paths, boxes


def _val(root: Path, chosen: list[str], with_boxes: bool) -> tuple[dict[str, Path], dict[str, Box]]:
    folder = need_folder(root / "val" / "images", "validation images")
    wanted, what = set(chosen), "labels and boxes of the validation images"
    rows = [(row, box) for row, box in _rows(root / _VAL, what, 2) if row[1] in wanted]
    paths = {f"val/{row[1]}/{row[0]}": folder / row[0] for row, _ in rows}
    return paths, {f"val/{row[1]}/{row[0]}": box for row, box in rows if box is not None}


def _rows(listing: Path, what: str, texts: int) -> list[tuple[list[str], Box | None]]:
    """(texts, box) of each line; the box is None where its four numbers cannot be read."""
    rows = []
    for line in read_lines(listing, what):
        row = line.split()
        if len(row) < texts:
            continue
        try:
            x0, y0, x1, y1 = (float(v) for v in row[texts : texts + 4])
            rows.append((row[:texts], (x0, y0, x1, y1)))
        except ValueError:
            rows.append((row[:texts], None))
    return rows
