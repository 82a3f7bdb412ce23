"""How many of the last while were of a kind, in memory that does not grow with their number."""

from __future__ import annotations

from collections import deque


class Recent:
    """Counts of all and of some, by slices of time.

    span, slice: how long counts matter and how finely they are forgotten, in microseconds.
    """

    def __init__(self, span: int, slice: int) -> None:
        self._span = span
        self._slice = slice
        self._counts: deque[list[int]] = deque()  # [slice, all, some], the newest last

    def add(self, at: int, *, some: bool = False) -> None:
        """Count one that happened at an instant."""
        number = at // self._slice
        # A clock that was set back counts on in the newest slice.
        if not self._counts or number > self._counts[-1][0]:
            self._counts.append([number, 0, 0])
            self._forget(at)
        self._counts[-1][1] += 1
        self._counts[-1][2] += some

    def _forget(self, now: int) -> None:
        while self._counts and self._counts[0][0] <= (now - self._span) // self._slice:
            self._counts.popleft()

    def counts(self, now: int) -> tuple[int, int]:
        """How many there were in the span before now, and how many of them were some."""
        self._forget(now)
        return sum(one[1] for one in self._counts), sum(one[2] for one in self._counts)
