"""What lies between an engine and the world: every call of a replica or a journal passes a
`Wire`, which counts, tells, and breaks off or lets others act at the n-th call.

An engine that was killed is dead: whatever it still tries, in a `finally` for one, comes to
nothing, as with a process that is no more.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar, cast

from sqlalchemy import Connection

from couchmend.core.document import JSON
from couchmend.core.revtree import Rev
from couchmend.journal.opening import Journal
from couchmend.replica.base import Refused, Replica, Written

T = TypeVar("T")
When = Literal["before", "after", "between"]

WRITES = frozenset(
    {
        "bulk_docs", "put", "delete", "put_attachment", "delete_attachment", "put_local",
        "delete_local", "purge", "compact", "create_index", "delete_index", "set_security",
        "set_revs_limit",
    }
)  # fmt: skip
"""The methods of a replica that write."""


class Killed(BaseException):
    """The engine was killed at this call."""


@dataclass(frozen=True)
class Wrote:
    """A revision that an engine stored; `sent` is the document as it was sent."""

    id: str
    rev: Rev
    parent: Rev | None
    deleted: bool
    sent: Mapping[str, JSON]


@dataclass
class Wire:
    """Between one engine and the world.

    at: the number of the call, from now on, at which something happens; None: nothing does.
    when: before that call, after it, or at the next one that is in no transaction.
    action: what does; what it raises is as if the call had raised it.
    writing: is told of the documents that are about to be written; told: of each that was.
    """

    at: int | None = None
    when: When = "before"
    action: Callable[[], None] | None = None
    writing: Callable[[Sequence[Mapping[str, JSON]]], None] = lambda docs: None
    told: Callable[[Wrote], None] = lambda wrote: None
    calls: list[str] = field(default_factory=list)
    dead: bool = False
    within: int = 0
    """How many transactions are open."""

    def arm(self, at: int | None, when: When, action: Callable[[], None]) -> None:
        """Have something happen at a call from now on, the first being 1."""
        self.at, self.when, self.action = at, when, action
        self.calls.clear()

    def kill(self) -> None:
        """The action that kills."""
        self.dead = True
        raise Killed(f"at call {len(self.calls)}, {self.calls[-1]}, {self.when}")

    def passes(self, name: str, when: When) -> None:
        """A call passes; an engine that is dead calls nobody."""
        if self.dead:
            raise Killed("dead already")
        if when == "before":
            self.calls.append(name)
        if self.at is None or self.action is None or len(self.calls) < self.at:
            return
        if self.when == when or self.when == "between":
            if self.when == "between" and self.within:
                return  # a process is stopped then, too, but others wait for its transaction
            self.at = None
            self.action()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """A transaction is open."""
        self.within += 1
        try:
            yield
        finally:
            self.within -= 1

    def call(self, name: str, run: Callable[[], T]) -> T:
        """A call with its effect."""
        self.passes(name, "before")
        found = run()
        self.passes(name, "after")
        return found


class _Wired:
    """A replica behind a wire; the methods are made below."""

    def __init__(self, inner: Replica, wire: Wire) -> None:
        self.inner, self.wire = inner, wire
        self.name, self.url = inner.name, inner.url

    def close(self) -> None:
        """The replica stays open: it is not the engine's alone."""

    def bulk_docs(
        self, docs: Sequence[Mapping[str, JSON]], *, new_edits: bool = True
    ) -> list[Written | Refused]:
        """Tell what is written, before and after."""
        self.wire.passes("bulk_docs", "before")
        self.wire.writing(docs)
        rows = self.inner.bulk_docs(docs, new_edits=new_edits)
        refused = {row.id for row in rows if isinstance(row, Refused)}
        if new_edits:
            for doc, row in zip(docs, rows, strict=True):
                if isinstance(row, Written):
                    self._told(doc, Rev.parse(row.rev), _rev(doc.get("_rev")))
        else:
            for doc in docs:
                if doc["_id"] not in refused:
                    ids = cast(Any, doc["_revisions"])["ids"]
                    rev = Rev.parse(doc["_rev"])
                    parent = Rev(rev.generation - 1, ids[1]) if len(ids) > 1 else None
                    self._told(doc, rev, parent)
        self.wire.passes("bulk_docs", "after")
        return rows

    def _told(self, doc: Mapping[str, JSON], rev: Rev, parent: Rev | None) -> None:
        deleted = bool(doc.get("_deleted"))
        self.wire.told(Wrote(str(doc["_id"]), rev, parent, deleted, doc))


def _rev(text: object) -> Rev | None:
    return None if text is None else Rev.parse(text)


def _through(name: str) -> Callable[..., Any]:
    def method(self: _Wired, *args: Any, **more: Any) -> Any:
        return self.wire.call(name, lambda: getattr(self.inner, name)(*args, **more))

    return method


_SELF_MADE = {"close", "bulk_docs", "put", "delete", "change_pages"}
"""Those that are written here, and those that the base class makes of others."""

_METHODS = {
    name: _through(name)
    for name, _ in inspect.getmembers(Replica, inspect.isfunction)
    if not name.startswith("_") and name not in _SELF_MADE
}
_WiredReplica = type("WiredReplica", (_Wired, Replica), _METHODS)


def wired_replica(inner: Replica, wire: Wire) -> Replica:
    """A replica behind a wire."""
    return cast(Replica, _WiredReplica(inner, wire))


class WiredJournal(Journal):
    """A journal behind a wire: a transaction may be broken off before it begins, before it is
    committed, and after."""

    def __init__(self, inner: Journal, wire: Wire) -> None:
        self.__dict__.update(inner.__dict__)
        self._inner, self._wire = inner, wire

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """See `Journal.read`."""
        self._wire.passes("journal.read", "before")
        with self._inner.read() as tx, self._wire.transaction():
            yield tx
        self._wire.passes("journal.read", "after")

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """See `Journal.write`."""
        self._wire.passes("journal.write", "before")
        with self._inner.write() as tx, self._wire.transaction():
            yield tx
            self._wire.passes("journal.commit", "before")
        self._wire.passes("journal.commit", "after")

    def close(self) -> None:
        """It stays open for the next engine."""
