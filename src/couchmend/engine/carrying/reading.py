"""What there is of documents now: their leaves, and where need be their trees."""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass

from couchmend.core.chain import chain_of
from couchmend.core.document import Doc
from couchmend.core.merging.attachments import MEMBER, version_body
from couchmend.core.plans.writes import Write
from couchmend.core.revtree import Rev, RevTree
from couchmend.core.values import same
from couchmend.engine.carrying.work import Contents
from couchmend.engine.finding.reading import MOST_LEAVES_IN_BULK
from couchmend.errors import CouchmendError, DatabaseNotFound, NotFound, ReplicaError
from couchmend.replica.base import BulkGetRow, ChangesQuery, Found, Missing, Replica

_IDS_AT_ONCE = 100
"""CouchDB looks so few documents up by themselves, whatever its configuration."""


@dataclass(frozen=True, slots=True)
class Present:
    """A document as it is now.

    bodies: of the leaves that can be read.
    """

    tree: RevTree
    bodies: dict[Rev, Doc]

    @property
    def leaves(self) -> frozenset[Rev]:
        """All of them."""
        return frozenset(leaf.rev for leaf in self.tree.leaves())

    @property
    def live(self) -> tuple[Rev, ...]:
        """The live ones, in winner order; those that cannot be read are among them."""
        return tuple(leaf.rev for leaf in self.tree.leaves() if not leaf.deleted)

    @property
    def dead(self) -> frozenset[Rev]:
        """The tombstones."""
        return frozenset(leaf.rev for leaf in self.tree.leaves() if leaf.deleted)

    def live_from(self, rev: Rev) -> Rev | None:
        """The best live leaf that is a revision, or descends from it."""
        if rev not in self.tree:
            return None
        return next((leaf for leaf in self.live if rev in self.tree.ancestry(leaf)), None)

    def children(self, rev: Rev) -> list[Rev]:
        """The revisions that extend one."""
        found = dict.fromkeys(
            step
            for leaf in self.tree.leaves()
            for step in self.tree.ancestry(leaf.rev)
            if self.tree.parent(step) == rev
        )
        return list(found)


NOTHING = Present(RevTree(), {})
"""A document that is not there."""


def leaves_now(replica: Replica, ids: Iterable[str]) -> dict[str, frozenset[Rev]]:
    """The leaves of documents, those included that cannot be read; a document that is not there
    is left out."""
    wanted = list(dict.fromkeys(ids))
    found: dict[str, frozenset[Rev]] = {}
    for start in range(0, len(wanted), _IDS_AT_ONCE):
        query = ChangesQuery(style="all_docs", doc_ids=wanted[start : start + _IDS_AT_ONCE])
        for row in replica.changes(query).rows:
            found[row.id] = frozenset(map(Rev.parse, row.revs))
    return found


def present(replica: Replica, id: str) -> Present:
    """A document as it is now; `NOTHING` where it is not there."""
    try:
        outcomes = replica.open_revs(id, revs=True)
    except DatabaseNotFound:
        raise
    except NotFound:
        return NOTHING
    return _from_outcomes(outcomes)


def _from_outcomes(outcomes: Iterable[Found | Missing]) -> Present:
    tree, bodies = RevTree(), dict[Rev, Doc]()
    unreadable = []
    for outcome in outcomes:
        match outcome:
            case Found(doc=doc):
                rev = Rev.parse(doc["_rev"])
                # Hashes as they are compared: a server may write them in upper case.
                chain = [Rev.parse(str(one)) for one in chain_of(doc)]
                tree.insert(chain, deleted=doc.get("_deleted") is True)
                bodies[rev] = version_body(doc)
            case Missing(rev=str(text)):
                unreadable.append(Rev.parse(text))
    for rev in unreadable:
        if rev not in tree:
            tree.insert([rev])
    return Present(tree, bodies)


def present_each(
    replica: Replica, leaves: Mapping[str, int]
) -> dict[str, Present | CouchmendError]:
    """Documents as they are now, read together; of one that cannot be read, why.

    leaves: how many each has, as far as it is known: those with many are read by themselves.

    Raises:
        ReplicaError: the database cannot be read.
    """
    found: dict[str, Present | CouchmendError] = {}
    few = [id for id, number in leaves.items() if number <= MOST_LEAVES_IN_BULK]
    with closing(replica.bulk_get([(id, None) for id in few], revs=True)) as rows:
        for id, row in zip(few, rows, strict=True):
            try:
                found[id] = _from_row(row)
            except CouchmendError as problem:
                problem.target = problem.target or id
                found[id] = problem
    for id in leaves:
        if not isinstance(found.get(id), Present):
            try:
                found[id] = present(replica, id)
            except DatabaseNotFound:
                raise
            except CouchmendError as problem:
                problem.target = problem.target or id
                found[id] = problem
    return found


def _from_row(row: BulkGetRow) -> Present:
    for outcome in row.outcomes:
        match outcome:
            case Missing(error="not_found", rev=None | "undefined"):
                return NOTHING
            case Missing(error=error, reason=reason) if error != "not_found":
                raise ReplicaError(reason, error=error, target=row.id)
    return _from_outcomes(row.outcomes)


def merge_in(
    replica: Replica, id: str, write: Write, now: Present, contents: Contents
) -> Rev | None:
    """The revision that a write became, if it is there.

    A server that hashes as CouchDB does has it under the expected name; else it is a revision
    with the same parent that says the same.
    """
    if write.expected in now.tree:
        return write.expected
    for rev in now.children(write.parent):
        if not now.tree.is_deleted(rev) and _says_the_same(replica, id, write, rev, now, contents):
            return rev
    return None


def _says_the_same(
    replica: Replica, id: str, write: Write, rev: Rev, now: Present, contents: Contents
) -> bool:
    body = now.bodies.get(rev)
    if body is None:
        try:
            body = version_body(replica.get(id, rev=str(rev)))
        except DatabaseNotFound:
            raise
        except NotFound:
            return False
    files, wanted = body.get(MEMBER, {}), write.body.get(MEMBER, {})
    fields = {name: value for name, value in body.items() if name != MEMBER}
    if not same(fields, write.fields) or list(files) != list(wanted):
        return False
    if same(files, wanted):
        return True
    # Content that is sent may be named otherwise where it is kept compressed.
    by_name = {one.name: one for one in write.attachments}
    for name, entry in files.items():
        one = by_name[name]
        if entry["content_type"] != one.content_type:
            return False
        if entry["digest"] == one.digest:
            continue
        content = contents.get((one.source, one.source_name))
        if not one.carried or content is None:
            return False
        if _sha256(replica, id, name, rev) != content.digest:
            return False
    return True


def _sha256(replica: Replica, id: str, name: str, rev: Rev) -> str:
    found = replica.attachment(id, name, rev=str(rev))
    digest = hashlib.sha256()
    try:
        for chunk in found.chunks:
            digest.update(chunk)
    finally:
        close(found.chunks)
    return digest.hexdigest()


def close(chunks: Iterable[bytes]) -> None:
    """Let go of content that was not read to its end."""
    if isinstance(chunks, Generator):
        chunks.close()
