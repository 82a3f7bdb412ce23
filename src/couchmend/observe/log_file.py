"""A log file that may be moved away at any time, as logrotate does."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable
from pathlib import Path


class LogFile:
    """Whole lines are appended to it, each in one piece; where its path leads elsewhere by then,
    it is opened there first.  A line is in one file, once.

    complain: is told, once, that lines cannot be written, and how many were lost when they can
        again.  Losing a line of a log stops nothing.
    """

    def __init__(self, path: Path, complain: Callable[[str], object]) -> None:
        self.path = path
        self._complain = complain
        self._lock = threading.Lock()
        self._file: int | None = None
        self._lost = 0

    def write(self, line: str) -> None:
        """Append a line, given without its end."""
        data = line.encode("utf-8", "replace") + b"\n"
        with self._lock:
            try:
                self._write(self._opened(), data)
            except OSError as problem:
                if not self._lost:
                    self._complain(f"the log {self.path} cannot be written: {problem.strerror}")
                self._lost += 1
                return
            if self._lost:
                self._complain(f"the log {self.path} is written again; lost lines: {self._lost}")
                self._lost = 0

    def _opened(self) -> int:
        if self._file is not None and self._is_here(self._file):
            return self._file
        opened = self._open()
        self._close()
        self._file = opened
        return opened

    def _open(self) -> int:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        return os.open(self.path, flags, 0o640)

    def _is_here(self, file: int) -> bool:
        try:
            here = os.stat(self.path)  # noqa: PTH116  # as cheap as it gets: it is done for each line
        except OSError:
            return False
        return os.path.samestat(here, os.fstat(file))

    def _write(self, file: int, data: bytes) -> None:
        written = os.write(file, data)
        while written < len(data):
            # The disk filled up in the middle of the line: the rest, or the error.
            written += os.write(file, data[written:])

    def reopen(self) -> None:
        """Open it anew with the next line."""
        with self._lock:
            self._close()

    def _close(self) -> None:
        if self._file is not None:
            with contextlib.suppress(OSError):
                os.close(self._file)
            self._file = None

    def close(self) -> None:
        """Let go of it."""
        self.reopen()
