"""What came of undos is in the journal, and told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import Connection

from couchmend.engine.carrying.carried import (
    Carried,
    DeletedSince,
    Moved,
    Refused,
    Resolved,
    Stopped,
)
from couchmend.engine.carrying.operations import Running
from couchmend.engine.carrying.recording import failure, undone
from couchmend.engine.carrying.site import Site
from couchmend.engine.carrying.work import UndoWork
from couchmend.events import Event
from couchmend.journal import acknowledging, conflicts, outcomes


def record(site: Site, running: Running, works: Sequence[UndoWork]) -> list[Carried]:
    """Store what came of each undo, and tell of it; in the order of the works.

    What another process brought to an end meanwhile stays as that left it.
    """
    now = site.clock.now()
    pairs = [(work, _outcome(work)) for work in works]
    for work in works:
        work.written = work.kept if work.done else None
    with site.journal.write() as tx:
        outcomes.note_many(
            tx,
            [
                outcomes.Noted(
                    id=work.resolution,
                    state="written",
                    written=work.written,
                    accepted=work.accepted,
                )
                for work in works
            ],
        )
        finished = [one for work, came in pairs if (one := _finished(work, came)) is not None]
        ended = outcomes.finish_many(tx, finished, now)
        done = [
            work for work, came in pairs if isinstance(came, Resolved) and work.resolution in ended
        ]
        _reopened(tx, site, done, now)
        running.end(tx)
    for work, came in pairs:
        event = _event(site, work, came, now, ended=work.resolution in ended)
        if event is not None:
            site.emit(event)
    return [_told(work, came) for work, came in pairs]


def _outcome(work: UndoWork) -> Carried:
    if work.outcome is None:
        raise RuntimeError(f"nothing is known of undo {work.resolution}")
    return work.outcome


def _told(work: UndoWork, came: Carried) -> Carried:
    return replace(came, written=work.written) if isinstance(came, Resolved) else came


def _event(site: Site, work: UndoWork, came: Carried, now: int, *, ended: bool) -> Event | None:
    if not isinstance(came, Resolved):
        return failure(site, came, work.plan.how, now)
    # A version that was put back from the archive takes no resolution back.
    if not ended or work.undo_of is None:
        return None
    return undone(site, work, work.undo_of, work.plan.how, now)


def _finished(work: UndoWork, outcome: Carried) -> outcomes.Finished | None:
    number, some = work.resolution, bool(work.done)
    match outcome:
        case Resolved():
            return outcomes.Finished(number, "done", "undone")
        case Moved(why=why):
            return outcomes.Finished(number, "failed" if some else "abandoned", "moved", why)
        case Refused(error=error, reason=reason):
            return outcomes.Finished(number, "failed", "refused", f"{error}: {reason}")
        case DeletedSince():
            return outcomes.Finished(number, "failed", "deleted since")
        case Stopped(begun=False, why=why):
            return outcomes.Finished(number, "abandoned", "stopped", why)
        case _ if not work.begun:
            return outcomes.Finished(number, "abandoned", "unavailable", outcome.sentence)
    return None


def _reopened(tx: Connection, site: Site, works: Sequence[UndoWork], now: int) -> None:
    """What the journal knows of conflicts that are there again."""
    database = site.database.id
    for work in works:
        if work.plan.unacknowledge:
            acknowledging.unacknowledge(tx, database, work.document, work.plan.unacknowledge)
    again = {work.document: work.conflict for work in works if work.plan.how == "reopen"}
    conflicts.reopen(tx, database, again, now)
