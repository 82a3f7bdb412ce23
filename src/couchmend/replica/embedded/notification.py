"""Who wants to know when a file changes, and how they come to know."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable

from couchmend.replica.embedded.connections import Connections

POLL_SECONDS = 0.1

Wake = Callable[[], None]


class Notifier:
    """Wakes subscribers after commits: at once for this process's, within `POLL_SECONDS` for
    others', which it notices by the file's `data_version` while somebody listens."""

    def __init__(self, connections: Connections, on_commit: Wake | None = None) -> None:
        self._connections = connections
        self._on_commit = on_commit
        self._lock = threading.Lock()
        self._subscribers: dict[int, Wake] = {}
        self._next = 0
        self._stop: threading.Event | None = None

    def subscribe(self, wake: Wake) -> Callable[[], None]:
        """Call `wake` from any thread after every commit, until the result is called."""
        with self._lock:
            number = self._next
            self._next += 1
            self._subscribers[number] = wake
            if self._stop is None and not self._connections.in_memory:
                self._begin_watch()

        def unsubscribe() -> None:
            with self._lock:
                self._subscribers.pop(number, None)
                if not self._subscribers:
                    self._end_watch()

        return unsubscribe

    def committed(self) -> None:
        """This process has committed: wake everybody."""
        if self._on_commit is not None:
            self._on_commit()
        self._wake()

    def _wake(self) -> None:
        for wake in list(self._subscribers.values()):
            wake()

    def close(self) -> None:
        """Wake everybody a last time and forget them."""
        with self._lock:
            subscribers = list(self._subscribers.values())
            self._subscribers.clear()
            self._end_watch()
        for wake in subscribers:
            wake()

    def _begin_watch(self) -> None:
        connection = self._connections.version_reader()
        # Read before `subscribe` returns: what is committed from then on is noticed.
        seen = connection.execute("PRAGMA data_version").fetchone()
        self._stop = threading.Event()
        threading.Thread(
            target=self._watch,
            args=(connection, seen, self._stop),
            name="couchmend-watch",
            daemon=True,
        ).start()

    def _end_watch(self) -> None:
        if self._stop is not None:
            self._stop.set()
            self._stop = None

    def _watch(self, connection: sqlite3.Connection, seen: object, stop: threading.Event) -> None:
        try:
            while not stop.wait(POLL_SECONDS):
                try:
                    version = connection.execute("PRAGMA data_version").fetchone()
                except sqlite3.Error:
                    continue  # the file is being replaced or locked; look again
                if version != seen:
                    seen = version
                    self._wake()
        finally:
            connection.close()
