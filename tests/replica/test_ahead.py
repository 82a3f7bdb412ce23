"""Reading ahead."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from couchmend.replica.ahead import read_ahead
from couchmend.replica.base import Rows


def test_items_come_in_order() -> None:
    with read_ahead(x for x in range(100)) as items:
        assert list(items) == list(range(100))


def test_it_is_never_further_ahead_than_it_may() -> None:
    drawn = []

    def source() -> Rows[int]:
        for n in range(100):
            drawn.append(n)
            yield n

    with read_ahead(source(), depth=2) as items:
        for n in items:
            time.sleep(0.001)
            # Those that wait, the one in the thread's hand, and this.
            assert len(drawn) <= n + 1 + 2 + 1 + 1
    assert len(drawn) == 100


def test_what_the_source_raises_comes_where_its_item_would() -> None:
    def source() -> Rows[int]:
        yield 1
        raise ValueError("no more")

    with read_ahead(source()) as items:
        assert next(items) == 1
        with pytest.raises(ValueError, match="no more"):
            next(items)


def test_leaving_early_closes_the_source() -> None:
    closed = threading.Event()

    def source() -> Rows[int]:
        try:
            yield from range(1000)
        finally:
            closed.set()

    def leave(items: Iterator[int]) -> None:
        next(items)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), read_ahead(source()) as items:
        leave(items)
    assert closed.wait(2)


def test_leaving_does_not_wait_for_a_request() -> None:
    go = threading.Event()

    def source() -> Rows[int]:
        yield 1
        go.wait(30)
        yield 2

    began = time.monotonic()
    with read_ahead(source()) as items:
        next(items)
    assert time.monotonic() - began < 5
    go.set()


def test_a_source_that_fails_when_it_is_closed_does_not_hang() -> None:
    def source() -> Rows[int]:
        try:
            yield 1
        finally:
            raise OSError("the socket is gone")

    with read_ahead(source()) as items:
        assert next(items) == 1
        with pytest.raises(OSError, match="socket"):
            next(items)
