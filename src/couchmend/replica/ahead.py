"""Reading ahead: while one thing is used, the next is fetched."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Generic, TypeVar

from couchmend.replica.base import Rows

T = TypeVar("T")

_WAIT_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class _End(Generic[T]):
    """The last thing in the queue: why nothing follows."""

    problem: BaseException | None


@contextmanager
def read_ahead(source: Rows[T], depth: int = 2) -> Iterator[Iterator[T]]:
    """The items of `source`, drawn by a thread of its own that is at most `depth` ahead.

    What `source` raises is raised where its next item would have come.  On leaving, the
    thread stops at its next item; a request in which it is then is not waited for.
    """
    items: queue.Queue[T | _End[T]] = queue.Queue(depth)
    left = threading.Event()

    def put(item: T | _End[T]) -> bool:
        while not left.is_set():
            try:
                items.put(item, timeout=_WAIT_SECONDS)
            except queue.Full:
                continue
            return True
        return False

    def draw() -> None:
        problem: BaseException | None = None
        try:
            with closing(source):
                for item in source:
                    if not put(item):
                        return
        except BaseException as raised:  # noqa: BLE001 - raised again by whoever reads
            problem = raised
        put(_End(problem))

    def taken() -> Iterator[T]:
        while not isinstance(item := items.get(), _End):
            yield item
        if item.problem is not None:
            raise item.problem

    thread = threading.Thread(target=draw, name="couchmend-read-ahead", daemon=True)
    thread.start()
    try:
        yield taken()
    finally:
        left.set()
        thread.join(_WAIT_SECONDS)
