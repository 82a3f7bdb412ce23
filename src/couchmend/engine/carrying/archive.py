"""The first step: whatever a plan takes out of a database is kept before."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection

from couchmend.core.conflicts.document import ConflictedDocument
from couchmend.core.document import Doc
from couchmend.core.merging.attachments import MEMBER
from couchmend.core.plans.planned import Plan
from couchmend.core.plans.writes import PlanError, PlannedAttachment
from couchmend.core.revtree import Rev
from couchmend.engine.carrying.carried import Carried, Moved, Unavailable
from couchmend.engine.carrying.reading import close
from couchmend.engine.carrying.site import Order, Site
from couchmend.errors import DatabaseNotFound, NotFound, ReplicaError
from couchmend.errors import Unavailable as DatabaseUnavailable
from couchmend.journal import archive, outcomes, resolutions
from couchmend.journal.contents import Content, keep_content

_MD5 = "md5-"


@dataclass(slots=True)
class Fetched:
    """The contents of a document's attachments that are kept by now."""

    contents: dict[tuple[Rev, str], Content] = field(default_factory=dict)
    new: list[tuple[Rev, str, Doc]] = field(default_factory=list)
    """Those that are still to be attached, with their entries."""


def check(order: Order) -> None:
    """Hold that an order can be carried out without losing anything.

    Raises:
        PlanError: it cannot: the plan is not ready, or for another document, or a body that it
            takes away is not known.
    """
    plan, doc = order.plan, order.doc
    if not plan.ready:
        raise PlanError(f"the plan is not ready: {plan.sentence}", target=plan.id)
    if plan.id != doc.id:
        raise PlanError(f"the plan is for {plan.id}", target=doc.id)
    leaves = {leaf.rev for leaf in doc.tree.leaves() if not leaf.deleted}
    for rev in {plan.winner, *(tombstone.rev for tombstone in plan.tombstones)}:
        if rev not in leaves or rev not in doc.bodies:
            raise PlanError(
                f"{rev} is to be replaced, and is no live leaf that was read",
                target=doc.id,
                hint="read the document again",
            )


# --- attachments


def fetch(site: Site, order: Order) -> Fetched | Carried:
    """Keep the contents of the attachments that a plan takes away or carries; what else came of
    it where they cannot be had.

    Raises:
        JournalError: the journal cannot be written.
    """
    doc, plan = order.doc, order.plan
    wanted = list(dict.fromkeys(_needed(plan, doc)))
    if not wanted:
        return Fetched()
    return fetch_these(site, doc, wanted, order.conflict)


def fetch_these(
    site: Site,
    doc: ConflictedDocument,
    wanted: Iterable[tuple[Rev, str]],
    conflict: int | None,
    kept: Sequence[archive.KeptAttachment] | None = None,
) -> Fetched | Carried:
    """Keep the contents of some attachments; see `fetch`.

    kept: those whose contents are kept, where that was looked up already.
    """
    if kept is None:
        with site.journal.read() as tx:
            kept = archive.attachments(tx, site.database.id, doc.id)
    fetched = Fetched({(one.rev, one.name): one.content for one in kept})
    # Of a type that is kept compressed the digest is that of the compressed form, and so may be
    # that of something else, of another type.
    by_digest = {
        (one.content_type, one.server_digest): one.content
        for one in kept
        if _is_plain(one.server_digest)
    }
    for rev, name in wanted:
        if (rev, name) in fetched.contents:
            continue
        entry = doc.bodies[rev][MEMBER][name]
        called = (entry["content_type"], entry["digest"])
        content = by_digest.get(called)
        if content is None:
            try:
                content = _stream(site, doc.id, rev, name, entry["digest"])
            except DatabaseNotFound as problem:
                return _unavailable(doc.id, conflict, problem)
            except NotFound:
                why = f"the attachment {name} of {rev} is not there any more"
                return Moved(conflict=conflict, document=doc.id, resolution=None, why=why)
            except ReplicaError as problem:
                return _unavailable(doc.id, conflict, problem)
            if _is_plain(entry["digest"]):
                by_digest[called] = content
        fetched.contents[rev, name] = content
        fetched.new.append((rev, name, entry))
    return fetched


def _unavailable(id: str, conflict: int | None, problem: ReplicaError) -> Carried:
    return Unavailable(conflict=conflict, document=id, resolution=None, problem=problem)


def _is_plain(digest: str) -> bool:
    return digest.startswith(_MD5)


def _needed(plan: Plan, doc: ConflictedDocument) -> Iterator[tuple[Rev, str]]:
    """The attachments of what is deleted, those that are carried, and those that the winner has
    and the merge does not."""
    for tombstone in plan.tombstones:
        for name in doc.bodies[tombstone.rev].get(MEMBER, {}):
            yield tombstone.rev, name
    if plan.write is None:
        return
    staying = {one.name for one in plan.write.attachments if not one.carried}
    for name in doc.bodies[plan.winner].get(MEMBER, {}):
        if name not in staying:
            yield plan.winner, name
    yield from sources(plan.write.attachments)


def sources(attachments: Iterable[PlannedAttachment]) -> Iterator[tuple[Rev, str]]:
    """Where the contents of carried attachments are."""
    return ((one.source, one.source_name) for one in attachments if one.carried)


def _stream(site: Site, id: str, rev: Rev, name: str, digest: str) -> Content:
    found = site.replica.attachment(id, name, rev=str(rev))
    try:
        if found.digest != digest:
            raise _changed(f"{id}/{name}", f"has the digest {found.digest} and not {digest}")
        content = keep_content(site.journal, found.chunks)
    finally:
        close(found.chunks)
    if content.length != found.length:
        said = f"came as {content.length} bytes and has {found.length}"
        raise _changed(f"{id}/{name}", said)
    return content


def _changed(target: str, what: str) -> DatabaseUnavailable:
    return DatabaseUnavailable(
        f"the attachment {what}", operation="archive", target=target, transient=True
    )


# --- the transaction


def store(
    tx: Connection, site: Site, orders: Sequence[tuple[Order, Fetched]], now: int
) -> list[int]:
    """Keep the plans, the bodies and chains that they touch, and their bases; the numbers of the
    resolutions, in order."""
    database = site.database.id
    archive.keep(tx, database, {order.doc.id: touched(order.doc) for order, _ in orders}, now)
    for order, fetched in orders:
        attach(tx, site, order.doc.id, fetched)
    begun = [
        resolutions.Begun(
            conflict=order.conflict,
            database_id=database,
            document=order.doc.id,
            strategy=order.plan.strategy,
            by=order.by,
            plan=order.plan.to_json(),
            started_at=now,
            kind="resolve" if order.undo_of is None else "undo",
            undo_of=order.undo_of,
        )
        for order, _ in orders
    ]
    numbers = resolutions.begin(tx, begun)
    known = outcomes.standing(
        tx, [order.conflict for order, _ in orders if order.conflict is not None]
    )
    resolving = [outcomes.Change(number, "resolving") for number in known]
    outcomes.change_states(tx, known, resolving, now)
    return numbers


def attach(tx: Connection, site: Site, id: str, fetched: Fetched) -> None:
    """Say whose the contents are."""
    for rev, name, entry in fetched.new:
        archive.attach(
            tx,
            site.database.id,
            id,
            rev,
            name,
            entry["content_type"],
            entry["digest"],
            fetched.contents[rev, name],
        )


def touched(doc: ConflictedDocument) -> list[archive.Archived]:
    """The leaves, and whatever else is known of what the document said."""
    tree = doc.tree
    leaves = {leaf.rev: leaf.deleted for leaf in tree.leaves()}
    inner = (rev for rev in doc.bodies if rev in tree and rev not in leaves)
    return [
        archive.Archived(
            rev,
            tuple(tree.ancestry(rev)),
            leaves.get(rev, tree.is_deleted(rev)),
            doc.bodies.get(rev),
        )
        for rev in (*leaves, *inner)
    ]
