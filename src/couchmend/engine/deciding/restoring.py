"""Putting a kept version of a document back: as a new revision, over what is there now."""

from __future__ import annotations

from dataclasses import dataclass, replace

from couchmend.core.conflicts.deletions import leafset
from couchmend.core.conflicts.document import ConflictedDocument
from couchmend.core.merging.telling import label
from couchmend.core.plans.undo import UndoPlan
from couchmend.core.plans.writes import write_over
from couchmend.core.revtree import Rev
from couchmend.core.values import same
from couchmend.engine.carrying.carried import Carried
from couchmend.engine.carrying.changing import Change, carry_writes
from couchmend.engine.carrying.reading import NOTHING, present
from couchmend.engine.carrying.site import Site
from couchmend.errors import EngineRefused, NotFound
from couchmend.journal import archive


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """What putting a version back does, and unless it is a preview, what came of it.

    number: of it in the journal, by which it can be undone; None in a preview, and where nothing
        was begun.
    outcome: None in a preview.
    """

    plan: UndoPlan
    number: int | None = None
    outcome: Carried | None = None


def restore(site: Site, document: str, rev: Rev, *, by: str, preview: bool = False) -> Restored:
    """Write what a kept version says over the winner; other versions of a conflict stay.

    What is there now is kept before.

    Raises:
        NotFound: the version is not kept, or there is no such document any more.
        EngineRefused: the document says the same now.
        PlanError: an attachment's content is not kept.
        ReplicaError: the document cannot be read.
    """
    with site.journal.read() as tx:
        kept = archive.kept(tx, site.database.id, [document]).get(document, {})
    bodies = {one.rev: one.body for one in kept.values() if one.body is not None}
    target = f"{site.database.name}/{document}"
    if rev not in bodies:
        raise NotFound(
            f"{label(rev)} is not kept",
            operation="restore",
            target=target,
            hint=f"couchmend archive show {site.database.name} {document}",
        )
    found = present(site.replica, document)
    if found is NOTHING:
        raise NotFound(
            "there is no such document any more",
            operation="restore",
            target=target,
            hint=f"couchmend archive show {site.database.name} {document} --rev {rev} prints the"
            " version; couchmend replica put writes it",
        )
    now = ConflictedDocument(site.database.name, document, found.tree, found.bodies)
    winner = now.winner
    if not now.tree.is_deleted(winner) and same(now.bodies.get(winner), bodies[rev]):
        raise EngineRefused("it says the same now", operation="restore", target=target)
    known = {**bodies, **now.bodies}
    write = write_over(winner, bodies[rev], known)
    if now.tree.is_deleted(winner):
        # A database takes no edit of a document's tombstone while nothing of it is live.
        write = replace(write, as_replicated=True)
    made = UndoPlan(
        id=document,
        how="restore",
        leafset=leafset(now.tree),
        winner=write.expected,
        writes=(write,),
        decisions=(),
        unacknowledge=(),
        sentence=f"what {label(rev)} says is written over {label(winner)}",
    )
    if preview:
        return Restored(plan=made)
    change = Change(made=made, now=now, bodies=known, conflict=None, undo_of=None)
    ((number, outcome),) = carry_writes(site, [change], by)
    return Restored(plan=made, number=number, outcome=outcome)
