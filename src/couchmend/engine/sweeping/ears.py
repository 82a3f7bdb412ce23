"""Listens to databases and servers: which of them changed.

A wake-up says no more than that a database changed; a sweep finds out what.  So it does no harm
when one comes too often.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from typing import Final

from couchmend.errors import CouchmendError, ReplicaError
from couchmend.replica.base import ChangesQuery, DatabaseState, Heartbeat, Replica, Server

FEW: Final = 8
"""Up to so many databases of a server are followed one by one."""

HEARTBEAT_SECONDS: Final = 1.0
"""How soon a thread that listens learns that it is to end."""

_LONGEST_PAUSE_SECONDS: Final = 60.0
_TRIES: Final = 3

Wake = Callable[[str], None]
"""Called, from any thread, with the name of a database that changed."""


class Ear:
    """Listens in a thread of its own, again and again after pauses where that fails.

    hear: yields names that changed, or None for a sign of life; ends when it likes.
    """

    def __init__(
        self,
        hear: Callable[[], Iterator[str | None]],
        wake: Wake,
        names: Sequence[str],
    ) -> None:
        self._hear, self._wake, self._names = hear, wake, names
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="couchmend-ear", daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Listen no more; see `join`."""
        self._stop.set()

    def join(self, seconds: float) -> None:
        """Wait for the end."""
        self._thread.join(seconds)

    def _run(self) -> None:
        failed = 0
        while not self._stop.is_set():
            try:
                with closing(_closable(self._hear())) as heard:
                    fresh = True
                    for name in heard:
                        if self._stop.is_set():
                            return
                        if fresh:
                            # What happened before the feed began is not told.
                            for one in self._names:
                                self._wake(one)
                            fresh, failed = False, 0
                        if name is not None:
                            self._wake(name)
            except CouchmendError:
                failed += 1
            else:
                failed = max(failed, 1)
            if self._stop.is_set():
                return
            pause = min(_LONGEST_PAUSE_SECONDS, 0.5 * 2**failed) * (0.5 + random.random())  # noqa: S311
            self._stop.wait(pause)


def _closable(heard: Iterator[str | None]) -> Generator[str | None, None, None]:
    yield from heard


# --- sources


def of_database(replica: Callable[[], Replica], name: str) -> Iterator[str | None]:
    """One database: its changes feed."""
    feed = replica().follow(ChangesQuery(since="now"), heartbeat_seconds=HEARTBEAT_SECONDS)
    with closing(feed):
        for item in feed:
            yield None if isinstance(item, Heartbeat) else name


class OfServer:
    """Many databases of a server: its feed of updates, where it tells; else they are asked for
    their state again and again.

    names: by what the databases are called where they live, their names here.
    """

    def __init__(self, server: Server, names: dict[str, str], poll_seconds: float) -> None:
        self._server, self._names, self._poll = server, dict(names), poll_seconds
        # A folder tells what this process writes only.
        self._tells = not server.url.startswith("dir:")
        self._failed = 0
        self._before: dict[str, DatabaseState] | None = None

    def hear(self) -> Iterator[str | None]:
        """The names of those that changed."""
        if self._tells:
            heard = False
            try:
                for name in self._told():
                    heard = True
                    yield name
            except ReplicaError as problem:
                if heard or (problem.transient and self._failed < _TRIES):
                    self._failed = 0 if heard else self._failed + 1
                    raise
                self._tells = False  # one has to be its admin, or it does not keep them
        if not self._tells:
            yield from self._asked()

    def _told(self) -> Iterator[str | None]:
        with closing(self._server.updates(heartbeat_seconds=HEARTBEAT_SECONDS)) as updates:
            for update in updates:
                if isinstance(update, Heartbeat):
                    yield None
                else:
                    yield self._names.get(update.database)

    def _asked(self) -> Iterator[str | None]:
        waiting = threading.Event()
        while True:
            now = self._server.states(self._names)
            yield None
            for name, state in now.items():
                if self._before is not None and self._before.get(name) != state:
                    yield self._names[name]
            self._before = now
            left = self._poll
            while left > 0:
                waiting.wait(min(left, HEARTBEAT_SECONDS))
                left -= HEARTBEAT_SECONDS
                yield None
