"""What was done about conflicts, and what is being done: plans, their outcome, their undo."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

from sqlalchemy import Connection, Select, func, insert, select, update

from couchmend.core.document import Doc
from couchmend.core.revtree import Rev
from couchmend.errors import UsageError
from couchmend.journal.acknowledging import acknowledge, acknowledged, unacknowledge
from couchmend.journal.columns import batches, key
from couchmend.journal.tables import databases, resolutions

__all__ = [
    "AUTO", "FINISHED", "UNFINISHED", "Begun", "Kind", "Progress", "Resolution", "acknowledge",
    "acknowledged", "begin", "begun", "documents_of", "durations", "finish", "get", "get_many",
    "listed", "note", "recent", "recorded", "tombstones_of", "unacknowledge", "unfinished",
    "unknown",
]  # fmt: skip

Kind: TypeAlias = Literal["resolve", "undo"]
Progress: TypeAlias = Literal["archived", "written", "done", "failed", "abandoned"]

UNFINISHED: Final[tuple[Progress, ...]] = ("archived", "written")
FINISHED: Final[tuple[Progress, ...]] = ("done", "failed", "abandoned")

AUTO: Final = "auto"
"""In place of a user's name: couchmend by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """A resolution, or an undo, that is about to be carried out.

    strategy: of an undo, how.
    merged: the leaves that what is written has in it; see `recorded`.
    undo_of: the number of the resolution that is taken back.
    """

    conflict: int | None
    database_id: int
    document: str
    strategy: str
    by: str
    plan: Doc
    started_at: int
    kind: Kind = "resolve"
    merged: Sequence[Rev] = ()
    undo_of: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolution:
    """A resolution or an undo.

    conflict: the number of the conflict; None where it was cleaned up.
    state: `archived` once everything that it touches is kept, `written` once the merge is
        confirmed; then `done`, `failed` or `abandoned`.
    plan: `Plan` or `UndoPlan` as JSON; None where it was erased.
    written: the revision that was written; None for none.
    tombstones: by leaf, the tombstone that was written over it.
    accepted: whether a cluster took it without a quorum.
    outcome: what came of it, in a word; `error` in the database's words.
    undone_by: the number of the undo that took it back.
    """

    id: int
    conflict: int | None
    database_id: int
    database: str
    document: str
    kind: Kind
    strategy: str
    by: str
    state: Progress
    plan: Doc | None
    started_at: int
    finished_at: int | None
    written: Rev | None
    tombstones: Mapping[Rev, Rev]
    merged: tuple[Rev, ...]
    accepted: bool
    outcome: str
    error: str
    undone_by: int | None
    undo_of: int | None

    @property
    def elapsed(self) -> int | None:
        """How long it took, in microseconds; None while it is under way."""
        return None if self.finished_at is None else self.finished_at - self.started_at


def begin(tx: Connection, many: Sequence[Begun]) -> list[int]:
    """Remember what is about to be carried out; the numbers of the resolutions, in order."""
    if not many:
        return []
    rows = [
        {
            "conflict_id": one.conflict,
            "database_id": one.database_id,
            "document": one.document,
            "document_key": key(one.document),
            "kind": one.kind,
            "strategy": one.strategy,
            "by": one.by,
            "state": "archived",
            "plan": one.plan,
            "started_at": one.started_at,
            "tombstones": {},
            "merged": tuple(one.merged) or _merged(one.plan),
            "accepted": False,
            "outcome": "",
            "error": "",
            "undo_of": one.undo_of,
        }
        for one in many
    ]
    statement = insert(resolutions).returning(resolutions.c.id, sort_by_parameter_order=True)
    return [row.id for row in tx.execute(statement, rows)]


def _merged(plan: Doc) -> tuple[Rev, ...]:
    """The leaves that the merge of a plan has in it: the one that it extends, and those that are
    deleted for it."""
    if not plan.get("write") or "winner" not in plan:
        return ()
    losers = [one["revision"] for one in plan.get("tombstones", ())]
    return tuple(Rev.parse(text) for text in dict.fromkeys([plan["winner"], *losers]))


def note(
    tx: Connection,
    id: int,
    state: Progress,
    *,
    written: Rev | None = None,
    tombstones: Mapping[Rev, Rev] | None = None,
    accepted: bool | None = None,
) -> None:
    """Note how far a resolution came; what is None stays as it is."""
    values: dict[str, Any] = {"state": state}
    if written is not None:
        values["written"] = str(written)
    if tombstones is not None:
        values["tombstones"] = {str(loser): str(dead) for loser, dead in tombstones.items()}
    if accepted is not None:
        values["accepted"] = accepted
    tx.execute(update(resolutions).where(resolutions.c.id == id).values(**values))


def finish(
    tx: Connection, id: int, state: Progress, now: int, outcome: str = "", error: str = ""
) -> None:
    """Note how a resolution ended; an undo that is done is noted at what it took back.

    error: in the database's words, for people.
    """
    tx.execute(
        update(resolutions)
        .where(resolutions.c.id == id)
        .values(state=state, finished_at=now, outcome=outcome, error=error)
    )
    if state == "done":
        undone = select(resolutions.c.undo_of).where(resolutions.c.id == id).scalar_subquery()
        tx.execute(update(resolutions).where(resolutions.c.id == undone).values(undone_by=id))


# --- looking them up


def get(tx: Connection, number: int) -> Resolution:
    """A resolution by its number.

    Raises:
        UsageError: there is none.
    """
    found = next(iter(_fetched(tx, _selected().where(resolutions.c.id == number))), None)
    if found is None:
        raise unknown(number)
    return found


def unknown(number: int) -> UsageError:
    """What is said where there is no resolution of a number."""
    return UsageError(
        f"there is no resolution {number}",
        operation="journal",
        hint="`couchmend history` shows those that there are",
    )


def get_many(tx: Connection, numbers: Iterable[int]) -> dict[int, Resolution]:
    """Resolutions by their numbers; those that there are not are left out."""
    found: dict[int, Resolution] = {}
    for batch in batches(dict.fromkeys(numbers)):
        which = _selected().where(resolutions.c.id.in_(batch))
        found.update((one.id, one) for one in _fetched(tx, which))
    return found


def documents_of(tx: Connection, numbers: Iterable[int]) -> dict[int, tuple[str, str]]:
    """Of which database and document resolutions are, by their numbers."""
    found: dict[int, tuple[str, str]] = {}
    for batch in batches(dict.fromkeys(numbers)):
        rows = tx.execute(
            select(resolutions.c.id, databases.c.name, resolutions.c.document)
            .join_from(resolutions, databases)
            .where(resolutions.c.id.in_(batch))
        )
        found.update((row[0], (row[1], row[2])) for row in rows)
    return found


def unfinished(tx: Connection, database_id: int) -> list[Resolution]:
    """What was begun and has no outcome, in the order in which it was begun."""
    which = _selected().where(
        resolutions.c.database_id == database_id, resolutions.c.finished_at.is_(None)
    )
    return _fetched(tx, which.order_by(resolutions.c.id))


def begun(tx: Connection, database_id: int) -> frozenset[str]:
    """The documents of which something was begun that has no outcome."""
    c = resolutions.c
    which = select(c.document).where(c.database_id == database_id, c.finished_at.is_(None))
    return frozenset(tx.scalars(which))


def listed(
    tx: Connection,
    database: str | None = None,
    since: int | None = None,
    until: int | None = None,
    document: str | None = None,
    by: str | None = None,
    limit: int = 50,
    after: int | None = None,
    *,
    conflict: int | None = None,
) -> list[Resolution]:
    """Resolutions, the newest first.

    database: its name.
    since, until: begun at or after, and before.
    after: the number of the last one of the page before.
    """
    c = resolutions.c
    statement = _selected()
    for value, condition in (
        (database, databases.c.name == database),
        (since, c.started_at >= (since or 0)),
        (until, c.started_at < (until or 0)),
        (document, c.document_key == key(document or "")),
        (by, c.by == by),
        (conflict, c.conflict_id == conflict),
        (after, c.id < (after or 0)),
    ):
        if value is not None:
            statement = statement.where(condition)
    return _fetched(tx, statement.order_by(c.id.desc()).limit(limit))


def recent(
    tx: Connection, database_id: int, documents: Iterable[str], since: int
) -> dict[str, int]:
    """How many times each of these documents was resolved since an instant; none is left out
    but those that never were."""
    c = resolutions.c
    found: dict[str, int] = {}
    for batch in batches(dict.fromkeys(documents)):
        by_key = {key(document): document for document in batch}
        rows = tx.execute(
            select(c.document_key, func.count())
            .where(
                c.database_id == database_id,
                c.document_key.in_(by_key),
                c.started_at >= since,
                c.kind == "resolve",
                c.state.in_(["written", "done"]),
            )
            .group_by(c.document_key)
        )
        found.update((by_key[bytes(row[0])], row[1]) for row in rows)
    return found


def recorded(
    tx: Connection, database_id: int, documents: Iterable[str]
) -> dict[str, dict[Rev, frozenset[Rev]]]:
    """Our own merges of these documents: by the revision that was written, the leaves that it
    has in it, contained ones that were deleted for it included."""
    found: dict[str, dict[Rev, frozenset[Rev]]] = {}
    for document, row in _written(tx, database_id, documents):
        if row.written is not None and row.kind == "resolve":
            rev = Rev.parse(row.written)
            merges = found.setdefault(document, {})
            merges[rev] = merges.get(rev, frozenset()) | frozenset(row.merged)
    return found


def tombstones_of(
    tx: Connection, database_id: int, documents: Iterable[str]
) -> dict[str, dict[Rev, Rev]]:
    """Our own tombstones of these documents, by the leaf that each was written over."""
    found: dict[str, dict[Rev, Rev]] = {}
    for document, row in _written(tx, database_id, documents):
        if row.tombstones:
            found.setdefault(document, {}).update(_tombstones(row.tombstones))
    return found


def _written(
    tx: Connection, database_id: int, documents: Iterable[str]
) -> Iterable[tuple[str, Any]]:
    c = resolutions.c
    for batch in batches(dict.fromkeys(documents)):
        by_key = {key(document): document for document in batch}
        rows = tx.execute(
            select(c.document_key, c.kind, c.written, c.merged, c.tombstones)
            .where(
                c.database_id == database_id,
                c.document_key.in_(by_key),
                # Whatever is noted was confirmed, however the resolution ended.
                c.written.is_not(None) | (c.state != "abandoned"),
            )
            .order_by(c.id)
        )
        yield from ((by_key[bytes(row.document_key)], row) for row in rows)


def durations(
    tx: Connection, since: int, *, database_id: int | None = None, by: str | None = None
) -> list[int]:
    """How long each resolution took that was done since an instant, in microseconds, the
    shortest first."""
    c = resolutions.c
    elapsed = (c.finished_at - c.started_at).label("elapsed")
    statement = select(elapsed).where(
        c.finished_at >= since, c.state == "done", c.kind == "resolve"
    )
    if database_id is not None:
        statement = statement.where(c.database_id == database_id)
    if by is not None:
        statement = statement.where(c.by == by)
    return list(tx.scalars(statement.order_by(elapsed)))


_COLUMNS: Final = tuple(column for column in resolutions.c if column.name != "document_key")


def _selected() -> Select[Any]:
    return select(*_COLUMNS, databases.c.name.label("database")).join_from(resolutions, databases)


def _fetched(tx: Connection, statement: Select[Any]) -> list[Resolution]:
    return [_resolution(row) for row in tx.execute(statement)]


def _resolution(row: Any) -> Resolution:
    values = row._asdict()
    values["conflict"] = values.pop("conflict_id")
    values["written"] = None if row.written is None else Rev.parse(row.written)
    values["tombstones"] = _tombstones(row.tombstones)
    return Resolution(**values)


def _tombstones(kept: Mapping[str, str]) -> dict[Rev, Rev]:
    return {Rev.parse(loser): Rev.parse(dead) for loser, dead in kept.items()}
