"""Where the foreground of a set comes from: masks, boxes, or whichever is there."""

from pathlib import Path

from kdprobe.data.choosing import nearest
from kdprobe.errors import ConfigError, DataError

ANNOTATIONS = ("auto", "masks", "boxes")
KIND_OF = {"masks": "mask", "boxes": "box"}  #: annotation -> `foreground_kind` of `LabelledImages`


def check_annotation(annotation: str, masks: Path | None, where: str, folder: str) -> str:
    """What `annotation` comes to: "masks" or "boxes"; "auto" is masks if there is a folder of `masks`.

    DataError if masks are asked for in vain; `where` and `folder` say what was looked for.
    """
    if annotation not in ANNOTATIONS:
        raise ConfigError(
            f"annotation must be one of {', '.join(ANNOTATIONS)}, got {annotation!r}."
            f"{nearest(annotation, ANNOTATIONS)}"
        )
    if annotation == "masks" and masks is None:
        raise DataError(f"No folder {folder} in {where}; add the masks, or set `annotation: boxes`.")
    return ("masks" if masks is not None else "boxes") if annotation == "auto" else annotation
