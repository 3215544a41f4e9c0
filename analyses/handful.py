"""A handful of the photographs of CUB-200-2011 and Tiny ImageNet, each in its native layout.

Tables are cut short and the photographs linked: what reads the full sets reads these.
"""

from pathlib import Path

CUB, TINY = "CUB_200_2011", "tiny-imagenet-200"  #: folders of the two
SPECIES, WORDS = 3, 10  #: classes of the two


def _lines(path: Path) -> list[list[str]]:
    return [line.split() for line in path.read_text(encoding="utf-8").splitlines() if line]


def _write(path: Path, rows: list[list[str]], between: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(between.join(row) + "\n" for row in rows), encoding="utf-8")


def _link(source: Path, link: Path) -> None:
    link.parent.mkdir(parents=True, exist_ok=True)
    if not link.exists():
        link.symlink_to(source.resolve(), target_is_directory=True)


def cut_tiny(root: Path, cut: Path, images: int, tested: int) -> None:
    """`cut`: Tiny ImageNet with the first `images` photographs of its first classes, and `tested` to test on."""
    wnids = sorted(path.name for path in (root / "train").iterdir())[:WORDS]
    for wnid in wnids:
        boxes = _lines(root / "train" / wnid / f"{wnid}_boxes.txt")[:images]
        _write(cut / "train" / wnid / f"{wnid}_boxes.txt", boxes, "\t")
        for name, *_ in boxes:
            _link(root / "train" / wnid / "images" / name, cut / "train" / wnid / "images" / name)
    rows = _lines(root / "val" / "val_annotations.txt")
    kept = [row for wnid in wnids for row in [row for row in rows if row[1] == wnid][:tested]]
    _write(cut / "val" / "val_annotations.txt", kept, "\t")
    _link(root / "val" / "images", cut / "val" / "images")


def cut_cub(root: Path, cut: Path, images: int) -> None:
    """`cut`: CUB-200-2011 with the first `images` photographs of its first species in both splits."""
    _link(root / "images", cut / "images")

    def lines(name: str) -> list[list[str]]:
        return _lines(root / name)

    split = dict(lines("train_test_split.txt"))
    groups: dict[tuple[str, str], list[str]] = {}
    for number, label in lines("image_class_labels.txt"):
        groups.setdefault((label, split[number]), []).append(number)
    species = [label for label, _ in lines("classes.txt")][:SPECIES]
    kept = {number for (label, _), all_of in groups.items() if label in species for number in all_of[:images]}
    tables = ("images", "image_class_labels", "train_test_split", "bounding_boxes")
    for name, wanted in {**dict.fromkeys(tables, kept), "classes": set(species)}.items():
        _write(cut / f"{name}.txt", [cells for cells in lines(f"{name}.txt") if cells[0] in wanted], " ")
