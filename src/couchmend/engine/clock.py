"""What time it is: the one place that asks."""

from __future__ import annotations

import time
from typing import Final, Protocol

_BOOT_TIME: Final[int | None] = getattr(time, "CLOCK_BOOTTIME", None)


class Clock(Protocol):
    """A clock for instants, and one for lengths of time that nobody sets."""

    def now(self) -> int:
        """Microseconds since 1970 (UTC).  It may jump, as clocks of machines do."""

    def monotonic(self) -> float:
        """Seconds since some moment; it never jumps, and goes on while the machine sleeps."""

    def sleep(self, seconds: float) -> None:
        """Wait."""


class SystemClock:
    """The machine's."""

    def now(self) -> int:
        return time.time_ns() // 1000

    def monotonic(self) -> float:
        # Linux stops CLOCK_MONOTONIC while the machine is suspended.
        return time.monotonic() if _BOOT_TIME is None else time.clock_gettime(_BOOT_TIME)

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


def elapsed_since(clock: Clock, start: float) -> int:
    """Microseconds since `start`, a moment of `clock.monotonic()`."""
    return max(0, round((clock.monotonic() - start) * 1_000_000))
