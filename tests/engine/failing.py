"""A replica that fails, or whose process dies, at the n-th call; and a journal likewise."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection

from couchmend.journal.opening import Journal
from couchmend.replica.base import Replica

CALLS = (
    "info",
    "get",
    "open_revs",
    "bulk_get",
    "changes",
    "change_pages",
    "bulk_docs",
    "attachment",
)


class Died(BaseException):
    """The process is gone."""


class Interruption:
    """Interrupts the n-th of the calls that are counted; counts also without an n."""

    def __init__(self, at: int | None = None, *, after: bool = False) -> None:
        self.at = at
        self.after = after
        self.calls: list[str] = []
        self.problem: Callable[[], BaseException] = Died

    def call(self, name: str, effect: Callable[[], Any]) -> Any:
        """Carry a call out, unless it is interrupted before; or interrupt it after."""
        self.calls.append(name)
        mine = len(self.calls) == self.at
        if mine and not self.after:
            raise self.problem()
        result = effect()
        if mine:
            raise self.problem()
        return result


class FailingReplica:
    """A replica whose calls may be interrupted."""

    def __new__(cls, inner: Replica, interruption: Interruption) -> Any:
        made = super().__new__(cls)
        made.__dict__.update(_inner=inner, _interruption=interruption)
        return made

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)  # type: ignore[attr-defined]
        if name not in CALLS:
            return found
        interruption: Interruption = self._interruption  # type: ignore[attr-defined]
        return lambda *given, **named: interruption.call(name, lambda: found(*given, **named))


class FailingJournal:
    """A journal whose transactions that write may be interrupted: before they are stored, so
    that they are rolled back, or after."""

    def __new__(cls, inner: Journal, interruption: Interruption) -> Any:
        made = super().__new__(cls)
        made.__dict__.update(_inner=inner, _interruption=interruption)
        return made

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)  # type: ignore[attr-defined]

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """As the journal's."""
        interruption: Interruption = self._interruption  # type: ignore[attr-defined]
        interruption.calls.append("write")
        mine = len(interruption.calls) == interruption.at
        with self._inner.write() as tx:  # type: ignore[attr-defined]
            yield tx
            if mine and not interruption.after:
                raise interruption.problem()
        if mine:
            raise interruption.problem()
