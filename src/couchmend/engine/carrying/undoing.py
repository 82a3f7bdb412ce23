"""Carrying undos out: of many documents together, the first writes of all, then the second, each
once the one before is confirmed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from couchmend.core.document import dumps
from couchmend.core.plans.undo import UndoPlan
from couchmend.core.plans.writes import Write, write_over
from couchmend.core.revtree import Rev
from couchmend.engine.carrying.carried import Carried
from couchmend.engine.carrying.carry import stopping
from couchmend.engine.carrying.doubts import Pending, settle
from couchmend.engine.carrying.operations import Running
from couchmend.engine.carrying.reading import NOTHING, Present, merge_in, present_each
from couchmend.engine.carrying.sending import carried_bytes, clear, document_of, grouped, send
from couchmend.engine.carrying.site import Site
from couchmend.engine.carrying.undo_recording import record
from couchmend.engine.carrying.work import UndoWork
from couchmend.errors import ReplicaError
from couchmend.journal import archive
from couchmend.journal.resolutions import Resolution
from couchmend.replica.base import Refused, Written

_MOST_MORE = 3
"""How often more the restored version is written, where a database's own revisions let another
one win."""


def carry_undos_out(site: Site, running: Running, works: Sequence[UndoWork]) -> list[Carried]:
    """Write what is left to be written, verify and record it; what came of each, in order.
    Never two for one document.

    Raises:
        JournalError: the journal cannot be used.  It is recovered later.
    """
    with stopping(works):
        for turn in range(max((len(work.plan.writes) for work in works), default=0)):
            _write(site, running, _turn(works, turn))
        _verify(site, running, works)
    return record(site, running, works)


def recover_undos(site: Site, begun: Sequence[Resolution]) -> list[Carried]:
    """Bring undos to their end that were begun and have none; those of which nothing happened
    are given up.  Never two for one document."""
    works = _works(site, begun)
    running = Running(site, [work.document for work in works])
    with site.journal.write() as tx:
        running.begin(tx, "recover an undo")
    try:
        found = _now(site, works)
        for work in works:
            now = found.get(work.document)
            if now is not None:
                _look_what_happened(site, work, now)
    except ReplicaError as problem:
        for work in works:
            if work.outcome is None:
                work.unavailable(problem)
    return carry_undos_out(site, running, works)


def _works(site: Site, begun: Sequence[Resolution]) -> list[UndoWork]:
    with site.journal.read() as tx:
        files = archive.attachments_of(tx, site.database.id, [one.document for one in begun])
    return [
        UndoWork(
            conflict=one.conflict,
            resolution=one.id,
            document=one.document,
            by=one.by,
            contents={(file.rev, file.name): file.content for file in files.get(one.document, [])},
            started=site.clock.monotonic(),
            undo_of=one.undo_of,
            recovered=True,
            accepted=one.accepted,
            begun=True,
            plan=(plan := UndoPlan.from_json(one.plan)),
            leaves=len(plan.leafset),
        )
        for one in begun
    ]


def _look_what_happened(site: Site, work: UndoWork, now: Present) -> None:
    for write in work.plan.writes:
        found = _found(site, work, write, now)
        if found is None:
            break
        work.done[write.expected] = found
    if not work.done:
        work.moved("nothing of it was written")


# --- writing


@dataclass(slots=True, kw_only=True)
class _Step(Pending):
    """A write, with the parent that it has on this server."""

    work: UndoWork
    write: Write


def _turn(works: Iterable[UndoWork], place: int) -> list[_Step]:
    """The next write of each that has one left."""
    return [
        _step(work, work.plan.writes[place])
        for work in works
        if work.outcome is None
        and place < len(work.plan.writes)
        and work.plan.writes[place].expected not in work.done
    ]


def _step(work: UndoWork, write: Write) -> _Step:
    actual = replace(write, parent=work.done.get(write.parent, write.parent))
    return _Step(task=work, work=work, write=actual)


def _write(site: Site, running: Running, steps: Sequence[_Step]) -> None:
    """Each work has then what was written, or an outcome."""
    if steps:
        settle(
            site,
            running,
            steps,
            lambda some: _send(site, running, some),
            lambda some: _look(site, some),
        )


def _send(site: Site, running: Running, waiting: Sequence[_Step]) -> None:
    for as_replicated in (False, True):
        alike = [step for step in waiting if step.write.as_replicated is as_replicated]
        for group in grouped((step, _size(step)) for step in alike):
            docs = [
                document_of(site, step.work.document, step.write, step.work.contents)
                for step in group
            ]
            clear(site, running)
            for step in group:
                step.work.begun = True
            rows = send(site, docs, new_edits=not as_replicated)
            for step, row in zip(group, rows, strict=True):
                step.row = row
                _take(step)


def _size(step: _Step) -> int:
    return len(dumps(step.write.fields)) + carried_bytes(step.write, step.work.contents)


def _take(step: _Step) -> None:
    """Settle a write of which the answer says for certain what became of it."""
    match step.row:
        case Written(rev=rev, accepted=accepted) if not step.write.as_replicated:
            _confirm(step, Rev.parse(rev))
            step.work.accepted = step.work.accepted or accepted
        case Refused(error="forbidden" | "unauthorized" as error, reason=reason):
            step.settled = True
            step.work.refused(error, reason)


def _look(site: Site, doubtful: Sequence[_Step]) -> None:
    found = _now(site, [step.work for step in doubtful])
    for step in doubtful:
        now = found.get(step.work.document)
        if now is None:
            step.settled = True
        else:
            _settle(site, step, now)


def _settle(site: Site, step: _Step, now: Present) -> None:
    """What became of a write by what there is now; it stays unsettled where it is to be sent
    again."""
    work, write = step.work, step.write
    found = merge_in(site.replica, work.document, write, now, work.contents)
    if found is not None:
        _confirm(step, found)
        return
    if not now.tree.is_leaf(write.parent):
        step.settled = True
        work.moved(f"{write.parent} was edited meanwhile, or is gone")
        return
    match step.row:
        case Refused(error="conflict"):
            step.settled = True
            work.moved("the database says that it was edited meanwhile")
        case Refused(error=error, reason=reason):
            step.settled = True
            work.refused(error, reason)


def _confirm(step: _Step, rev: Rev) -> None:
    step.settled = True
    step.work.done[step.write.expected] = rev


def _found(site: Site, work: UndoWork, write: Write, now: Present) -> Rev | None:
    actual = _step(work, write).write
    return merge_in(site.replica, work.document, actual, now, work.contents)


def _now(site: Site, works: Sequence[UndoWork]) -> dict[str, Present]:
    """The documents as they are now; what cannot be read by itself is `unavailable`."""
    read = present_each(site.replica, {work.document: work.leaves for work in works})
    found: dict[str, Present] = {}
    for work in works:
        now = read[work.document]
        if isinstance(now, Present):
            found[work.document] = now
            work.leaves = len(now.tree.leaves())
        elif work.outcome is None:
            work.unavailable(now)
    return found


# --- verifying


def _verify(site: Site, running: Running, works: Sequence[UndoWork]) -> None:
    """Everything that was written lives, and what was restored wins; each work has an outcome
    then."""
    try:
        for _ in range(_MOST_MORE):
            waiting = [work for work in works if work.outcome is None]
            if not waiting:
                return
            found = _now(site, waiting)
            more = [
                (work, step)
                for work in waiting
                if work.outcome is None
                and (step := _once_more(work, found[work.document])) is not None
            ]
            _write(site, running, [step for _, step in more])
            for work, step in more:
                if work.outcome is None:
                    work.done[work.plan.winner] = work.done[step.write.expected]
    except ReplicaError as problem:
        for work in works:
            if work.outcome is None:
                work.unavailable(problem)
    for work in works:
        if work.outcome is None:
            work.unverified("another version wins than before")


def _once_more(work: UndoWork, now: Present) -> _Step | None:
    """What is to be written once more; else the work has an outcome."""
    if now is NOTHING or not now.live:
        work.deleted_since()
        return None
    restored = now.live_from(work.kept)
    gone = [rev for rev in work.done.values() if now.live_from(rev) is None]
    if restored is None or gone:
        work.moved(f"{(gone or [work.kept])[0]} was edited away or deleted meanwhile")
        return None
    wins = now.live[0] == restored or now.live[0] not in work.done.values()
    if wins or restored != work.kept or work.plan.how == "restore":
        work.resolved()
        return None
    body = now.bodies[restored]
    return _step(work, write_over(restored, body, {restored: body}))
