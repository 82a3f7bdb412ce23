"""Reads documents that may be in conflict: their leaves with their histories, then the ancestors
that are needed, in batches that are bounded by count and by size."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from itertools import islice
from typing import Final, TypeAlias

from couchmend.core.chain import chain_of
from couchmend.core.conflicts.deletions import concurrent_deletions
from couchmend.core.conflicts.document import ConflictedDocument
from couchmend.core.conflicts.needed import MOST, needed_ancestors, older_ancestors
from couchmend.core.document import Doc, dumps
from couchmend.core.merging.attachments import version_body
from couchmend.core.revtree import Rev, RevTree
from couchmend.errors import CouchmendError, DatabaseNotFound, NotFound, ReplicaError
from couchmend.replica.base import ChangeRow, Found, Missing, Replica

MOST_LEAVES_IN_BULK: Final = 100
"""Of one document: bulk reads of CouchDB take time that grows with the square of the leaves."""
FIRST_BATCH: Final = 4
MOST_DOCUMENTS: Final = 500
BATCH_BYTES: Final = 8 << 20
_ROUNDS: Final = 4


@dataclass(frozen=True, slots=True)
class Known:
    """What is remembered of a document.

    acknowledged: tombstones that somebody has acknowledged.
    recorded: our own merges; see `ConflictedDocument`.
    bodies: of revisions, as `version_body` gives them.
    tombstones: revisions of which it is known that they are.
    """

    acknowledged: frozenset[Rev] = frozenset()
    recorded: Mapping[Rev, frozenset[Rev]] = field(default_factory=dict)
    bodies: Mapping[Rev, Doc] = field(default_factory=dict)
    tombstones: frozenset[Rev] = frozenset()


NOTHING: Final = Known()
Lookup: TypeAlias = Callable[[Sequence[str]], Mapping[str, Known]]
"""What is remembered of some documents, by id; those of which nothing is may be left out."""


@dataclass(frozen=True, slots=True)
class InConflict:
    """A document with several live leaves, or with one and deletions beside it.

    Whether it is in conflict under a policy `assess` says.  `bytes` is about how much JSON of
    it was read.
    """

    row: ChangeRow
    doc: ConflictedDocument
    bytes: int


@dataclass(frozen=True, slots=True)
class NotInConflict:
    """A document with at most one live leaf, and nothing that speaks against it.  What its
    ancestors say was not read."""

    row: ChangeRow
    doc: ConflictedDocument


@dataclass(frozen=True, slots=True)
class Vanished:
    """There is no such document any more."""

    row: ChangeRow


@dataclass(frozen=True, slots=True)
class Unread:
    """The database does not tell, or tells what makes no sense; nothing is known of it."""

    row: ChangeRow
    error: CouchmendError


Reading: TypeAlias = InConflict | NotInConflict | Vanished | Unread


def row_of(id: str, revs: Iterable[str] = ()) -> ChangeRow:
    """A row for a document that is to be read without one of the feed; `revs` are its leaves as
    far as they are known."""
    return ChangeRow(seq="", id=id, revs=tuple(revs), deleted=False)


class Reader:
    """Reads documents of one database.

    database: what the documents' `database` is to be.
    lookup: asked for each batch what is remembered of the documents that are in conflict;
        what it has is not read again.
    dead_branches: whether a policy counts possible deletions as conflicts.
    """

    def __init__(
        self,
        replica: Replica,
        database: str,
        lookup: Lookup | None = None,
        *,
        dead_branches: bool = False,
    ) -> None:
        self._replica = replica
        self._database = database
        self._lookup = lookup or (lambda ids: {})
        self._dead_branches = dead_branches
        self._at_once = FIRST_BATCH

    def documents(self, rows: Iterable[ChangeRow]) -> Generator[Reading, None, None]:
        """The documents of some rows, one each and in their order; never all are held.

        Close it when you leave before its end.

        Raises:
            ReplicaError: the database cannot be read; what has come is right.
        """
        rest = iter(rows)
        while batch := list(islice(rest, self._at_once)):
            part: list[_Document | Vanished | Unread] = []
            size = total = 0
            with closing(self._leaves(batch)) as leaves:
                for found in leaves:
                    part.append(found)
                    size += found.bytes if isinstance(found, _Document) else 0
                    if size >= BATCH_BYTES:
                        yield from self._told(part)
                        part, total, size = [], total + size, 0
            yield from self._told(part)
            self._adapt(len(batch), total + size)

    def _adapt(self, documents: int, bytes: int) -> None:
        """As many at once as are about as large as a batch may be, going by the last one."""
        fit = BATCH_BYTES * documents // max(1, bytes)
        self._at_once = max(1, min(fit, 4 * documents, MOST_DOCUMENTS))

    # --- leaves

    def _leaves(
        self, rows: Sequence[ChangeRow]
    ) -> Generator[_Document | Vanished | Unread, None, None]:
        few = [row for row in rows if len(row.revs) <= MOST_LEAVES_IN_BULK]
        with closing(self._replica.bulk_get([(row.id, None) for row in few], revs=True)) as bulk:
            for row in rows:
                if len(row.revs) > MOST_LEAVES_IN_BULK:
                    yield self._read(row, self._many_leaves(row))
                else:
                    yield self._read(row, next(bulk).outcomes)

    def _many_leaves(self, row: ChangeRow) -> Sequence[Found | Missing]:
        try:
            return self._replica.open_revs(row.id, revs=True)
        except DatabaseNotFound:
            raise
        except NotFound as problem:
            return (Missing(row.id, None, problem.error, problem.reason),)

    def _read(
        self, row: ChangeRow, outcomes: Sequence[Found | Missing]
    ) -> _Document | Vanished | Unread:
        found = _Document(row)
        try:
            for outcome in outcomes:
                match outcome:
                    case Found(doc):
                        found.add_leaf(doc)
                    case Missing(error="not_found", rev=None | "undefined"):
                        return Vanished(row)
                    case Missing(error="not_found", rev=str(rev)):
                        found.unreadable.append(Rev.parse(rev))
                    case Missing(error=error, reason=reason):
                        return Unread(row, ReplicaError(reason, error=error, target=row.id))
        except CouchmendError as problem:
            problem.target = problem.target or row.id
            return Unread(row, problem)
        found.finish()
        return found

    # --- ancestors

    def _told(self, part: Sequence[_Document | Vanished | Unread]) -> Iterator[Reading]:
        """What was read, with what is remembered and what the ancestors say."""
        read = [one for one in part if isinstance(one, _Document) and self._may_be(one)]
        known = self._lookup([one.row.id for one in read]) if read else {}
        for one in read:
            one.remember(known.get(one.row.id, NOTHING))
        self._read_ancestors(read)
        for item in part:
            if not isinstance(item, _Document):
                yield item
                continue
            doc = item.document(self._database)
            if self._is_conflict(item.tree):
                yield InConflict(item.row, doc, item.bytes)
            else:
                yield NotInConflict(item.row, doc)

    def _read_ancestors(self, documents: Sequence[_Document]) -> None:
        """In as few requests as it takes: what one body tells may make another wanted."""
        for _ in range(_ROUNDS):
            wanted: list[tuple[_Document, Rev]] = []
            for one in documents:
                wanted += [(one, rev) for rev in one.wanted(dead_branches=self._dead_branches)]
            if not wanted:
                return
            items = [(one.row.id, str(rev)) for one, rev in wanted]
            with closing(self._replica.bulk_get(items)) as rows:
                for (one, rev), row in zip(wanted, rows, strict=True):
                    one.add_ancestor(rev, row.outcomes)

    def _may_be(self, one: _Document) -> bool:
        """Whether it is in conflict as far as its leaves tell, or may be once its ancestors do."""
        if one.is_open or self._is_conflict(one.tree):
            return True
        return bool(needed_ancestors(one.tree, dead_branches=self._dead_branches, most=1))

    def _is_conflict(self, tree: RevTree) -> bool:
        leaves = tree.leaves()
        live = sum(not leaf.deleted for leaf in leaves)
        if live != 1:
            return live > 1
        return bool(concurrent_deletions(tree)) or (self._dead_branches and len(leaves) > 1)


class _Document:
    """A document while it is read."""

    def __init__(self, row: ChangeRow) -> None:
        self.row = row
        self.tree = RevTree()
        self.bodies: dict[Rev, Doc] = {}
        self.unreadable: list[Rev] = []
        self.bytes = 0
        self._known = NOTHING
        self._asked: set[Rev] = set()

    @property
    def is_open(self) -> bool:
        """Whether there are two or more live leaves."""
        return sum(not leaf.deleted for leaf in self.tree.leaves()) > 1

    def add_leaf(self, doc: Doc) -> None:
        """A leaf that was read; raises `DocumentInvalid`."""
        chain = list(chain_of(doc))
        self.tree.insert(chain, deleted=doc.get("_deleted") is True)
        self.bodies[chain[0]] = version_body(doc)
        self.bytes += len(dumps(doc))

    def finish(self) -> None:
        """All leaves have come.  Those that cannot be read are taken to be live: nobody can
        tell."""
        for rev in self.unreadable:
            if rev not in self.tree:
                self.tree.insert([rev])

    def remember(self, known: Known) -> None:
        """What is remembered, before anything is asked for."""
        self._known = known
        for rev in known.tombstones:
            if rev in self.tree and not self.tree.is_leaf(rev):
                self.tree.insert([rev], deleted=True)
        for rev, body in known.bodies.items():
            if rev in self.tree and not self.tree.is_leaf(rev):
                self.bodies[rev] = body

    def wanted(self, *, dead_branches: bool) -> list[Rev]:
        """The ancestors to be asked for next; none that was asked for, or is known."""
        told = self._asked | self.bodies.keys() | self._known.tombstones
        found = needed_ancestors(self.tree, dead_branches=dead_branches)
        if told.issuperset(found):
            found = older_ancestors(self.tree, self.bodies, told)
        left = [rev for rev in found if rev not in told][: MOST - len(self._asked)]
        self._asked.update(left)
        return left

    def add_ancestor(self, rev: Rev, outcomes: Sequence[Found | Missing]) -> None:
        """What came of asking for an ancestor; one that is not there is not."""
        for outcome in outcomes:
            if not isinstance(outcome, Found):
                continue
            try:
                body = version_body(outcome.doc)
            except CouchmendError:  # written by something older than the rules: as not known
                continue
            if outcome.doc.get("_deleted") is True and not self.tree.is_leaf(rev):
                self.tree.insert([rev], deleted=True)
            self.bodies[rev] = body
            self.bytes += len(dumps(outcome.doc))

    def document(self, database: str) -> ConflictedDocument:
        """The document as it is known in the end."""
        known = self._known
        return ConflictedDocument(
            database, self.row.id, self.tree, self.bodies, known.acknowledged, known.recorded
        )
