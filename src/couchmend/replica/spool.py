"""Content set aside until it is complete: in memory while it is little, else in a temporary
file."""

from __future__ import annotations

import tempfile
import threading
import weakref
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

IN_MEMORY_BYTES = 1 << 20
CHUNK_BYTES = 256 * 1024


class Spool:
    """Bytes that were written once and can be read in any order, by several threads at once.

    The file has no name and is gone with the object, or when it is closed.
    """

    def __init__(self) -> None:
        file = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY_BYTES)  # noqa: SIM115 - lives on
        self._file = file
        self._lock = threading.Lock()
        self.close = weakref.finalize(self, file.close)
        """Give the space back."""
        self.length = 0

    def write(self, data: bytes) -> None:
        """Add to the end."""
        with self._lock:
            self._file.seek(self.length)
            self._file.write(data)
            self.length += len(data)

    def take(self, chunks: Iterable[bytes]) -> Stretch:
        """Add all of it; raises what `chunks` raises.  One at a time: nothing may be written
        in between."""
        start = self.length
        for chunk in chunks:
            self.write(chunk)
        return Stretch(self, start, self.length - start)

    def would_touch_disk(self, size: int) -> bool:
        """Whether writing so many more bytes may wait for a disk."""
        return self.length + size > IN_MEMORY_BYTES

    def read(self, start: int, length: int) -> bytes:
        """A stretch of it at once."""
        with self._lock:
            self._file.seek(start)
            return self._file.read(length)


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of a spool, as content that can be read any number of times."""

    spool: Spool
    start: int
    length: int

    def __iter__(self) -> Iterator[bytes]:
        end = self.start + self.length
        for place in range(self.start, end, CHUNK_BYTES):
            yield self.spool.read(place, min(end - place, CHUNK_BYTES))
