"""Carrying an undo out: its writes, one after another, each once the one before is confirmed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from couchmend.core.plans.undo import UndoPlan
from couchmend.core.plans.writes import Write, write_over
from couchmend.core.revtree import Rev
from couchmend.engine.carrying.carried import (
    Carried,
    DeletedSince,
    Moved,
    Refused,
    Resolved,
    Stopped,
)
from couchmend.engine.carrying.carry import stopping
from couchmend.engine.carrying.doubts import Pending, settle
from couchmend.engine.carrying.operations import Running
from couchmend.engine.carrying.reading import NOTHING, Present, merge_in, present
from couchmend.engine.carrying.recording import failure
from couchmend.engine.carrying.sending import clear, document_of, send
from couchmend.engine.carrying.site import Site
from couchmend.engine.carrying.work import UndoWork
from couchmend.errors import ReplicaError
from couchmend.events import ResolutionUndone
from couchmend.journal import acknowledging, archive, conflicts, outcomes
from couchmend.journal.resolutions import Resolution
from couchmend.replica.base import Refused as RefusedRow
from couchmend.replica.base import Written

_MOST_MORE = 3
"""How often more the restored version is written, where a database's own revisions let another
one win."""


def carry_undo_out(site: Site, running: Running, work: UndoWork) -> Carried:
    """Write what is left to be written, verify and record it."""
    with stopping([work]):
        for write in work.plan.writes:
            if work.outcome is None and write.expected not in work.done:
                _write(site, running, work, write)
        try:
            if work.outcome is None:
                _verify(site, running, work)
        except ReplicaError as problem:
            work.unavailable(problem)
    return _record(site, running, work)


def recover_undo(site: Site, begun: Resolution) -> Carried:
    """Bring an undo to its end that was begun and has none; one of which nothing happened is
    given up."""
    with site.journal.read() as tx:
        files = archive.attachments(tx, site.database.id, begun.document)
    work = UndoWork(
        conflict=begun.conflict,
        resolution=begun.id,
        document=begun.document,
        by=begun.by,
        contents={(file.rev, file.name): file.content for file in files},
        started=site.clock.monotonic(),
        undo_of=begun.undo_of,
        recovered=True,
        accepted=begun.accepted,
        begun=True,
        plan=UndoPlan.from_json(begun.plan),
    )
    running = Running(site, [work.document])
    with site.journal.write() as tx:
        running.begin(tx, "recover an undo")
    try:
        now = present(site.replica, work.document)
        for write in work.plan.writes:
            found = _found(site, work, write, now)
            if found is None:
                break
            work.done[write.expected] = found
        if not work.done:
            work.moved("nothing of it was written")
    except ReplicaError as problem:
        work.unavailable(problem)
    return carry_undo_out(site, running, work)


# --- writing


@dataclass(slots=True, kw_only=True)
class _Step(Pending):
    work: UndoWork
    write: Write


def _write(site: Site, running: Running, work: UndoWork, write: Write) -> None:
    actual = replace(write, parent=work.done.get(write.parent, write.parent))
    step = _Step(task=work, work=work, write=actual)

    def _send(some: Sequence[_Step]) -> None:
        clear(site, running)
        work.begun = True
        doc = document_of(site, work.document, actual, work.contents)
        (step.row,) = send(site, [doc], new_edits=not actual.as_replicated)
        match step.row:
            case Written(accepted=accepted) if not actual.as_replicated:
                _confirm(step, step.row)
                work.accepted = work.accepted or accepted
            case RefusedRow(error="forbidden" | "unauthorized" as error, reason=reason):
                step.settled = True
                work.refused(error, reason)

    def _look(some: Sequence[_Step]) -> None:
        now = present(site.replica, work.document)
        found = _found(site, work, actual, now)
        if found is not None:
            step.settled = True
            work.done[write.expected] = found
        elif not now.tree.is_leaf(actual.parent):
            step.settled = True
            work.moved(f"{actual.parent} was edited meanwhile, or is gone")
        else:
            match step.row:
                case RefusedRow(error="conflict"):
                    step.settled = True
                    work.moved("the database says that it was edited meanwhile")
                case RefusedRow(error=error, reason=reason):
                    step.settled = True
                    work.refused(error, reason)

    settle(site, running, [step], _send, _look)


def _confirm(step: _Step, row: Written) -> None:
    step.settled = True
    step.work.done[step.write.expected] = Rev.parse(row.rev)


def _found(site: Site, work: UndoWork, write: Write, now: Present) -> Rev | None:
    actual = replace(write, parent=work.done.get(write.parent, write.parent))
    return merge_in(site.replica, work.document, actual, now, work.contents)


# --- verifying


def _verify(site: Site, running: Running, work: UndoWork) -> None:
    """Everything that was written lives, and what was restored wins."""
    for _ in range(_MOST_MORE):
        now = present(site.replica, work.document)
        if now is NOTHING or not now.live:
            work.deleted_since()
            return
        restored = now.live_from(work.kept)
        gone = [rev for rev in work.done.values() if now.live_from(rev) is None]
        if restored is None or gone:
            work.moved(f"{(gone or [work.kept])[0]} was edited away or deleted meanwhile")
            return
        if now.live[0] == restored or restored != work.kept or work.plan.how == "restore":
            work.resolved()
            return
        if now.live[0] not in work.done.values():
            work.resolved()
            return
        body = now.bodies[restored]
        more = write_over(restored, body, {restored: body})
        _write(site, running, work, more)
        if work.outcome is not None:
            return
        work.done[work.plan.winner] = work.done[more.expected]
    work.unverified("another version wins than before")


# --- recording


def _record(site: Site, running: Running, work: UndoWork) -> Carried:
    outcome = work.outcome
    assert outcome is not None
    now = site.clock.now()
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
            ],
        )
        finished = _finished(work, outcome)
        ended = outcomes.finish_many(tx, [] if finished is None else [finished], now)
        if isinstance(outcome, Resolved) and ended:
            _reopened(tx, site, work, now)
        running.end(tx)
    if isinstance(outcome, Resolved):
        outcome = replace(outcome, written=work.written)
        # A version that was put back from the archive takes no resolution back.
        if ended and work.undo_of is not None:
            site.emit(
                ResolutionUndone(
                    at=now,
                    database=site.database.name,
                    document=work.document,
                    conflict=work.conflict,
                    resolution=work.undo_of,
                    undo=work.resolution,
                    how=work.plan.how,
                    by=work.by,
                )
            )
    else:
        site.emit(failure(site, outcome, work.plan.how, now))
    return outcome


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


def _reopened(tx: Connection, site: Site, work: UndoWork, now: int) -> None:
    """What the journal knows of a conflict that is there again."""
    if work.plan.unacknowledge:
        acknowledging.unacknowledge(tx, site.database.id, work.document, work.plan.unacknowledge)
    if work.plan.how != "reopen":
        return
    known = conflicts.open_ones(tx, site.database.id, [work.document]).get(work.document)
    number = work.conflict if known is None else known.id
    if number is not None:
        if known is None:
            conflicts.set_state(tx, number, "pending", now, error="")
        conflicts.exclude(tx, number, True, now)
