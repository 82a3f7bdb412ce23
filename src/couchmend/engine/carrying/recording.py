"""The fifth step: what came of it is in the journal, and told."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from couchmend.core.conflicts.deletions import row_digest
from couchmend.engine.carrying.carried import (
    Carried,
    DeletedSince,
    Moved,
    Refused,
    Resolved,
    Stopped,
    Unavailable,
    Unverified,
    Vetoed,
)
from couchmend.engine.carrying.operations import Running
from couchmend.engine.carrying.site import Site
from couchmend.engine.carrying.work import Task, Work
from couchmend.events import Event, ResolutionFailed, ResolutionResolved, ResolutionUndone
from couchmend.journal import acknowledging, databases, outcomes
from couchmend.journal.conflict_rows import Standing

MOST_ATTEMPTS = 5
_MINUTE = 60 * 1_000_000
_LONGEST_PAUSE = 60 * _MINUTE


def note(tx: Connection, works: Sequence[Work]) -> None:
    """What is confirmed by now."""
    outcomes.note_many(
        tx,
        [
            outcomes.Noted(
                id=work.resolution,
                state="written",
                written=work.written,
                tombstones=work.tombstones,
                accepted=work.accepted,
            )
            for work in works
            if work.written is not None or work.tombstones
        ],
    )


def record(site: Site, running: Running | None, works: Sequence[Work]) -> list[Carried]:
    """Store what came of each work, and tell of it; in the order of the works.

    What another process brought to an end meanwhile stays as that left it.
    """
    now = site.clock.now()
    with site.journal.write() as tx:
        note(tx, works)
        finished = [_finished(work) for work in works]
        ended = outcomes.finish_many(tx, [one for one in finished if one is not None], now)
        still = [
            work
            for work, one in zip(works, finished, strict=True)
            if one is None or work.resolution in ended
        ]
        attempts = _change_conflicts(tx, site, still, now)
        done = [work for work in still if isinstance(work.outcome, Resolved)]
        for work in done:
            if work.plan.acknowledge:
                acknowledging.acknowledge(
                    tx, site.database.id, work.document, work.plan.acknowledge, work.by, now
                )
        settled = {w.document: row_digest(w.seen) for w in done if w.seen is not None}
        if settled:
            databases.settle(tx, site.database.id, settled)
        if running is not None:
            running.end(tx)
    for work in still:
        site.emit(_event(site, work, now, attempts.get(work.resolution, 0)))
    return [_outcome(work) for work in works]


def _outcome(work: Work) -> Carried:
    if work.outcome is None:
        raise RuntimeError(f"nothing is known of resolution {work.resolution}")
    return work.outcome


def _finished(work: Work) -> outcomes.Finished | None:
    """How a resolution ended; None while it is to be recovered."""
    some = work.written is not None or bool(work.tombstones)
    match work.outcome:
        case Resolved():
            return outcomes.Finished(work.resolution, "done", "resolved")
        case Moved(why=why):
            return outcomes.Finished(work.resolution, "done" if some else "abandoned", "moved", why)
        case DeletedSince():
            return outcomes.Finished(work.resolution, "done", "deleted since")
        case Refused(error=error, reason=reason):
            return outcomes.Finished(work.resolution, "failed", "refused", f"{error}: {reason}")
        case Stopped(begun=False, why=why):
            return outcomes.Finished(work.resolution, "abandoned", "stopped", why)
        case Unavailable(problem=problem) if not work.begun and not some:
            return outcomes.Finished(work.resolution, "abandoned", "unavailable", problem.message)
    return None


# --- conflicts


def _change_conflicts(
    tx: Connection, site: Site, works: Sequence[Work], now: int
) -> dict[int, int]:
    """Put the conflicts into their states; how often each resolution was tried in vain."""
    numbers = [work.conflict for work in works if work.conflict is not None]
    known = outcomes.standing(tx, numbers)
    changes, attempts = [], dict[int, int]()
    for work in works:
        conflict = None if work.conflict is None else known.get(work.conflict)
        if conflict is None or not conflict.is_open:
            continue
        change = change_of(conflict, work.outcome, now)
        if change is not None:
            changes.append(change)
            attempts[work.resolution] = change.attempts or 0
    outcomes.change_states(tx, known, changes, now)
    return attempts


def change_of(conflict: Standing, outcome: Carried | None, now: int) -> outcomes.Change | None:
    """What becomes of a conflict by what came of its resolution."""
    change = outcomes.Change
    match outcome:
        case Resolved() | DeletedSince():
            return change(conflict.id, "resolved", error="", attempts=0)
        case Moved():
            return change(conflict.id, "pending", error="")
        case Refused(error=error, reason=reason):
            # Only a person can do something about it.
            return change(
                conflict.id, "failed", error=f"{error}: {reason}", attempts=conflict.attempts + 1
            )
        case Unavailable(problem=problem):
            return _later(conflict, problem.message, now)
        case Unverified(why=why):
            return _later(conflict, why, now)
        case Vetoed(reason=reason):
            return change(conflict.id, "pending", error=reason)
        case Stopped(begun=False):
            return change(conflict.id, "pending", error="")
    return None


def _later(conflict: Standing, error: str, now: int) -> outcomes.Change:
    attempts = conflict.attempts + 1
    if attempts >= MOST_ATTEMPTS:
        return outcomes.Change(conflict.id, "pending", error=error, attempts=attempts)
    pause = min(_MINUTE * 2 ** (attempts - 1), _LONGEST_PAUSE)
    return outcomes.Change(
        conflict.id, "failed", error=error, attempts=attempts, next_attempt_at=now + pause
    )


# --- events


def _event(site: Site, work: Work, now: int, attempts: int) -> Event:
    if isinstance(work.outcome, Resolved) and work.undo_of is not None:
        return undone(site, work, work.undo_of, "redo", now)
    if isinstance(work.outcome, Resolved):
        return ResolutionResolved(
            at=now,
            database=site.database.name,
            document=work.document,
            conflict=work.conflict,
            resolution=work.resolution,
            type=work.type,
            severity=work.severity,
            strategy=work.plan.strategy,
            by=work.by,
            elapsed=max(0, round((site.clock.monotonic() - work.started) * 1_000_000)),
            recovered=work.recovered,
        )
    return failure(site, _outcome(work), work.plan.strategy, now, attempts)


def undone(site: Site, task: Task, resolution: int, how: str, now: int) -> ResolutionUndone:
    """The event of a resolution that a task has taken back."""
    return ResolutionUndone(
        at=now,
        database=site.database.name,
        document=task.document,
        conflict=task.conflict,
        resolution=resolution,
        undo=task.resolution,
        how=how,
        by=task.by,
    )


def failure(
    site: Site, outcome: Carried, strategy: str, now: int, attempts: int = 0
) -> ResolutionFailed:
    """The event of what did not come about.  It never quotes what a database says."""
    type, error, hint = _told(outcome)
    return ResolutionFailed(
        at=now,
        database=site.database.name,
        document=outcome.document,
        conflict=outcome.conflict,
        resolution=outcome.resolution,
        type=type,
        strategy=strategy,
        error=error,
        hint=hint,
        attempts=attempts,
    )


def _told(outcome: Carried) -> tuple[str, str, str]:
    match outcome:
        case Moved():
            return "moved", "moved", "it is read again, as a new version"
        case Refused(error=error):
            return "refused", error, "the queue shows what the database says"
        case Unavailable(problem=problem):
            return "unavailable", type(problem).__name__, problem.hint
        case DeletedSince():
            return (
                "deleted",
                "deleted since",
                "somebody deleted the document meanwhile; the archive has what it said",
            )
        case Vetoed():
            return "vetoed", "vetoed", "a hook did not want it"
        case Stopped(timed_out=True):
            return "timeout", "timeout", "it is recovered by the next sweep"
        case Stopped():
            return "stopped", "stopped", "it goes on when writing is allowed again"
        case Unverified():
            return "unverified", "unverified", "the next sweep looks at it again"
        case Resolved():
            raise RuntimeError("what is resolved did not fail")
