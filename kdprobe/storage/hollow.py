"""A file of any size in memory, of which only the pages with something in them take room."""

import os

_PAGE = 4096


class Hollow:
    """What HDF5 takes for a file while it lays one out. Bytes that were never written are 0."""

    def __init__(self) -> None:
        self.size = 0
        self._position = 0
        self._pages: dict[int, bytearray] = {}

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._position = (
            offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self.size}[whence]
        )
        return self._position

    def tell(self) -> int:
        return self._position

    def read(self, size: int) -> bytes:
        data = self.part(self._position, min(self._position + size, self.size))
        self._position += len(data)
        return data

    def write(self, data: bytes | memoryview) -> int:
        done = 0
        while done < len(data):
            page, start = divmod(self._position, _PAGE)
            piece = bytes(data[done : done + _PAGE - start])
            if page in self._pages or any(piece):
                self._pages.setdefault(page, bytearray(_PAGE))[start : start + len(piece)] = piece
            done += len(piece)
            self._position += len(piece)
        if done:
            self.size = max(self.size, self._position)
        return done

    def truncate(self, size: int) -> int:
        if size < self.size:
            self._pages = {page: data for page, data in self._pages.items() if page * _PAGE < size}
            rest = size % _PAGE
            if rest and size // _PAGE in self._pages:
                self._pages[size // _PAGE][rest:] = bytes(_PAGE - rest)
        self.size = size
        return size

    def flush(self) -> None:
        """All is where it belongs."""

    def part(self, start: int, stop: int) -> bytes:
        """The bytes from `start` to before `stop`."""
        first, last = start // _PAGE, -(-stop // _PAGE)
        pages = b"".join(self._pages.get(page, bytes(_PAGE)) for page in range(first, last))
        return pages[start - first * _PAGE : stop - first * _PAGE]
