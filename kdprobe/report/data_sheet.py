"""The contact sheet of a data set that was looked at."""

from pathlib import Path

from kdprobe.data.check import DataCheck, sheet_images
from kdprobe.data.choosing import check_count
from kdprobe.errors import ConfigError
from kdprobe.plots import contact_sheet, png_bytes

_KINDS = {"mask": "mask", "box": "box", "central": "central square"}


def write_sheet(check: DataCheck, split: str, count: int, path: str | Path) -> Path:
    """Write a PNG of at most `count` images of `split`, the classes in turn, foreground outlined; its path.

    ConfigError if the split could not be loaded.
    """
    check_count(count, "sheet_images")
    found = next(each for each in check.splits if each.split == split)
    data = found.data
    if data is None:
        raise ConfigError(
            f"There is no contact sheet of split {split!r}, which cannot be used: {found.problem}"
        )
    places = sheet_images(data, count)
    shares = None if found.fit is None else found.fit.shares
    captions = []
    for i in places:
        share = "no foreground" if shares is None else f"{100 * float(shares[i]):.0f} % foreground"
        captions.append((data.classes[int(data.labels[i])], share))
    kind = _KINDS.get(data.foreground_kind)
    outline = f"Outlined: foreground ({kind})." if kind else "This set has no foreground."
    crop = data.options.get("crop")
    cut = f" Crops of {crop:g} x box." if crop is not None else ""
    noise = data.options.get("label_noise")
    wrong = f" {100 * noise:.0f} % of the labels are wrong on purpose." if noise else ""
    height, width = data.image_shape[1:]
    figure = contact_sheet(
        [data.to_display(data[i].image) for i in places],
        [None if data.foregrounds is None else data.foregrounds[i].numpy() for i in places],
        captions,
        title=f"{data.name}, {split}",
        subtitle=f"{len(places)} of {len(data)} images, {width} x {height} pixels.{cut} {outline}{wrong}",
    )
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(png_bytes(figure))
    return path
