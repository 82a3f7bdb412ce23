"""A conflict as data, and how it is read from the journal."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias, cast

from sqlalchemy import Connection, Select, select

from couchmend.core.conflicts.severity import SEVERITIES
from couchmend.core.document import JSON
from couchmend.core.revtree import Rev
from couchmend.errors import UsageError
from couchmend.journal.columns import batches, key
from couchmend.journal.tables import conflicts, databases
from couchmend.journal.tallies import Kind

State: TypeAlias = Literal[
    "pending", "resolving", "resolved", "failed", "vanished", "snoozed", "acknowledged"
]

OPEN: Final[tuple[State, ...]] = ("pending", "resolving", "failed", "snoozed", "acknowledged")
CLOSED: Final[tuple[State, ...]] = ("resolved", "vanished")
STATES: Final[tuple[State, ...]] = OPEN + CLOSED


@dataclass(frozen=True, slots=True, kw_only=True)
class Conflict:
    """A conflict as it is now.

    leaves: how many the document has; `leafset` are those that the conflict is between.
    suggested: the strategy that a person is offered.
    eligible: whether it may be resolved automatically; else `reason` says why not.
    sentence: what kind of conflict it is, for people.
    policy: the policy's name; `policy_digest` changes with what it says.
    digest: of what was examined (leaves, bases, policy): whoever decides says what was looked at.
    row_digest: of the row of the changes feed that it was found by.
    version: counts from 1.
    excluded: whether it is kept from being resolved automatically.
    attempts: that failed, one after another.
    """

    id: int
    database_id: int
    database: str
    document: str
    state: State
    type: str
    severity: str
    hidden: bool
    leaves: int
    fields: tuple[str, ...]
    devices: tuple[str, ...]
    suggested: str
    eligible: bool
    reason: str
    sentence: str
    policy: str
    policy_digest: str
    digest: str
    leafset: tuple[Rev, ...]
    row_digest: str
    version: int
    first_seen: int
    changed_at: int
    closed_at: int | None
    snoozed_until: int | None
    excluded: bool
    attempts: int
    next_attempt_at: int | None
    last_error: str

    @property
    def is_open(self) -> bool:
        """Whether it is not over yet."""
        return self.closed_at is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """A version of a conflict: what it was between, and what was examined and decided.

    details: as the finding gave them; None where they were erased.
    """

    number: int
    seen_at: int
    leafset: tuple[Rev, ...]
    digest: str
    details: JSON


def get(tx: Connection, number: int) -> Conflict:
    """A conflict by its number.

    Raises:
        UsageError: there is none.
    """
    found = find(tx, number)
    if found is None:
        raise unknown(number)
    return found


def unknown(number: int) -> UsageError:
    """What is said where there is no conflict of a number."""
    return UsageError(
        f"there is no conflict {number}",
        operation="journal",
        hint="`couchmend conflicts list` shows those that wait",
    )


def find(tx: Connection, number: int) -> Conflict | None:
    """A conflict by its number, if there is one."""
    return next(iter(fetched(tx, selected().where(conflicts.c.id == number))), None)


def get_many(tx: Connection, numbers: Iterable[int]) -> dict[int, Conflict]:
    """Conflicts by their numbers; those that there are not are left out."""
    found: dict[int, Conflict] = {}
    for batch in batches(dict.fromkeys(numbers)):
        which = selected().where(conflicts.c.id.in_(batch))
        found.update((conflict.id, conflict) for conflict in fetched(tx, which))
    return found


def open_ones(tx: Connection, database_id: int, documents: Iterable[str]) -> dict[str, Conflict]:
    """The open conflicts of these documents, by document."""
    found: dict[str, Conflict] = {}
    for batch in batches(dict.fromkeys(documents)):
        which = selected().where(
            conflicts.c.database_id == database_id,
            conflicts.c.document_key.in_([key(document) for document in batch]),
            conflicts.c.closed_at.is_(None),
        )
        found.update((conflict.document, conflict) for conflict in fetched(tx, which))
    return found


# --- rows


@dataclass(frozen=True, slots=True)
class Standing:
    """What of a conflict decides which state comes next; the members are those of `Conflict`."""

    id: int
    database_id: int
    state: State
    type: str
    severity: str
    eligible: bool
    changed_at: int
    closed_at: int | None
    snoozed_until: int | None
    attempts: int
    next_attempt_at: int | None
    last_error: str

    @property
    def is_open(self) -> bool:
        """Whether it is not over yet."""
        return self.closed_at is None


def due_at(conflict: Conflict | Standing) -> int | None:
    """When a sweep should look at a conflict by itself; None for not before it changes.

    One that failed too often waits for a person: it is pending with its error.  What could not
    be read is read again in any state.
    """
    times = [conflict.next_attempt_at]
    match conflict.state:
        case "snoozed":
            times.append(conflict.snoozed_until)
        case "pending" if conflict.eligible and not conflict.last_error:
            times.append(conflict.changed_at)
    return min((time for time in times if time is not None), default=None)


def kind(conflict: Conflict | Standing) -> Kind:
    """What a conflict is counted as."""
    return Kind(conflict.state, conflict.severity, conflict.type, conflict.eligible)


def rank(severity: str) -> int:
    """The place of a severity among all, the gravest first."""
    return len(SEVERITIES) - 1 - [*SEVERITIES].index(cast(Any, severity))


_NAMES: Final = tuple(Conflict.__dataclass_fields__)
_COLUMNS: Final = tuple(
    databases.c.name if name == "database" else conflicts.c[name] for name in _NAMES
)


def selected() -> Select[Any]:
    """The statement that `fetched` reads conflicts by."""
    return select(*_COLUMNS).join_from(conflicts, databases)


def fetched(tx: Connection, statement: Select[Any]) -> list[Conflict]:
    """The conflicts that a statement selects."""
    return [_conflict(row) for row in tx.execute(statement)]


def _conflict(row: Any) -> Conflict:
    values = dict(zip(_NAMES, row, strict=True))
    values["fields"] = tuple(values["fields"])
    values["devices"] = tuple(values["devices"])
    return Conflict(**values)
