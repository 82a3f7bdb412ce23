"""What was begun and has no outcome: a process died, the database was gone, or writing was
stopped.  By what there is now it is brought to its end, or given up and planned again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from couchmend.core.plans.planned import Plan
from couchmend.engine.carrying import recording
from couchmend.engine.carrying.carried import Carried
from couchmend.engine.carrying.carry import BATCH_ORDERS, stopping
from couchmend.engine.carrying.operations import Running, forget_overdue
from couchmend.engine.carrying.reading import NOTHING, Present, merge_in, present
from couchmend.engine.carrying.site import Site
from couchmend.engine.carrying.tombstoning import moved_away, tombstone_in, tombstone_losers
from couchmend.engine.carrying.undoing import recover_undos
from couchmend.engine.carrying.verifying import judge, verify
from couchmend.engine.carrying.work import Contents, Work
from couchmend.errors import ReplicaError
from couchmend.journal import archive, outcomes, resolutions
from couchmend.journal.resolutions import Resolution


def recover(site: Site) -> list[Carried]:
    """Bring everything of a database that was begun to its end; what came of each, in the order
    in which it was begun.  Doing so again does no more.

    Whoever calls this holds the lease: what another process is at just now would be recovered
    under its hands, which is safe, but vain.

    Raises:
        JournalError: the journal cannot be used.
    """
    forget_overdue(site)
    with site.journal.read() as tx:
        begun = resolutions.unfinished(tx, site.database.id)
    came: dict[int, Carried] = {}
    for batch in _batches([one for one in begun if _is_undo(one)]):
        came.update(zip((one.id for one in batch), recover_undos(site, batch), strict=True))
    for batch in _batches([one for one in begun if not _is_undo(one)]):
        for carried in _recover(site, batch):
            assert carried.resolution is not None
            came[carried.resolution] = carried
    return [came[one.id] for one in begun]


def _is_undo(one: Resolution) -> bool:
    """Whether it has the plan of an undo; one that resolves again has that of a resolution."""
    return one.plan is not None and "how" in one.plan


def _batches(begun: Sequence[Resolution]) -> Iterator[list[Resolution]]:
    """Never two for one document at once."""
    left = list(begun)
    while left:
        batch: dict[str, Resolution] = {}
        later = []
        for one in left:
            if one.document in batch or len(batch) == BATCH_ORDERS:
                later.append(one)
            else:
                batch[one.document] = one
        yield list(batch.values())
        left = later


def _recover(site: Site, begun: Sequence[Resolution]) -> list[Carried]:
    works = _works(site, begun)
    running = Running(site, [work.document for work in works])
    with site.journal.write() as tx:
        running.begin(tx, "recover")
    with stopping(works):
        for work in works:
            try:
                _look(site, work)
            except ReplicaError as problem:
                work.unavailable(problem)
        if any(work.outcome is None for work in works):
            with site.journal.write() as tx:
                recording.note(tx, works)
            tombstone_losers(site, running, works)
            verify(site, works, None)
    return recording.record(site, running, works)


def _works(site: Site, begun: Sequence[Resolution]) -> list[Work]:
    started = site.clock.monotonic()
    with site.journal.read() as tx:
        known = outcomes.standing(tx, [one.conflict for one in begun if one.conflict is not None])
        files = {one.id: archive.attachments(tx, site.database.id, one.document) for one in begun}
    works = []
    for one in begun:
        conflict = None if one.conflict is None else known.get(one.conflict)
        contents: Contents = {(file.rev, file.name): file.content for file in files[one.id]}
        works.append(
            Work(
                conflict=one.conflict,
                resolution=one.id,
                document=one.document,
                plan=Plan.from_json(one.plan),
                type="" if conflict is None else conflict.type,
                severity="" if conflict is None else conflict.severity,
                by=one.by,
                before=frozenset(),
                contents=contents,
                started=started,
                undo_of=one.undo_of,
                recovered=True,
                written=one.written,
                tombstones=dict(one.tombstones),
                accepted=one.accepted,
                begun=True,
            )
        )
    return works


def _look(site: Site, work: Work) -> None:
    """What of it happened.  Without an outcome it goes on with its tombstones."""
    now = present(site.replica, work.document)
    plan = work.plan
    if now is NOTHING:
        work.moved("the document is not there any more")
        return
    for tombstone in plan.tombstones:
        found = tombstone_in(tombstone, now)
        if found is not None:
            work.tombstones.setdefault(tombstone.rev, found)
    if plan.write is not None and work.written is None:
        work.written = merge_in(site.replica, work.document, plan.write, now, work.contents)
    if work.written is None and not work.tombstones:
        # Nothing of it happened, or nobody can tell: no loser is deleted for its sake.
        work.moved("it was not written: it is planned again")
    elif plan.deletes:
        _hold_leaves(work, now)
    elif now.live_from(work.kept) is None:
        _given_up(site, work, now)
    elif plan.write is None and not now.tree.is_leaf(work.kept):
        work.moved(f"{work.kept} was edited meanwhile")
    else:
        _hold_leaves(work, now)


def _given_up(site: Site, work: Work, now: Present) -> None:
    """What was to live on is gone: nothing is deleted for its sake."""
    if now.live:
        work.moved(f"{work.kept} was deleted, or is gone")
    else:
        judge(site, work, now)


def _hold_leaves(work: Work, now: Present) -> None:
    """Hold that what is left to be deleted is as it was; and where nothing is merged, that no
    version is there which the plan does not know."""
    left = [one.rev for one in work.plan.tombstones if one.rev not in work.tombstones]
    gone = next((rev for rev in left if not now.tree.is_leaf(rev)), None)
    if gone is not None:
        work.moved(moved_away(gone, now))
        return
    if work.plan.write is not None:
        return
    known = {work.plan.winner, *left, *work.plan.unreadable}
    other = next((rev for rev in now.live if rev not in known), None)
    if other is not None:
        work.moved(f"there is another version, {other}")
