"""Work on many databases at once, so that a huge one does not keep the others waiting.

Threads take the work of one database after another, a slice of time each: what is not done then
goes to the end of the line.
"""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Callable
from types import TracebackType
from typing import Final, Protocol, Self

from couchmend.engine.clock import Clock

SLICE_SECONDS: Final = 2.0
PATIENCE_SECONDS: Final = 0.8
"""How long to wait for threads that were told to stop; a request may take longer."""


class Task(Protocol):
    """Work that can be interrupted between its steps."""

    @property
    def place(self) -> str:
        """The server on which it is done."""

    def advance(self, until: float) -> bool:
        """Go on until a moment of `clock.monotonic()`, or to the end; tells whether it is done."""

    def abandon(self) -> None:
        """It will not go on: release what it holds."""


class Pool:
    """Threads that work.

    concurrency: how many tasks are worked on at once.
    most_on: how many of them on one server.
    stop: no slice is begun once it is set.
    """

    def __init__(
        self,
        clock: Clock,
        stop: threading.Event,
        *,
        concurrency: int,
        most_on: Callable[[str], int] = lambda place: 1 << 30,
        slice_seconds: float = SLICE_SECONDS,
    ) -> None:
        self._clock, self._stop = clock, stop
        self._concurrency, self._most_on = concurrency, most_on
        self._slice = slice_seconds
        self._changed = threading.Condition()
        self._waiting: deque[Task] = deque()
        self._running = Counter[str]()
        self._threads: list[threading.Thread] = []
        self._idle = 0
        self._closed = False
        self._problem: BaseException | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def submit(self, task: Task) -> None:
        """Have it done."""
        with self._changed:
            self._waiting.append(task)
            # Who is idle may be woken already, for what was submitted before.
            too_few = self._idle < len(self._waiting)
            if too_few and len(self._threads) < self._concurrency:
                thread = threading.Thread(
                    target=self._work, name=f"couchmend-work-{len(self._threads)}", daemon=True
                )
                self._threads.append(thread)
                thread.start()
            self._changed.notify_all()

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until all is done, `stop` is set, or so many seconds have passed; tells whether
        all is done.

        Raises:
            BaseException: what a task raised.
        """

        def is_over() -> bool:
            over = not self._waiting and not self._running
            return over or self._stop.is_set() or self._problem is not None

        left = seconds
        with self._changed:
            while not is_over() and (left is None or left > 0):
                step = 0.2 if left is None else min(left, 0.2)  # `stop` wakes nobody
                self._changed.wait(step)
                left = None if left is None else left - step
            if self._problem is not None:
                raise self._problem
            return not self._waiting and not self._running

    def close(self) -> None:
        """Begin nothing any more, and wait a moment for what is under way."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        until = self._clock.monotonic() + PATIENCE_SECONDS
        for thread in self._threads:
            thread.join(max(0.0, until - self._clock.monotonic()))
        with self._changed:
            abandoned, self._waiting = list(self._waiting), deque()
        for task in abandoned:
            task.abandon()

    def _work(self) -> None:
        while (task := self._next()) is not None:
            done = True
            try:
                done = task.advance(self._clock.monotonic() + self._slice)
            except BaseException as problem:  # noqa: BLE001  # raised again by `wait`
                with self._changed:
                    self._problem = self._problem or problem
            finally:
                with self._changed:
                    self._running[task.place] -= 1
                    if not self._running[task.place]:
                        del self._running[task.place]
                    if not done:
                        self._waiting.append(task)
                    self._changed.notify_all()

    def _next(self) -> Task | None:
        """The first in the line for which its server has room."""
        with self._changed:
            while not self._closed:
                if not self._stop.is_set():
                    for place, task in enumerate(self._waiting):
                        if self._running.get(task.place, 0) < self._most_on(task.place):
                            del self._waiting[place]
                            self._running[task.place] += 1
                            return task
                self._idle += 1
                self._changed.wait(0.2 if self._waiting else None)
                self._idle -= 1
            return None
