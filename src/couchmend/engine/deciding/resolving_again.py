"""Taking a reopening back: the conflict is resolved once more, as it was resolved before."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

from couchmend.core.conflicts.document import ConflictedDocument
from couchmend.core.merging.attachments import MEMBER
from couchmend.core.plans.plan import plan
from couchmend.core.plans.planned import Plan
from couchmend.core.plans.undo import UndoPlan
from couchmend.core.policy.policy import Policy
from couchmend.engine.carrying.archive import check
from couchmend.engine.carrying.site import Order, Site
from couchmend.errors import CouchmendError, EngineRefused, UsageError
from couchmend.journal import outcomes, resolutions
from couchmend.journal.resolutions import Resolution

PolicyOf: TypeAlias = Callable[[ConflictedDocument], Policy]
"""The policy that holds for a document as it is now."""


def was_reopened(taken: Resolution) -> bool:
    """Whether it is an undo that brought a conflict back."""
    return taken.kind == "undo" and taken.strategy == "reopen" and "how" in (taken.plan or {})


def orders_again(
    site: Site,
    reopened: Sequence[tuple[Resolution, ConflictedDocument]],
    policy_of: PolicyOf,
    by: str,
) -> Iterator[tuple[Resolution, Order | CouchmendError]]:
    """What resolves conflicts once more that were reopened, or why it cannot be.

    reopened: with their documents as they are now.
    """
    if not reopened:
        return
    with site.journal.read() as tx:
        before = resolutions.get_many(
            tx, [one.undo_of for one, _ in reopened if one.undo_of is not None]
        )
        known = outcomes.standing(
            tx, [one.conflict for one, _ in reopened if one.conflict is not None]
        )
    for taken, now in reopened:
        conflict = None if taken.conflict is None else known.get(taken.conflict)
        try:
            again = _plan(taken, before.get(taken.undo_of or 0), now, policy_of)
            order = Order(
                conflict=taken.conflict,
                doc=now,
                plan=again,
                type="" if conflict is None else conflict.type,
                severity="" if conflict is None else conflict.severity,
                by=by,
                undo_of=taken.id,
            )
            check(order)
        except CouchmendError as problem:
            yield taken, problem
        else:
            yield taken, order


def _plan(
    taken: Resolution,
    before: Resolution | None,
    now: ConflictedDocument,
    policy_of: PolicyOf,
) -> Plan:
    if before is None:
        raise UsageError(f"what {taken.id} took back is not known any more", operation="undo")
    made = UndoPlan.from_json(taken.plan)
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
    done, policy = Plan.from_json(before.plan), policy_of(now)
    if done.deletes:
        return plan(now, "delete", policy)
    write = done.write
    body = now.bodies.get(done.winner, {}) if write is None else write.body
    return plan(now, "manual", policy, body={MEMBER: {}, **body})
