"""A replica that fails, or whose process dies, at the n-th call; and a journal likewise."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection

from couchmend.errors import DatabaseNotFound
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
        found = getattr(self._inner, name)
        if name not in CALLS:
            return found
        interruption: Interruption = self._interruption
        return lambda *given, **named: interruption.call(name, lambda: found(*given, **named))


class Racing(FailingReplica):
    """A replica on which something happens just before the first write."""

    def bulk_docs(self, docs: Any, *, new_edits: bool = True) -> Any:
        """As the replica's."""
        first = self.__dict__.pop("_first", None)
        if first is not None:
            first()
        return self._inner.bulk_docs(docs, new_edits=new_edits)


def racing(inner: Replica, first: Callable[[], object]) -> Any:
    """A replica on which `first` happens just before the first write."""
    made = Racing(inner, Interruption())
    made.__dict__["_first"] = first
    return made


class Going(FailingReplica):
    """A database that is gone from its n-th call on."""

    def __getattribute__(self, name: str) -> Any:
        if name not in CALLS:
            return super().__getattribute__(name)
        state = super().__getattribute__("__dict__")
        calls: list[str] = state["_interruption"].calls

        def call(*given: Any, **named: Any) -> Any:
            calls.append(name)
            if len(calls) >= state["_interruption"].at:
                raise DatabaseNotFound("notes")
            return getattr(state["_inner"], name)(*given, **named)

        return call


class FailingJournal:
    """A journal whose transactions that write may be interrupted: before they are stored, so
    that they are rolled back, or after."""

    def __new__(cls, inner: Journal, interruption: Interruption) -> Any:
        made = super().__new__(cls)
        made.__dict__.update(_inner=inner, _interruption=interruption)
        return made

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """As the journal's."""
        interruption: Interruption = self._interruption
        interruption.calls.append("write")
        mine = len(interruption.calls) == interruption.at
        with self._inner.write() as tx:
            yield tx
            if mine and not interruption.after:
                raise interruption.problem()
        if mine:
            raise interruption.problem()
