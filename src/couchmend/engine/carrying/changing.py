"""Writes that take something back, or put something back: kept, begun and carried out together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from couchmend.core.conflicts.document import ConflictedDocument
from couchmend.core.document import Doc
from couchmend.core.merging.attachments import MEMBER
from couchmend.core.plans.undo import UndoPlan
from couchmend.core.revtree import Rev
from couchmend.engine.carrying import archive as archiving
from couchmend.engine.carrying.carried import Carried
from couchmend.engine.carrying.operations import Running
from couchmend.engine.carrying.recording import failure
from couchmend.engine.carrying.site import Site
from couchmend.engine.carrying.undoing import carry_undos_out
from couchmend.engine.carrying.work import UndoWork
from couchmend.journal import archive, resolutions


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What is to be written of a document.

    now: the document that `made` is for.
    bodies: by revision, those of `now` and all that attachments come from.
    conflict, undo_of: which conflict and resolution it is about; None for none.
    """

    made: UndoPlan
    now: ConflictedDocument
    bodies: Mapping[Rev, Doc]
    conflict: int | None
    undo_of: int | None


def carry_writes(
    site: Site, changes: Sequence[Change], by: str
) -> list[tuple[int | None, Carried]]:
    """Keep what there is now, carry the writes of plans out and record them; never two for one
    document.

    Returns for each, in order, the number of it in the journal, None where nothing was begun,
    and what came of it.

    Raises:
        EngineRefused: nothing may be written; nothing was begun.
        JournalError: the journal cannot be used.  What was begun is recovered later.
    """
    site.may_write()
    came: dict[int, tuple[int | None, Carried]] = {}
    ready: list[tuple[Change, archiving.Fetched]] = []
    places: list[int] = []
    at, started = site.clock.now(), site.clock.monotonic()
    wanted = [_needed(change) for change in changes]
    with_files = [one.made.id for one, files in zip(changes, wanted, strict=True) if files]
    with site.journal.read() as tx:
        kept = archive.attachments_of(tx, site.database.id, with_files)
    for place, (change, files) in enumerate(zip(changes, wanted, strict=True)):
        fetched: archiving.Fetched | Carried = archiving.Fetched()
        if files:
            doc = replace(change.now, bodies=change.bodies)
            fetched = archiving.fetch_these(
                site, doc, files, change.conflict, kept.get(change.made.id, [])
            )
        if isinstance(fetched, archiving.Fetched):
            ready.append((change, fetched))
            places.append(place)
        else:
            site.emit(failure(site, fetched, change.made.how, at))
            came[place] = (None, fetched)
    if ready:
        works, running = _begun(site, ready, by, started)
        for place, work, outcome in zip(
            places, works, carry_undos_out(site, running, works), strict=True
        ):
            came[place] = (work.resolution, outcome)
    return [came[place] for place in range(len(changes))]


def _needed(change: Change) -> list[tuple[Rev, str]]:
    """The attachments that are carried, and those of the leaf that is written over which the
    writes leave out."""
    made = change.made
    wanted = [one for write in made.writes for one in archiving.sources(write.attachments)]
    for write in made.writes[:1]:
        staying = {one.name for one in write.attachments if not one.carried}
        had = change.bodies.get(write.parent, {}).get(MEMBER, {})
        wanted += [(write.parent, name) for name in had if name not in staying]
    return list(dict.fromkeys(wanted))


def _begun(
    site: Site, ready: Sequence[tuple[Change, archiving.Fetched]], by: str, started: float
) -> tuple[list[UndoWork], Running]:
    """The plans, and what they write over, are in the journal."""
    at, database = site.clock.now(), site.database.id
    running = Running(site, [change.made.id for change, _ in ready])
    begun = [
        resolutions.Begun(
            conflict=change.conflict,
            database_id=database,
            document=change.made.id,
            strategy=change.made.how,
            by=by,
            plan=change.made.to_json(),
            started_at=at,
            kind="undo",
            undo_of=change.undo_of,
        )
        for change, _ in ready
    ]
    with site.journal.write() as tx:
        touched = {change.made.id: archiving.touched(change.now) for change, _ in ready}
        archive.keep(tx, database, touched, at)
        for change, fetched in ready:
            archiving.attach(tx, site, change.made.id, fetched)
        numbers = resolutions.begin(tx, begun)
        running.begin(tx, "undo")
    works = [
        UndoWork(
            conflict=change.conflict,
            resolution=number,
            document=change.made.id,
            by=by,
            contents=fetched.contents,
            started=started,
            undo_of=change.undo_of,
            leaves=len(change.now.tree.leaves()),
            plan=change.made,
        )
        for number, (change, fetched) in zip(numbers, ready, strict=True)
    ]
    return works, running
