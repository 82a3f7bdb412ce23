"""What has happened to the databases of a folder since the server began: `_db_updates`."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass

from couchmend.replica.embedded import Folder


@dataclass(frozen=True, slots=True)
class Event:
    """The last time that this happened to this database."""

    seq: int
    database: str
    kind: str


class News:
    """The last event of each kind for each database, as CouchDB keeps them.

    The list begins with the server: its first entries stand for the databases that are
    there.  Sequences of an earlier run therefore start it over.
    """

    def __init__(self, folder: Folder) -> None:
        self._run = secrets.token_hex(4)
        self._lock = threading.Lock()
        self._events: dict[tuple[str, str], Event] = {}
        self._last = 0
        self._wakes: set[Callable[[], None]] = set()
        self._unsubscribe = folder.subscribe(self._tell)
        for name in folder.names():
            self._note(name, "updated")

    def close(self) -> None:
        """Listen no more."""
        self._unsubscribe()

    def subscribe(self, wake: Callable[[], None]) -> Callable[[], None]:
        """Call `wake`, from any thread, whenever there is news."""
        with self._lock:
            self._wakes.add(wake)

        def unsubscribe() -> None:
            with self._lock:
                self._wakes.discard(wake)

        return unsubscribe

    def after(self, seq: int, limit: int | None) -> list[Event]:
        """Events beyond `seq`, oldest first, at most `limit`."""
        with self._lock:
            found = [event for event in self._events.values() if event.seq > seq]
        return sorted(found, key=lambda event: event.seq)[:limit]

    def format_seq(self, seq: int) -> str:
        """A sequence as clients see it."""
        return f"{seq}-{self._run}"

    def parse_seq(self, text: str) -> int:
        """Where a feed that has seen `text` goes on: from the beginning if that is unknown."""
        if text == "now":
            return self._last
        number, _, run = text.partition("-")
        if run != self._run or not (number.isascii() and number.isdecimal()):
            return 0
        return min(int(number), self._last)

    def _tell(self, name: str, kind: str) -> None:
        self._note(name, kind)
        for wake in list(self._wakes):
            wake()

    def _note(self, name: str, kind: str) -> None:
        with self._lock:
            self._last += 1
            if kind == "deleted":
                self._events.pop((name, "updated"), None)
                self._events.pop((name, "created"), None)
            self._events[name, kind] = Event(self._last, name, kind)
