"""Content of unknown length, set aside until it is known: in memory while it is small, else
in a temporary file."""

from __future__ import annotations

import tempfile
import weakref
from collections.abc import Iterable, Iterator

IN_MEMORY_BYTES = 1 << 20
_CHUNK_BYTES = 256 * 1024


class Spool:
    """Bytes that were read once and can be read again, by several readers, too.

    The file has no name and is gone with the object, or when it is closed.
    """

    def __init__(self, chunks: Iterable[bytes]) -> None:
        """Take everything in; raises what `chunks` raises."""
        file = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY_BYTES)  # noqa: SIM115 - lives on
        self._file = file
        self.close = weakref.finalize(self, file.close)
        self.length = 0
        for chunk in chunks:
            self.length += file.write(chunk)

    def __iter__(self) -> Iterator[bytes]:
        place = 0
        while place < self.length:
            self._file.seek(place)
            data = self._file.read(_CHUNK_BYTES)
            place += len(data)
            yield data
