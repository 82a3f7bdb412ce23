"""Plans carried out on a replica, as an engine does it, but for its care."""

from __future__ import annotations

import base64
from collections.abc import Sequence

from couchmend.core.conflicts.document import ConflictedDocument
from couchmend.core.document import Doc
from couchmend.core.merging.attachments import version_body
from couchmend.core.plans.planned import Plan
from couchmend.core.plans.undo import Resolution, UndoPlan
from couchmend.core.plans.writes import Write
from couchmend.core.revtree import Rev, RevTree
from couchmend.replica.base import Found, Replica, Written

ID = "doc"


def read(replica: Replica) -> ConflictedDocument:
    """The document with all that is known of it."""
    leaves = [one.doc for one in replica.open_revs(ID, revs=True) if isinstance(one, Found)]
    chains, inner = [], set[Rev]()
    for doc in leaves:
        start, ids = doc["_revisions"]["start"], doc["_revisions"]["ids"]
        chain = [Rev(start - place, hash) for place, hash in enumerate(ids)]
        chains.append((chain, bool(doc.get("_deleted"))))
        inner |= set(chain[1:])
    tree = RevTree.of(chains)
    docs = list(leaves)
    if inner:
        asked = replica.open_revs(ID, [str(rev) for rev in sorted(inner)])
        docs += [one.doc for one in asked if isinstance(one, Found)]
    bodies: dict[Rev, Doc] = {}
    for doc in docs:
        rev = Rev.parse(doc["_rev"])
        if doc.get("_deleted") and not tree.is_leaf(rev):
            tree.insert(tree.chain(rev), deleted=True)
        bodies[rev] = version_body(doc)
    return ConflictedDocument("db", ID, tree, bodies)


def live(replica: Replica) -> list[Rev]:
    """The live leaves, the winner first."""
    return [leaf.rev for leaf in read(replica).tree.leaves() if not leaf.deleted]


def carry_out(replica: Replica, plan: Plan) -> Resolution:
    """Write, then tombstone; each revision is the one that was expected."""
    before = read(replica)
    assert plan.ready, plan.sentence
    bodies = {rev: before.bodies[rev] for rev in (*before.live,)}
    if plan.write is not None:
        _put(replica, plan.write)
    for tombstone in plan.tombstones:
        (row,) = replica.bulk_docs([tombstone.document(ID)])
        assert row == Written(ID, str(tombstone.expected))
    return Resolution.as_expected(plan, bodies)


def undo(replica: Replica, plan: UndoPlan) -> None:
    """Write one after another; each revision is the one that was expected."""
    for write in plan.writes:
        _put(replica, write)


def _put(replica: Replica, write: Write) -> None:
    doc = write.document(ID)
    for one in write.attachments:
        if one.carried:
            content = replica.attachment(ID, one.source_name, rev=str(one.source)).read()
            doc["_attachments"][one.name]["data"] = base64.b64encode(content).decode()
    if write.as_replicated:
        assert replica.bulk_docs([doc], new_edits=False) == []
    else:
        assert replica.put(doc) == str(write.expected)


def fork(replica: Replica, base: Doc, *sides: Doc) -> list[Rev]:
    """A document that several devices edited; the leaves in winner order."""
    replica.put({"_id": ID, **base})
    for side in sides:
        add_branch(replica, side)
    return live(replica)


def add_branch(replica: Replica, body: Doc, chain: Sequence[Rev] = ()) -> Rev:
    """A revision that replication brings, over the first one."""
    first = read(replica).tree.chain(live(replica)[0])[-1] if not chain else chain[0]
    number = len(read(replica).tree)
    rev = Rev(first.generation + 1, f"{(number * 7919) % 16:x}{number:031x}")
    doc = {"_id": ID, "_rev": str(rev), **body}
    doc["_revisions"] = {"start": rev.generation, "ids": [rev.hash, first.hash]}
    assert replica.bulk_docs([doc], new_edits=False) == []
    return rev
