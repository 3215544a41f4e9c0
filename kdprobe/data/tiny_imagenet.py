"""Tiny ImageNet in its native layout, with the boxes as foreground."""

from collections.abc import Sequence
from pathlib import Path

from kdprobe.data.choosing import Reading, check_split, choose_classes, gather
from kdprobe.data.crops import Box
from kdprobe.data.images import LabelledImages
from kdprobe.data.masks import box_mask
from kdprobe.data.reading import need_file, need_folder, read_rgb
from kdprobe.errors import ConfigError, DataError
from kdprobe.paths import expanded


def tiny_imagenet(
    *,
    split: str = "train",
    root: str | Path | None = None,
    image_size: int | None = None,
    classes: int | Sequence[str] | None = None,
    images_per_class: int | None = None,
    foreground: str = "native",
    seed: int = 0,
) -> LabelledImages:
    """Tiny ImageNet (Stanford CS231n, after ILSVRC-2012): 64 x 64 photographs, one box each.

    Layout below `root`: ``wnids.txt`` and ``words.txt`` (optional), ``train/<wnid>/images/*.JPEG`` with
    ``train/<wnid>/<wnid>_boxes.txt`` (file, x0, y0, x1, y1), ``val/images/*.JPEG`` with
    ``val/val_annotations.txt`` (file, wnid, x0, y0, x1, y1). Boxes are inclusive pixels of the stored image.
    Split "test" is ``val``. `classes` takes wnids or words ("goldfish"). `image_size` other than 64 resizes
    image and box.

    Raises DataError if a folder or file is missing, or if no image can be used.
    """
    check_split(split)
    if root is None:
        raise ConfigError(
            "tiny_imagenet needs `root`: the folder that holds train/ and val/ (tiny-imagenet-200)."
        )
    root = expanded(root)
    train = need_folder(need_folder(root, "Tiny ImageNet") / "train", "Tiny ImageNet's training images")
    wnids = _wnids(root, train)
    words = _words(root / "words.txt", wnids)
    names = {w: (words[w], words[w].split(",")[0]) for w in wnids if w in words}
    chosen = choose_classes(wnids, classes, names)
    with_boxes = foreground == "native"
    paths, boxes = (_train if split == "train" else _val)(root, chosen, with_boxes)
    size = image_size or 64

    def read(identity: str) -> Reading:
        path = paths[identity]
        pixels, stored = read_rgb(path, size)
        if not with_boxes:
            return Reading(pixels, None, stored)
        if identity not in boxes:
            raise DataError(f"No box for {path}; add its line, or leave the image out.")
        return Reading(pixels, box_mask([boxes[identity]], stored, size, path), stored)

    by_class = [[i for i in paths if i.split("/")[1] == wnid] for wnid in chosen]
    return gather(
        name="tiny_imagenet",
        split=split,
        candidates=by_class,
        read=read,
        images_per_class=images_per_class,
        seed=seed,
        classes=_labels(chosen, names),
        foreground_kind="box" if with_boxes else None,
        where=root,
        options={
            "root": str(root),
            "image_size": size,
            "classes": chosen,
            "images_per_class": images_per_class,
            "foreground": foreground,
            "seed": seed,
        },
    )


def _wnids(root: Path, train: Path) -> list[str]:
    listed = root / "wnids.txt"
    wnids = (
        listed.read_text().split() if listed.is_file() else [p.name for p in train.iterdir() if p.is_dir()]
    )
    if not wnids:
        raise DataError(f"{root} names no class: wnids.txt is empty, or train/ holds no class folder.")
    return sorted(set(wnids))


def _words(path: Path, wnids: list[str]) -> dict[str, str]:
    if not path.is_file():
        return {}
    wanted = set(wnids)
    pairs = (line.split("\t", 1) for line in path.read_text(encoding="utf-8").splitlines() if "\t" in line)
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
            listing = need_file(root / "train" / wnid / f"{wnid}_boxes.txt", f"boxes of {wnid}")
            boxes |= {f"train/{wnid}/{row[0]}": box for row, box in _rows(listing, 1) if box is not None}
    return paths, boxes


def _val(root: Path, chosen: list[str], with_boxes: bool) -> tuple[dict[str, Path], dict[str, Box]]:
    folder = need_folder(root / "val" / "images", "validation images")
    listing = need_file(root / "val" / "val_annotations.txt", "labels and boxes of the validation images")
    wanted = set(chosen)
    rows = [(row, box) for row, box in _rows(listing, 2) if row[1] in wanted]
    paths = {f"val/{row[1]}/{row[0]}": folder / row[0] for row, _ in rows}
    return paths, {f"val/{row[1]}/{row[0]}": box for row, box in rows if box is not None}


def _rows(listing: Path, texts: int) -> list[tuple[list[str], Box | None]]:
    """(texts, box) of each line; the box is None where its four numbers cannot be read."""
    rows = []
    for line in listing.read_text().splitlines():
        row = line.split()
        if len(row) < texts:
            continue
        try:
            x0, y0, x1, y1 = (float(v) for v in row[texts : texts + 4])
            rows.append((row[:texts], (x0, y0, x1, y1)))
        except ValueError:
            rows.append((row[:texts], None))
    return rows
