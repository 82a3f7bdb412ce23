"""Engines over databases with conflicts, for tests of sweeps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from couchmend.core.conflicts.eligibility import Mode
from couchmend.core.document import Doc
from couchmend.core.policy.policy import Policy
from couchmend.core.revtree import Rev
from couchmend.engine.clock import Clock, SystemClock
from couchmend.engine.engine import Engine
from couchmend.engine.finding.targets import Target
from couchmend.engine.hooks import Hooks
from couchmend.engine.sweeping.report import SweepReport
from couchmend.events import Event
from couchmend.journal import archive, conflicts, databases, listing
from couchmend.journal.conflicts import Conflict
from couchmend.journal.opening import Journal, open_journal
from couchmend.policies import Policies
from couchmend.replica.base import AllDocsQuery, ChangesQuery, Replica
from couchmend.replica.embedded import EmbeddedReplica
from couchmend.settings import Settings, Work

NAME = "tasks"
SECOND = 1_000_000
HOUR = 3600 * SECOND


class ShiftedClock:
    """The machine's clock for lengths of time, and one that tests may set for instants."""

    def __init__(self) -> None:
        self.ahead = 0
        self._machine = SystemClock()

    def now(self) -> int:
        return self._machine.now() + self.ahead

    def monotonic(self) -> float:
        return self._machine.monotonic()

    def sleep(self, seconds: float) -> None:
        self._machine.sleep(seconds)


@dataclass
class House:
    """A database, a journal, and engines with different settings over them."""

    replica: Replica
    journal: Journal
    clock: ShiftedClock = field(default_factory=ShiftedClock)
    events: list[Event] = field(default_factory=list)
    policies: Policies = field(default_factory=Policies)
    hooks: Hooks = field(default_factory=Hooks)
    work: Work = field(default_factory=Work)
    target: Target = field(
        default_factory=lambda: Target(NAME, NAME, f"memory:{NAME}", "memory:", mode="auto")
    )

    @contextmanager
    def engine(self, **about: Any) -> Iterator[Engine]:
        """An engine; `about` changes the target."""
        target = replace(self.target, **about)
        with Engine(
            Settings(engine=self.work),
            policies=self.policies,
            journal=self.journal,
            clock=self.clock,
            hooks=self.hooks,
            opened=[(target, self.replica)],
        ) as engine:
            engine.events.subscribe(self.events.append)
            yield engine

    def sweep(self, *, full: bool = False, dry_run: bool = False, **about: Any) -> SweepReport:
        """One pass; `about` changes the target."""
        with self.engine(**about) as engine:
            (report,) = engine.sweep([NAME], full=full, dry_run=dry_run).each
        return report

    # --- looking

    def open(self) -> dict[str, Conflict]:
        """The open conflicts by document."""
        with self.journal.read() as tx:
            known = databases.named(tx, NAME)
            found = [] if known is None else listing.open_of(tx, known.id, limit=100_000)
        return {one.document: one for one in found}

    def of(self, id: str) -> list[Conflict]:
        """All conflicts that a document ever had, the newest first."""
        number = self.database.id
        with self.journal.read() as tx:
            return conflicts.of_document(tx, number, id)

    @property
    def database(self) -> databases.Database:
        with self.journal.read() as tx:
            known = databases.named(tx, NAME)
        assert known is not None
        return known

    def kept(self, id: str) -> dict[Rev, archive.Archived]:
        number = self.database.id
        with self.journal.read() as tx:
            return archive.kept(tx, number, [id]).get(id, {})

    def told(self, name: str) -> list[Event]:
        return [event for event in self.events if event.name == name]

    def close(self) -> None:
        self.journal.close()


def house(replica: Replica | None = None, journal: Journal | None = None, **more: Any) -> House:
    """All of it in memory, unless something is given."""
    return House(
        replica or EmbeddedReplica.open(":memory:", name=NAME),
        journal or open_journal("sqlite://"),
        **more,
    )


def live(replica: Replica, id: str) -> list[str]:
    """The live leaves, the winner first."""
    rows = replica.changes(ChangesQuery(style="all_docs", doc_ids=[id])).rows
    found = replica.open_revs(id, list(rows[0].revs)) if rows else []
    return [
        doc["_rev"]
        for one in found
        if (doc := getattr(one, "doc", None)) is not None and not doc.get("_deleted")
    ]


def picture(replica: Replica) -> dict[str, Any]:
    """What a database holds: of every document its leaves; and its local documents."""
    rows = [
        row for page in replica.change_pages(ChangesQuery(style="all_docs")) for row in page.rows
    ]
    found: dict[str, Any] = {row.id: sorted(row.revs) for row in rows}
    return found | {"_local": [doc["_id"] for doc in replica.local_docs()]}


def winners(replica: Replica) -> dict[str, Doc]:
    """The documents as the database shows them."""
    page = replica.all_docs(AllDocsQuery(include_docs=True))
    return {str(row.id): row.doc for row in page.rows if row.doc is not None}


def policy(name: str = "p", **data: Any) -> Policies:
    """One policy, for all documents."""
    return Policies((Policy.from_data({"ids": ["*"], **data}, name=name),))


def at(seconds: float) -> str:
    """A timestamp as documents have it, so long ago from a fixed day."""
    minutes, rest = divmod(int(seconds), 60)
    return f"2026-03-01T{8 + minutes // 60:02}:{minutes % 60:02}:{rest:02}Z"


TASK: Mapping[str, Any] = {
    "type": "task",
    "title": "write",
    "status": "todo",
    "notes": "",
    "points": 1,
    "updatedAt": at(0),
}


def task(**changes: Any) -> Doc:
    """A task of a planner, changed."""
    return {**TASK, **changes}


__all__: Sequence[str] = [
    "HOUR", "NAME", "SECOND", "TASK", "Clock", "House", "Mode", "ShiftedClock", "at", "house",
    "live", "picture", "policy", "task", "winners",
]  # fmt: skip
