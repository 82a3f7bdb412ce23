"""What was measured on, and how quiet it was."""

from __future__ import annotations

import os
import platform
import resource
import sqlite3
import statistics
import tempfile
import time
from importlib import metadata
from pathlib import Path

import couchmend
from benchmarks import node


def describe() -> dict[str, str]:
    """The machine, in words."""
    return {
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "processor": f"{os.cpu_count()} × {_processor()}",
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.1f} GiB",
        "databases in": f"{tempfile.gettempdir()}, where an fsync takes {_fsync():.2f} ms",
    }


def versions() -> dict[str, str]:
    """What was measured."""
    found = {
        "couchmend": couchmend.__version__,
        "Python": platform.python_version(),
        "SQLite": sqlite3.sqlite_version,
        **{name: metadata.version(name) for name in ("orjson", "uvicorn", "uvloop", "httptools")},
    }
    return {**found, **({} if node.missing() else node.versions())}


class Company:
    """How much of the processors others use meanwhile (on Linux; elsewhere it is not known)."""

    def __init__(self) -> None:
        self._start = _busy_seconds(), _own_seconds(), time.monotonic()

    def others(self) -> float | None:
        """Processors that others have used since, on average.  Children count once they have
        been waited for."""
        busy, own, clock = self._start
        now = _busy_seconds()
        if busy is None or now is None:
            return None
        return max(0.0, now - busy - (_own_seconds() - own)) / (time.monotonic() - clock)


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or "processor")


def _fsync() -> float:
    """Milliseconds in which a page appended to a file is on disk."""
    times = []
    with tempfile.TemporaryFile() as file:
        for _ in range(21):
            file.write(bytes(4096))
            file.flush()
            start = time.perf_counter()
            os.fsync(file.fileno())
            times.append(time.perf_counter() - start)
    return statistics.median(times) * 1000


def _busy_seconds() -> float | None:
    """What all processors have worked since they were started."""
    try:
        fields = Path("/proc/stat").read_text().splitlines()[0].split()[1:9]
    except OSError:
        return None
    user, nice, system, _idle, _waiting, interrupts, soft, stolen = map(int, fields)
    return (user + nice + system + interrupts + soft + stolen) / os.sysconf("SC_CLK_TCK")


def _own_seconds() -> float:
    usages = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)
