"""Putting what a sweep found into the queue."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

from sqlalchemy import Connection, bindparam, insert, select, update

from couchmend.core.document import JSON
from couchmend.core.revtree import Rev
from couchmend.journal.columns import batches, key
from couchmend.journal.conflict_rows import (
    Conflict,
    State,
    due_at,
    kind,
    open_ones,
    rank,
)
from couchmend.journal.labels import relabel
from couchmend.journal.tables import conflict_versions, conflicts, databases
from couchmend.journal.tallies import tally
from couchmend.journal.writing import hold_database

What: TypeAlias = Literal["new", "version", "same"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A document in conflict, as a sweep found it; the members are those of `Conflict`.

    details: what was examined and decided, as JSON: checks, bases, decisions.
    """

    document: str
    type: str
    severity: str
    hidden: bool
    leaves: int
    fields: Sequence[str]
    devices: Sequence[str]
    suggested: str
    eligible: bool
    reason: str
    sentence: str
    policy: str
    policy_digest: str
    digest: str
    leafset: Sequence[Rev]
    row_digest: str
    excluded: bool = False
    details: JSON = None


@dataclass(frozen=True, slots=True)
class Queued:
    """What became of a finding: a new conflict, a new version of an open one, or nothing new."""

    conflict: Conflict
    what: What


def queue(tx: Connection, database_id: int, findings: Iterable[Finding], now: int) -> list[Queued]:
    """Put findings into the queue, in their order; of one document the last one counts.

    A document that has an open conflict gets a new version of it if its leaves or what they
    were examined by changed.  A snooze that is not over, and an exclusion, stay.  What was
    acknowledged is pending again when the leaves are others, and attempts begin anew, which they
    do under another policy, too.
    """
    hold_database(tx, database_id)
    queued: dict[str, Queued] = {}
    for batch in batches({finding.document: finding for finding in findings}.values()):
        queued.update(_queue(tx, database_id, batch, now))
    return list(queued.values())


def _queue(
    tx: Connection, database_id: int, findings: Sequence[Finding], now: int
) -> dict[str, Queued]:
    known = open_ones(tx, database_id, [finding.document for finding in findings])
    fresh = [finding for finding in findings if finding.document not in known]
    numbered = _inserted(tx, database_id, [_new(database_id, one, now) for one in fresh])
    queued: dict[str, Queued] = {}
    for finding in findings:
        old = known.get(finding.document)
        if old is None:
            queued[finding.document] = Queued(numbered[finding.document], "new")
        else:
            queued[finding.document] = _again(old, finding, now)
    changed = {
        finding.document: (known.get(finding.document), queued[finding.document], finding)
        for finding in findings
        if queued[finding.document].conflict != known.get(finding.document)
    }
    _store_all(tx, [(old, one.conflict) for old, one, _ in changed.values()])
    _store_versions(tx, [(one, finding) for _, one, finding in changed.values()], now)
    tally(
        tx,
        database_id,
        gone=[kind(old) for old, _, _ in changed.values() if old is not None],
        come=[kind(one.conflict) for _, one, _ in changed.values()],
    )
    return queued


def _again(old: Conflict, finding: Finding, now: int) -> Queued:
    """An open conflict, as it is by a new finding."""
    moved = set(old.leafset) != set(finding.leafset)
    is_version = moved or old.digest != finding.digest
    awake = old.snoozed_until is not None and old.snoozed_until <= now
    state: State = old.state
    # Other rules make another plan, which was not tried.
    anew = moved or ("" != old.policy_digest != finding.policy_digest != "")
    read_at_last = state == "failed" and not old.attempts  # it was not resolved in vain
    if (moved and state in ("acknowledged", "failed")) or (awake and state == "snoozed"):
        state = "pending"
    if read_at_last or (anew and state == "failed"):
        state = "pending"
    new = replace(
        old,
        state=state,
        type=finding.type,
        severity=finding.severity,
        hidden=finding.hidden,
        leaves=finding.leaves,
        fields=tuple(finding.fields),
        devices=tuple(finding.devices),
        suggested=finding.suggested,
        eligible=finding.eligible,
        reason=finding.reason,
        sentence=finding.sentence,
        policy=finding.policy,
        policy_digest=finding.policy_digest,
        digest=finding.digest,
        leafset=tuple(finding.leafset) if moved else old.leafset,
        row_digest=finding.row_digest,
        version=old.version + is_version,
        snoozed_until=old.snoozed_until if state == "snoozed" else None,
        excluded=old.excluded or finding.excluded,
        attempts=0 if anew else old.attempts,
        next_attempt_at=None if anew or state != "failed" else old.next_attempt_at,
        last_error="" if anew or read_at_last else old.last_error,
    )
    if new != old:
        new = replace(new, changed_at=now)
    return Queued(new, "version" if is_version else "same")


def _inserted(tx: Connection, database_id: int, made: Sequence[Conflict]) -> dict[str, Conflict]:
    """New conflicts with their numbers, by document."""
    if not made:
        return {}
    rows = [{**_row(one), "document_key": key(one.document)} for one in made]
    tx.execute(insert(conflicts), rows)
    name = tx.scalar(select(databases.c.name).where(databases.c.id == database_id))
    c = conflicts.c
    numbers = tx.execute(
        select(c.document_key, c.id).where(
            c.database_id == database_id,
            c.document_key.in_([row["document_key"] for row in rows]),
            c.closed_at.is_(None),
        )
    )
    by_key = {bytes(row.document_key): row.id for row in numbers}
    return {
        one.document: replace(one, id=by_key[row["document_key"]], database=name or "")
        for one, row in zip(made, rows, strict=True)
    }


def _new(database_id: int, finding: Finding, now: int) -> Conflict:
    return Conflict(
        id=0,
        database_id=database_id,
        database="",
        document=finding.document,
        state="pending",
        type=finding.type,
        severity=finding.severity,
        hidden=finding.hidden,
        leaves=finding.leaves,
        fields=tuple(finding.fields),
        devices=tuple(finding.devices),
        suggested=finding.suggested,
        eligible=finding.eligible,
        reason=finding.reason,
        sentence=finding.sentence,
        policy=finding.policy,
        policy_digest=finding.policy_digest,
        digest=finding.digest,
        leafset=tuple(finding.leafset),
        row_digest=finding.row_digest,
        version=1,
        first_seen=now,
        changed_at=now,
        closed_at=None,
        snoozed_until=None,
        excluded=finding.excluded,
        attempts=0,
        next_attempt_at=None,
        last_error="",
    )


def _row(conflict: Conflict) -> dict[str, Any]:
    row = {
        name: getattr(conflict, name)
        for name in Conflict.__dataclass_fields__
        if name not in ("id", "database")
    }
    return {**row, "rank": rank(conflict.severity), "due_at": due_at(conflict)}


def _store_all(tx: Connection, changes: Sequence[tuple[Conflict | None, Conflict]]) -> None:
    updated = [new for old, new in changes if old is not None]
    if updated:
        rows = [_row(one) for one in updated]
        tx.execute(
            update(conflicts)
            .where(conflicts.c.id == bindparam("which"))
            .values({name: bindparam(name) for name in rows[0]}),
            [{**row, "which": one.id} for row, one in zip(rows, updated, strict=True)],
        )
    relabel(tx, changes)


def _store_versions(tx: Connection, changes: Sequence[tuple[Queued, Finding]], now: int) -> None:
    rows = [
        {
            "conflict_id": queued.conflict.id,
            "number": queued.conflict.version,
            "seen_at": now,
            "leafset": queued.conflict.leafset,
            "digest": queued.conflict.digest,
            "details": finding.details,
        }
        for queued, finding in changes
        if queued.what != "same"
    ]
    if rows:
        tx.execute(insert(conflict_versions), rows)
    again = [
        {"which": queued.conflict.id, "number": queued.conflict.version, "new": finding.details}
        for queued, finding in changes
        if queued.what == "same"
    ]
    if again:
        tx.execute(
            update(conflict_versions)
            .where(
                conflict_versions.c.conflict_id == bindparam("which"),
                conflict_versions.c.number == bindparam("version"),
            )
            .values(details=bindparam("new")),
            [{**row, "version": row.pop("number")} for row in again],
        )
