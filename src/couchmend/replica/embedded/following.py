"""Changes as they happen, for a caller that waits in a thread of its own."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from couchmend.replica.base import ChangeRow, ChangesPage, ChangesQuery, Heartbeat, Rows

_PAGE = 1000


class Feed(Protocol):
    """What can be followed."""

    def changes(self, query: ChangesQuery) -> ChangesPage:
        """One page."""

    def subscribe(self, wake: Callable[[], None]) -> Callable[[], None]:
        """Call `wake` after every commit; the result ends it."""


def follow(
    feed: Feed, query: ChangesQuery, heartbeat_seconds: float, timeout_seconds: float | None
) -> Rows[ChangeRow | Heartbeat]:
    """See `Replica.follow`."""
    changed = threading.Event()
    unsubscribe = feed.subscribe(changed.set)
    left = query.limit
    since = query.since
    quiet_from = time.monotonic()
    try:
        while left is None or left > 0:
            changed.clear()
            size = _PAGE if left is None else min(left, _PAGE)
            page = feed.changes(
                replace(query, since=since, limit=size, descending=False, pending=False)
            )
            since = page.last_seq
            yield from page.rows
            if left is not None:
                left -= len(page.rows)
            if page.rows:
                quiet_from = time.monotonic()
                continue
            wait = heartbeat_seconds
            if timeout_seconds is not None:
                remaining = quiet_from + timeout_seconds - time.monotonic()
                if remaining <= 0:
                    return
                wait = min(wait, remaining)
            if not changed.wait(wait) and wait == heartbeat_seconds:
                yield Heartbeat()
    finally:
        unsubscribe()
