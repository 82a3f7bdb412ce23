"""Taking resolutions back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from couchmend.core.conflicts.document import ConflictedDocument
from couchmend.core.document import Doc
from couchmend.core.merging.attachments import MEMBER
from couchmend.core.plans.plan import plan
from couchmend.core.plans.planned import Plan
from couchmend.core.plans.undo import How, Resolution, UndoPlan, undo_plan
from couchmend.core.plans.writes import PlanError
from couchmend.core.policy.policy import Policy
from couchmend.core.revtree import Rev
from couchmend.engine.carrying import archive as archiving
from couchmend.engine.carrying import carry_out
from couchmend.engine.carrying.carried import Carried
from couchmend.engine.carrying.operations import Running
from couchmend.engine.carrying.reading import NOTHING, present
from couchmend.engine.carrying.recording import failure
from couchmend.engine.carrying.site import Order, Site
from couchmend.engine.carrying.undoing import carry_undo_out
from couchmend.engine.carrying.work import UndoWork
from couchmend.errors import EngineRefused
from couchmend.journal import archive, outcomes, resolutions
from couchmend.journal.resolutions import Resolution as Kept


@dataclass(frozen=True, slots=True, kw_only=True)
class Undone:
    """What an undo does, and unless it is a preview, what came of it.

    resolution: what is taken back, as the journal has it.
    plan: an undo that is taken back by resolving once more has the plan of that.
    number: of the undo in the journal; None in a preview.
    outcome: None in a preview.
    """

    resolution: Kept
    how: How
    plan: UndoPlan | Plan
    number: int | None = None
    outcome: Carried | None = None

    @property
    def sentence(self) -> str:
        """What it does, or what came of it, for people."""
        said = self.plan.sentence
        return said if self.outcome is None else f"{said}; {self.outcome.sentence}"


def undo(
    site: Site,
    number: int,
    how: How = "restore",
    *,
    by: str,
    policy: Policy,
    preview: bool = False,
) -> Undone:
    """Take a resolution back, by its number; an undo, too.

    how: `restore` puts the body of the winner from before over what was written; `reopen` also
        brings the versions back that were deleted, and with them the conflict.
    policy: for a three-way merge where the document was edited since.
    preview: only say what would be done.

    Raises:
        UsageError: there is no such resolution.
        EngineRefused: it cannot be taken back; says why.
        PlanError: what it left is gone, or its bodies are not kept any more.
        ReplicaError: the document cannot be read.
        JournalError: the journal cannot be used.
    """
    with site.journal.read() as tx:
        taken = resolutions.get(tx, number)
        kept = archive.kept(tx, site.database.id, [taken.document]).get(taken.document, {})
    _hold(site, taken)
    bodies = {rev: one.body for rev, one in kept.items() if one.body is not None}
    now = _read(site, taken.document, bodies)
    if _was_reopened(taken):
        return _resolve_again(site, taken, now, policy, by, preview=preview)
    made = undo_plan(_resolution(taken, now, bodies), now, policy, how)
    undone = Undone(resolution=taken, how=how, plan=made)
    if preview:
        return undone
    if not made.writes and not made.unacknowledge:
        raise EngineRefused(
            "there is nothing to take back: the document says what it said before",
            operation="undo",
            target=f"resolution {number}",
            hint="--reopen brings the versions back that were deleted",
        )
    return _carry(site, undone, made, now, {**bodies, **now.bodies}, by)


def _hold(site: Site, taken: Kept) -> None:
    """Hold that a resolution can be taken back."""

    def refused(what: str, hint: str = "") -> EngineRefused:
        target = f"resolution {taken.id}"
        return EngineRefused(what, operation="undo", target=target, hint=hint)

    if taken.database_id != site.database.id:
        raise refused(f"it is of the database {taken.database}")
    if taken.finished_at is None:
        raise refused("it is under way, or waits to be recovered", "sweep the database first")
    if taken.undone_by is not None:
        hint = f"undo {taken.undone_by} takes that back"
        raise refused(f"it was taken back already, by {taken.undone_by}", hint)
    if taken.plan is None:
        raise refused("what it did was erased", "a resolution can be undone while it is kept")
    if taken.state != "done" and taken.written is None and not taken.tombstones:
        raise refused("nothing of it was written")


def _read(site: Site, id: str, bodies: Mapping[Rev, Doc]) -> ConflictedDocument:
    found = present(site.replica, id)
    if found is NOTHING:
        raise PlanError("the document is not there any more", target=id)
    known = {rev: body for rev, body in bodies.items() if rev in found.tree}
    return ConflictedDocument(site.database.name, id, found.tree, {**known, **found.bodies})


def _resolution(taken: Kept, now: ConflictedDocument, bodies: Mapping[Rev, Doc]) -> Resolution:
    """What was done, as undo plans take it."""
    known = dict(bodies)
    done = _as_plan(taken) if "how" in (taken.plan or {}) else Plan.from_json(taken.plan)
    if taken.written is not None and done.write is not None:
        # As the database has it, where it still does: it may name content otherwise.
        known[taken.written] = now.bodies.get(taken.written, done.write.body)
    return Resolution(done, taken.written, taken.tombstones, known)


def _as_plan(taken: Kept) -> Plan:
    """An undo as the plan that writes its last write over the leaf that was there before."""
    made = UndoPlan.from_json(taken.plan)
    if not made.writes:
        raise EngineRefused(
            "it wrote nothing that could be taken back",
            operation="undo",
            target=f"resolution {taken.id}",
            hint="acknowledge the deletion again: conflicts skip",
        )
    first, last = made.writes[0], made.writes[-1]
    if first.as_replicated:
        raise EngineRefused(
            "it brought a deleted document back",
            operation="undo",
            target=f"resolution {taken.id}",
            hint="delete the document instead",
        )
    return Plan(
        id=made.id,
        strategy="undo",
        digest="",
        policy="",
        leafset=made.leafset,
        winner=first.parent,
        bases=(),
        containment=(),
        unreadable=(),
        decisions=(),
        problems=(),
        write=last,
        tombstones=(),
        acknowledge=(),
        sentence=made.sentence,
    )


# --- carrying out


def _carry(
    site: Site,
    undone: Undone,
    made: UndoPlan,
    now: ConflictedDocument,
    bodies: Mapping[Rev, Doc],
    by: str,
) -> Undone:
    taken = undone.resolution
    number, outcome = carry_writes(
        site, made, now, bodies, by, conflict=taken.conflict, undo_of=taken.id
    )
    return replace(undone, number=number, outcome=outcome)


def carry_writes(
    site: Site,
    made: UndoPlan,
    now: ConflictedDocument,
    bodies: Mapping[Rev, Doc],
    by: str,
    *,
    conflict: int | None,
    undo_of: int | None,
) -> tuple[int | None, Carried]:
    """Keep what there is now, carry the writes of a plan out and record it.

    bodies: by revision, those of `now` and all that attachments come from.
    conflict, undo_of: which conflict and resolution it is about; None for none.

    Returns the number of it in the journal, None where nothing was begun, and what came of it.
    """
    id = made.id
    site.may_write()
    doc = replace(now, bodies=bodies)
    fetched = archiving.fetch_these(site, doc, _needed(made, doc), conflict)
    at, started = site.clock.now(), site.clock.monotonic()
    if not isinstance(fetched, archiving.Fetched):
        site.emit(failure(site, fetched, made.how, at))
        return None, fetched
    running = Running(site, [id])
    with site.journal.write() as tx:
        archive.keep(tx, site.database.id, {id: archiving.touched(now)}, at)
        archiving.attach(tx, site, id, fetched)
        (number,) = resolutions.begin(
            tx,
            [
                resolutions.Begun(
                    conflict=conflict,
                    database_id=site.database.id,
                    document=id,
                    strategy=made.how,
                    by=by,
                    plan=made.to_json(),
                    started_at=at,
                    kind="undo",
                    undo_of=undo_of,
                )
            ],
        )
        running.begin(tx, "undo")
    work = UndoWork(
        conflict=conflict,
        resolution=number,
        document=id,
        by=by,
        contents=fetched.contents,
        started=started,
        undo_of=undo_of,
        plan=made,
    )
    return number, carry_undo_out(site, running, work)


def _needed(made: UndoPlan, doc: ConflictedDocument) -> list[tuple[Rev, str]]:
    """The attachments that are carried, and those of the leaf that is written over which the
    writes leave out."""
    wanted = [one for write in made.writes for one in archiving.sources(write.attachments)]
    for write in made.writes[:1]:
        staying = {one.name for one in write.attachments if not one.carried}
        had = doc.bodies.get(write.parent, {}).get(MEMBER, {})
        wanted += [(write.parent, name) for name in had if name not in staying]
    return list(dict.fromkeys(wanted))


# --- taking a reopening back


def _was_reopened(taken: Kept) -> bool:
    return taken.kind == "undo" and taken.strategy == "reopen" and "how" in (taken.plan or {})


def _resolve_again(
    site: Site,
    taken: Kept,
    now: ConflictedDocument,
    policy: Policy,
    by: str,
    *,
    preview: bool,
) -> Undone:
    """Taking a reopening back is to resolve the conflict once more, as it was resolved before."""
    made = UndoPlan.from_json(taken.plan)
    with site.journal.read() as tx:
        assert taken.undo_of is not None
        before = resolutions.get(tx, taken.undo_of)
        known = outcomes.standing(tx, [] if taken.conflict is None else [taken.conflict])
    expected = {write.expected for write in made.writes}
    ends = expected - {write.parent for write in made.writes}
    live = {leaf.rev for leaf in now.tree.leaves() if not leaf.deleted}
    if taken.written is not None:
        ends = {taken.written if rev == made.winner else rev for rev in ends}
    if (
        not made.writes
        or not ends <= live
        or len(live) != len(ends | {taken.written or made.winner})
    ):
        raise EngineRefused(
            "the document was edited since it was reopened",
            operation="undo",
            target=f"resolution {taken.id}",
            hint="resolve the conflict as it is now",
        )
    done = Plan.from_json(before.plan)
    if done.deletes:
        again = plan(now, "delete", policy)
    else:
        write = done.write
        body = now.bodies.get(done.winner, {}) if write is None else write.body
        again = plan(now, "manual", policy, body={MEMBER: {}, **body})
    undone = Undone(resolution=taken, how="restore", plan=again)
    if preview:
        return undone
    conflict = next(iter(known.values()), None)
    order = Order(
        conflict=taken.conflict,
        doc=now,
        plan=again,
        type="" if conflict is None else conflict.type,
        severity="" if conflict is None else conflict.severity,
        by=by,
        undo_of=taken.id,
    )
    (came,) = carry_out(site, [order])
    return replace(undone, number=came.resolution, outcome=came)
