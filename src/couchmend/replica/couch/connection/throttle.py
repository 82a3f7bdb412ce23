"""How many requests a server gets a second, and when it gets none."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


class Throttle:
    """Shared by all who talk to one server; usable from several threads at once.

    max_requests_per_second: requests are spread evenly; None does not limit them.
    """

    def __init__(
        self,
        max_requests_per_second: float | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._distance = 1 / max_requests_per_second if max_requests_per_second else 0.0
        self._clock = clock
        self._lock = threading.Lock()
        self._next = 0.0
        self._held_until = 0.0

    def hold(self, seconds: float) -> None:
        """Let nobody begin a request for so long: the server asked for it."""
        with self._lock:
            self._held_until = max(self._held_until, self._clock() + seconds)

    def wait(self, sleep: Callable[[float], None]) -> None:
        """Wait for one's turn.  Whatever `sleep` raises goes to the caller."""
        with self._lock:
            turn = max(self._next, self._held_until, self._clock())
            self._next = turn + self._distance
        while True:
            with self._lock:
                delay = max(turn, self._held_until) - self._clock()
            if delay <= 0:
                return
            sleep(delay)
