"""How many requests a server gets a second, and when it gets none."""

from __future__ import annotations

import math
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
        self._next = self._latest = -math.inf
        self._held_until = -math.inf
        self._holds = 0

    def hold(self, seconds: float) -> None:
        """Let nobody begin a request for so long: the server asked for it."""
        with self._lock:
            until = self._clock() + seconds
            if seconds > 0 and until > self._held_until:
                # Whoever waits for his turn takes a new one, or all would begin together.
                self._holds += 1
                self._held_until = until
                self._next = max(until, self._latest + self._distance)

    def wait(self, sleep: Callable[[float], None]) -> None:
        """Wait for one's turn.  Whatever `sleep` raises goes to the caller."""
        turn, taken_at = 0.0, -1
        while True:
            with self._lock:
                now = self._clock()
                if taken_at != self._holds:
                    turn, taken_at = max(self._next, self._held_until, now), self._holds
                    self._next = turn + self._distance
                if turn <= now:
                    self._latest = max(self._latest, turn)
                    return
            sleep(turn - now)
