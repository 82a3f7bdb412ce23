"""What policies would do to conflicts, beside what others do; nothing is written."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final, TypeAlias

from couchmend.core.conflicts.document import ConflictedDocument
from couchmend.core.conflicts.eligibility import Circumstances
from couchmend.core.plans.assessing import Assessment, assess
from couchmend.core.policy.policy import Policy
from couchmend.engine.finding.reading import InConflict, Lookup, Reader, row_of
from couchmend.engine.finding.remembering import remembered
from couchmend.engine.finding.replanning import leaves_of
from couchmend.errors import DocumentInvalid
from couchmend.journal import conflicts, databases
from couchmend.journal.conflicts import Conflict
from couchmend.journal.databases import Database
from couchmend.journal.opening import Journal
from couchmend.policies import Policies
from couchmend.replica.base import ChangeRow, ChangesQuery, Replica

if TYPE_CHECKING:
    from sqlalchemy import Connection

_PAGE: Final = 500


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a policy makes of a conflict in mode `auto`.

    strategy: by which it is resolved, or that is suggested to a person.
    reason: why it waits for one; empty where it is automatic.
    value: the digest of what is written, to tell whether two policies write the same.
    """

    policy: str
    type: str
    severity: str
    automatic: bool
    strategy: str
    reason: str
    value: str


@dataclass(frozen=True, slots=True)
class Tried:
    """One conflict, before and after; None where it is none under that policy."""

    database: str
    id: str
    before: Outcome | None
    after: Outcome | None

    @property
    def type(self) -> str:
        """The type that it has, or would have."""
        one = self.before or self.after
        return one.type if one else ""

    @property
    def changed(self) -> bool:
        """Whether anything would be another: who decides, how, or what is written."""
        one, other = self.before, self.after
        if one is None or other is None:
            return one is not other
        return _told(one) != _told(other)


def _told(one: Outcome) -> tuple[object, ...]:
    return (one.type, one.severity, one.automatic, one.strategy, one.value)


@dataclass(frozen=True, slots=True)
class Chooser:
    """The policies of a file, and those among them to choose from; None for all that say what
    they match."""

    policies: Policies
    names: Sequence[str] | None = None

    def choose(self, doc: ConflictedDocument) -> Policy:
        """The policy for a document."""
        body = doc.bodies[doc.live[0]] if doc.live else {}
        return self.policies.choose({**body, "_id": doc.id}, self.names)


def tried(
    replica: Replica,
    database: str,
    before: Chooser,
    after: Chooser,
    now: int,
    *,
    rows: Iterable[ChangeRow] | None = None,
    lookup: Lookup | None = None,
    on_progress: Callable[[int, int | None], None] = lambda done, total: None,
) -> Generator[Tried, None, None]:
    """Every conflict of a database under two policies.

    database: what it is called.
    now: in microseconds since 1970.
    rows: the documents; all that may be in conflict where none are given.
    lookup: what is remembered of documents; see `Reader`.

    Raises:
        ReplicaError: the database cannot be read.
    """
    reports = any(
        one.dead_branches == "report" for side in (before, after) for one in side.policies
    )
    reader = Reader(replica, database, lookup, dead_branches=reports)
    with closing(reader.documents(rows or _candidates(replica, on_progress))) as documents:
        for found in documents:
            if not isinstance(found, InConflict):
                continue
            one = Tried(
                database,
                found.doc.id,
                outcome(found.doc, before.choose(found.doc), now),
                outcome(found.doc, after.choose(found.doc), now),
            )
            if one.before is not None or one.after is not None:
                yield one


def _candidates(
    replica: Replica, on_progress: Callable[[int, int | None], None]
) -> Iterable[ChangeRow]:
    done = 0
    for page in replica.change_pages(ChangesQuery(style="all_docs")):
        yield from (row for row in page.rows if len(row.revs) > 1 and not row.deleted)
        done += len(page.rows)
        on_progress(done, done + page.pending)


def outcome(doc: ConflictedDocument, policy: Policy, now: int) -> Outcome | None:
    """What a policy makes of one document; None where it is not in conflict."""
    try:
        found = assess(doc, policy, Circumstances("auto", now))
    except DocumentInvalid as problem:
        return Outcome(policy.name, "edit_edit", "high", False, "manual", problem.message, "")
    return None if found is None else _outcome(found, policy)


def _outcome(found: Assessment, policy: Policy) -> Outcome:
    eligible = found.eligible
    write = found.plan.write if eligible else None
    return Outcome(
        policy.name,
        found.kind.type,
        found.kind.severity,
        eligible,
        found.strategy if eligible else found.suggested,
        found.reason,
        "" if write is None else str(write.expected),
    )


OfDatabase: TypeAlias = Callable[[Replica, Chooser, Chooser, int], Generator[Tried, None, None]]
"""The conflicts of one database under two policies, read anew; see `tried`."""


def pending(journal: Journal) -> Iterator[tuple[str, OfDatabase]]:
    """The databases with open conflicts, by name, each with what tries policies on those.

    Raises:
        JournalError: the journal cannot be read.
    """
    with journal.read() as tx:
        every = databases.every(tx)
    for database in every:
        with journal.read() as tx:
            found = list(_open(tx, database.name))
        if found:
            yield database.name, partial(_again, journal, database, found)


def _open(tx: Connection, name: str) -> Iterator[Conflict]:
    cursor = None
    while True:
        page = conflicts.listed(tx, conflicts.Wanted(database=name), _PAGE, after=cursor)
        yield from page.conflicts
        cursor = page.cursor
        if cursor is None:
            return


def _again(
    journal: Journal,
    database: Database,
    found: Sequence[Conflict],
    replica: Replica,
    before: Chooser,
    after: Chooser,
    now: int,
) -> Generator[Tried, None, None]:
    rows = [row_of(one.document, leaves_of(one)) for one in found]
    lookup = partial(remembered, journal, database.id)
    yield from tried(replica, database.name, before, after, now, rows=rows, lookup=lookup)
