"""Taking resolutions back: those of many documents together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from couchmend.core.conflicts.document import ConflictedDocument
from couchmend.core.document import Doc, dumps
from couchmend.core.plans.planned import Plan
from couchmend.core.plans.undo import How, Resolution, UndoPlan, undo_plan
from couchmend.core.plans.writes import PlanError
from couchmend.core.policy.policy import Policy
from couchmend.core.revtree import Rev
from couchmend.engine.carrying import carry_out
from couchmend.engine.carrying.carried import Carried
from couchmend.engine.carrying.carry import BATCH_ORDERS
from couchmend.engine.carrying.changing import Change, carry_writes
from couchmend.engine.carrying.reading import NOTHING, present_each
from couchmend.engine.carrying.site import Order, Site
from couchmend.engine.deciding.resolving_again import PolicyOf, orders_again, was_reopened
from couchmend.errors import CouchmendError, EngineRefused, ReplicaError
from couchmend.journal import archive, resolutions
from couchmend.journal.resolutions import Resolution as Kept

_BATCH_BYTES: Final = 32 << 20
"""About so much JSON of documents is held at once."""


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
    """Take a resolution back, by its number; an undo, too.  See `undo_batch`.

    Raises:
        UsageError: there is no such resolution.
        EngineRefused: it cannot be taken back; says why.
        PlanError: what it left is gone, or its bodies are not kept any more.
        ReplicaError: the document cannot be read.
        JournalError: the journal cannot be used.
    """
    ((_, found),) = undo_batch(
        site, [number], how, by=by, policy_of=lambda doc: policy, preview=preview
    )
    if isinstance(found, CouchmendError):
        raise found
    return found


def batches(documents: Mapping[int, str]) -> Iterator[list[int]]:
    """Resolutions, by number with their documents, in the batches in which they are taken back:
    never two of one document together, and of each document the newest first."""
    of_documents: defaultdict[str, list[int]] = defaultdict(list)
    for number, document in documents.items():
        of_documents[document].append(number)
    turn = [sorted(numbers) for numbers in of_documents.values()]
    while turn:
        for start in range(0, len(turn), BATCH_ORDERS):
            yield [numbers.pop() for numbers in turn[start : start + BATCH_ORDERS]]
        turn = [numbers for numbers in turn if numbers]


def undo_batch(
    site: Site,
    numbers: Sequence[int],
    how: How = "restore",
    *,
    by: str,
    policy_of: PolicyOf,
    preview: bool = False,
) -> Iterator[tuple[int, Undone | CouchmendError]]:
    """Take resolutions back together, never two of one document; each with what came of it, or
    why it cannot be taken back, as it comes.

    how: `restore` puts the body of the winner from before over what was written; `reopen` also
        brings the versions back that were deleted, and with them the conflict.
    policy_of: for a three-way merge where a document was edited since.
    preview: only say what would be done.

    Raises:
        EngineRefused: nothing may be written; of what was not told, nothing was begun.
        JournalError: the journal cannot be used.  What was begun is recovered later.
    """
    problems: dict[int, CouchmendError] = {}
    with site.journal.read() as tx:
        known = resolutions.get_many(tx, numbers)
    for number in numbers:
        try:
            _hold(site, number, known.get(number))
        except CouchmendError as problem:
            problems[number] = problem
    yield from problems.items()
    for some in _bounded(known[number] for number in numbers if number not in problems):
        yield from _undo_some(site, some, how, by, policy_of, preview=preview)


def _bounded(many: Iterable[Kept]) -> Iterator[list[Kept]]:
    """As many together as may be held at once."""
    some: list[Kept] = []
    total = 0
    for one in many:
        size = len(dumps(one.plan or {})) * (2 + len(one.tombstones))
        if some and total + size > _BATCH_BYTES:
            yield some
            some, total = [], 0
        some.append(one)
        total += size
    if some:
        yield some


def _hold(site: Site, number: int, taken: Kept | None) -> None:
    """Hold that a resolution can be taken back."""
    if taken is None:
        raise resolutions.unknown(number)

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


@dataclass(frozen=True, slots=True)
class _Planned:
    undone: Undone
    what: Change | Order


def _undo_some(
    site: Site,
    some: Sequence[Kept],
    how: How,
    by: str,
    policy_of: PolicyOf,
    *,
    preview: bool,
) -> Iterator[tuple[int, Undone | CouchmendError]]:
    planned: list[_Planned] = []
    for one, found in _plans(site, some, how, by, policy_of):
        if isinstance(found, CouchmendError):
            yield one.id, found
        elif preview:
            yield one.id, found.undone
        elif (problem := _nothing(found.undone)) is not None:
            yield one.id, problem
        else:
            planned.append(found)
    changes = [(one.undone, one.what) for one in planned if isinstance(one.what, Change)]
    if changes:
        came = carry_writes(site, [change for _, change in changes], by)
        for (undone, _), (number, outcome) in zip(changes, came, strict=True):
            yield undone.resolution.id, replace(undone, number=number, outcome=outcome)
    orders = [(one.undone, one.what) for one in planned if isinstance(one.what, Order)]
    for (undone, _), again in zip(
        orders, carry_out(site, [order for _, order in orders]), strict=True
    ):
        yield undone.resolution.id, replace(undone, number=again.resolution, outcome=again)


def _nothing(undone: Undone) -> EngineRefused | None:
    made = undone.plan
    if not isinstance(made, UndoPlan) or made.writes or made.unacknowledge:
        return None
    return EngineRefused(
        "there is nothing to take back: the document says what it said before",
        operation="undo",
        target=f"resolution {undone.resolution.id}",
        hint="--reopen brings the versions back that were deleted",
    )


# --- planning


def _plans(
    site: Site, some: Sequence[Kept], how: How, by: str, policy_of: PolicyOf
) -> Iterator[tuple[Kept, _Planned | CouchmendError]]:
    """What taking each back would do, or why it cannot be taken back."""
    with site.journal.read() as tx:
        kept = archive.kept(tx, site.database.id, [one.document for one in some])
    documents = _read(site, some, kept)
    again: list[tuple[Kept, ConflictedDocument]] = []
    for one in some:
        now = documents[one.id]
        if isinstance(now, CouchmendError):
            yield one, now
        elif was_reopened(one):
            again.append((one, now))
        else:
            bodies = _bodies(kept.get(one.document, {}))
            try:
                yield one, _planned(one, now, bodies, how, policy_of)
            except CouchmendError as problem:
                yield one, problem
    for one, order in orders_again(site, again, policy_of, by):
        if isinstance(order, Order):
            undone = Undone(resolution=one, how="restore", plan=order.plan)
            yield one, _Planned(undone, order)
        else:
            yield one, order


def _planned(
    taken: Kept,
    now: ConflictedDocument,
    bodies: Mapping[Rev, Doc],
    how: How,
    policy_of: PolicyOf,
) -> _Planned:
    made = undo_plan(_resolution(taken, now, bodies), now, policy_of(now), how)
    change = Change(
        made=made,
        now=now,
        bodies={**bodies, **now.bodies},
        conflict=taken.conflict,
        undo_of=taken.id,
    )
    return _Planned(Undone(resolution=taken, how=how, plan=made), change)


def _bodies(kept: Mapping[Rev, archive.Archived]) -> dict[Rev, Doc]:
    return {rev: one.body for rev, one in kept.items() if one.body is not None}


def _read(
    site: Site, some: Sequence[Kept], kept: Mapping[str, Mapping[Rev, archive.Archived]]
) -> dict[int, ConflictedDocument | CouchmendError]:
    """The documents as they are now, by resolution; of those that cannot be read, why."""
    try:
        found = present_each(
            site.replica, {one.document: len(kept.get(one.document, {})) for one in some}
        )
    except ReplicaError as problem:
        return dict.fromkeys((one.id for one in some), problem)
    documents: dict[int, ConflictedDocument | CouchmendError] = {}
    for one in some:
        id, now = one.document, found[one.document]
        if isinstance(now, CouchmendError):
            documents[one.id] = now
        elif now is NOTHING:
            documents[one.id] = PlanError("the document is not there any more", target=id)
        else:
            known = _bodies(kept.get(id, {}))
            inner = {rev: body for rev, body in known.items() if rev in now.tree}
            bodies = {**inner, **now.bodies}
            documents[one.id] = ConflictedDocument(site.database.name, id, now.tree, bodies)
    return documents


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
