"""The files of the live probe: lines in metrics.jsonl, and live.html."""

import json
from collections.abc import Mapping, MutableMapping
from pathlib import Path
from typing import Any

from kdprobe.live.pictures import Picture
from kdprobe.live.read import LOG, read_lines
from kdprobe.storage import append_jsonl, write_atomically
from kdprobe.storage.atomic import named_failure


class Published:
    """Where the readings of one network go.

    folder: of metrics.jsonl. page: the file to rewrite; None: none. Beside metrics.jsonl it shows this network alone,
    elsewhere all networks of the experiment whose folder it lies in. `gallery`: the pictures that it shows, by network;
    those of this one are put there.
    """

    def __init__(
        self,
        folder: Path,
        page: Path | None,
        name: str,
        title: str,
        gallery: MutableMapping[str, tuple[Picture, ...]] | None,
    ) -> None:
        self.log, self.page = folder / LOG, page
        self._name, self._title = name, title
        self._gallery = {} if gallery is None else gallery

    def forget(self, after: int) -> None:
        """Removes the lines of this kind of epochs beyond `after`: what is trained again is measured again."""
        if not self.log.exists():
            return
        with named_failure("read", self.log):
            there = self.log.read_bytes().splitlines(keepends=True)
        kept = [line for line in there if _epoch_observed(line) <= after]
        if kept != there:
            write_atomically(self.log, b"".join(kept))

    def add(self, line: Mapping[str, Any], pictures: tuple[Picture, ...]) -> None:
        """Appends the line and rewrites the page. Raises SnapshotError if the system refuses."""
        self._gallery[self._name] = pictures
        append_jsonl(self.log, line)
        self.rewrite()

    @property
    def alone(self) -> bool:
        """Whether the page shows this network alone."""
        return self.page is not None and self.page.parent.resolve() == self.log.parent.resolve()

    def rewrite(self, *, done: bool = False) -> None:
        """The page from what the log holds; `done`: nothing more is to come."""
        if self.page is None:
            return
        from kdprobe.live.page import write_page  # here: a log alone needs no templates

        lines = read_lines(self.page.parent)
        if self.alone:
            lines = dict.fromkeys([self._name], *lines.values())
        pictures = [each for shown in self._gallery.values() for each in shown]
        write_page(self.page, lines, pictures, self._title, done=done)


def _epoch_observed(line: bytes) -> int:
    """The epoch of a line of the live probe, -1 for any other."""
    try:
        values = json.loads(line)
    except (ValueError, RecursionError):
        return -1
    if not isinstance(values, dict) or "probe" not in values or type(values.get("epoch")) is not int:
        return -1
    return values["epoch"]
