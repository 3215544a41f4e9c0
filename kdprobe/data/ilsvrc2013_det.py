"""ILSVRC-2013 DET in its native layout: one object in each crop, boxes as foreground."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

from kdprobe.data.asked import Asked
from kdprobe.data.choosing import choose_classes, grouped
from kdprobe.data.gather import gather
from kdprobe.data.images import LabelledImages
from kdprobe.data.object_crops import CropSettings, boxes_as_foreground, cuts, read_cut
from kdprobe.data.object_files import listed_images
from kdprobe.data.reading import find_root, need_file, need_folder, read_lines, read_rows
from kdprobe.errors import ConfigError, DataError
from kdprobe.paths import expanded


def ilsvrc2013_det(
    asked: Asked,
    *,
    class_list: str | Path | None = None,
    crop: float | None = 1.5,
    objects: str = "all",
    least_side: int = 1,
) -> LabelledImages:
    """ILSVRC-2013 DET (ImageNet detection): photographs with boxes; every object becomes an image of its own.

    Layout below `root` (the folder ILSVRC, or one that holds it): ``Data/DET/{train,val}/**/*.JPEG``,
    ``Annotations/DET/{train,val}/**/*.xml``, ``ImageSets/DET/val.txt`` and, for training images, ``train.txt``
    or else the official lists by class, ``train_1.txt`` to ``train_200.txt``, without the images that they
    mark -1 (no object of the class). Split "test" is val. Boxes count pixels from 0. Training images in the
    folders of other listed classes (``ILSVRC2013_train/<wnid>/``) are not read.
    Ids: ``<split>/<image>/<number of the object in its XML file>``.

    class_list: a text file (absolute, or below `root`) with the classes, in lines ``wnid word, other word``,
        or ``wnid number word`` as in the official map_det.txt, where the number is that of the class's list;
        default ``classes.txt`` in `root` if it is there, else the class folders of the training images,
        without words. `classes` chooses from it, by wnid or by word. The 12 mammals of the released code are
        not known here: list your own.
    crop: that many times the object's box is cut out, 1.5 as in arXiv 2003.03622, so that a box far from the
        border fills the central 2/3 of each side. What the paper does at the border of a photograph is not
        known; here the crop ends there. None: whole photographs, left out if they hold objects of several of
        the chosen classes.
    objects: "all" (an image for each object) or "largest" (one for each photograph).
    least_side: objects whose box is narrower or lower, in pixels, are left out.

    Foreground are the boxes of all objects of the class in the crop; ``foreground="central"`` takes the
    square that the released code takes for every image. Images are resized to a square of `image_size` pixels
    (default 224). Raises DataError if a file or folder is missing, or if no image can be used.
    """
    settings = CropSettings(crop, objects, least_side)
    root = asked.folder("ilsvrc2013_det", "ILSVRC, which holds Data/DET and Annotations/DET")
    root = find_root(root, "Data/DET", ("ILSVRC",), "the images of ILSVRC DET")
    listing = _class_list(root, class_list)
    known = _known(listing) if listing is not None else {w: Known((), None) for w in _class_folders(root)}
    names = {wnid: (*k.words, ", ".join(k.words)) for wnid, k in known.items()}
    chosen = choose_classes(list(known), asked.classes, names)
    part = "train" if asked.split == "train" else "val"
    lists = _lists(root / "ImageSets/DET", part, [known[wnid].number for wnid in chosen])
    skipped = set(known) - set(chosen)
    found, left_out = cuts(_images(root, part, lists, skipped), chosen, settings, first_pixel=0)
    size = asked.image_size or 224
    fill = boxes_as_foreground(size) if asked.native else None
    return gather(
        asked,
        name="ilsvrc2013_det",
        root=root,
        size=size,
        candidates=grouped(chosen, ((i, cut.name) for i, cut in found.items())),
        listing=lists[0] if len(lists) == 1 else lists[0].parent,
        read=lambda identity: read_cut(found[identity], size, settings.crop, fill),
        foreground_kind="box" if asked.native else None,
        classes=_labels(chosen, known),
        left_out=left_out,
        class_list=None if listing is None else str(listing),
        **{name: value for name, value in asdict(settings).items() if name != "difficult"},
    )


class Known(NamedTuple):
    """A class of the list."""

    words: tuple[str, ...]
    number: int | None  #: of its official list of training images


_LINE = re.compile(r"(?P<wnid>[^\s,]+)[\s,]*(?:(?P<number>\d+)(?:\s+|$))?(?P<words>.*)")


def _class_list(root: Path, class_list: str | Path | None) -> Path | None:
    if class_list is None:
        return root / "classes.txt" if (root / "classes.txt").is_file() else None
    if not isinstance(class_list, str | Path):
        raise ConfigError(f"class_list must be the path of a text file, got {class_list!r}.")
    return need_file(root / expanded(class_list), "the option `class_list`")


def _known(listing: Path) -> dict[str, Known]:
    known: dict[str, Known] = {}
    for line in read_lines(listing, "classes"):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        wnid, number, words = _LINE.match(line).groups()
        if wnid in known:
            raise DataError(f"{listing} names {wnid} twice; leave one of the lines out.")
        words = tuple(word.strip() for word in words.split(",") if word.strip())
        known[wnid] = Known(words, None if number is None else int(number))
    if not known:
        raise DataError(f"{listing} names no class; write a line `wnid word, other word` for each.")
    return known


def _class_folders(root: Path) -> list[str]:
    train = need_folder(root / "Annotations" / "DET" / "train", "objects of the training images")
    names = sorted({p.name for p in train.glob("*/n*") if p.is_dir()})
    if not names:
        raise DataError(f"{train} holds no class folder n...; name the classes with the option `class_list`.")
    return names


def _lists(folder: Path, part: str, numbers: Sequence[int | None]) -> list[Path]:
    """The image lists to read: one for all classes, those of the classes with `numbers`, or all by class."""
    whole = folder / f"{part}.txt"
    by_class = sorted(folder.glob(f"{part}_[0-9]*.txt"))
    if whole.is_file() or not by_class:
        return [need_file(whole, f"images of {part}")]
    if None in numbers:
        return by_class
    return [need_file(folder / f"{part}_{number}.txt", f"images of class {number}") for number in numbers]


def _images(
    root: Path, part: str, lists: Sequence[Path], skipped: set[str]
) -> Iterator[tuple[str, Path, Path]]:
    """(id, image, XML file) of what `lists` name, but for the folders of the classes `skipped`."""
    data = need_folder(root / "Data" / "DET" / part, f"images of {part}")
    objects = need_folder(root / "Annotations" / "DET" / part, f"objects of {part}")
    if lists[0].name == f"{part}.txt":
        names = [
            n for n in listed_images(lists[0], f"images of {part}") if Path(n).parent.name not in skipped
        ]
    else:  # lists by class: a number behind the image says whether it shows the class
        rows = (row for path in lists for row in read_rows(path, "images of one class", 2))
        names = list(dict.fromkeys(row[0] for row in rows if row[1] != "-1"))
    for name in names:
        yield f"{part}/{name}", data / f"{name}.JPEG", objects / f"{name}.xml"


def _labels(chosen: list[str], known: Mapping[str, Known]) -> list[str]:
    """The first word of each class; the wnid is added where two classes share that word."""
    short = [known[w].words[0] if known[w].words else w for w in chosen]
    return [s if short.count(s) == 1 else f"{s} ({w})" for s, w in zip(short, chosen, strict=True)]
