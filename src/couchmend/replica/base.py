"""The replica protocol: what couchmend asks of a database, whatever keeps it.

A replica speaks CouchDB's language in Python values: documents are dicts with `_id` and
`_rev`, revisions are strings such as `"3-9f…"`, sequences are opaque strings.  Answers with
a closed set of outcomes are frozen dataclasses.  One contract suite (`tests/contract`)
holds every implementation to this page; the words are those of
https://docs.couchdb.org/en/stable/api/.

Every method may raise `Unavailable` (the database cannot be reached or read) and, where
there are users, `Unauthorized` and `Forbidden`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Literal, Self, TypeAlias, TypedDict, TypeVar, Unpack

from couchmend.core.document import JSON, Doc
from couchmend.errors import ReplicaError, error_for_status

T = TypeVar("T")
Rows: TypeAlias = Generator[T, None, None]
"""What comes while it is consumed.  Close it when you leave before its end."""

Style = Literal["main_only", "all_docs"]


class Include(TypedDict, total=False):
    """What a read adds to each document; everything is off unless named.

    revs: `_revisions`, the chain of the revision, newest first.
    revs_info: `_revs_info`, the chain with `available` / `missing` / `deleted` for each.
    conflicts: `_conflicts`, the live leaves that did not win, best first; only on winners.
    deleted_conflicts: `_deleted_conflicts`, the leaves that are tombstones; only on winners.
    local_seq: `_local_seq`.
    attachments: attachments inline, as base64 text in `data`, instead of stubs.
    atts_since: inline only the attachments newer than the newest of these revisions
        that the document's chain contains.
    att_encoding_info: `encoding` and `encoded_length` of attachments stored compressed.
    """

    revs: bool
    revs_info: bool
    conflicts: bool
    deleted_conflicts: bool
    local_seq: bool
    attachments: bool
    atts_since: Sequence[str]
    att_encoding_info: bool


@dataclass(frozen=True, slots=True)
class Sizes:
    """Bytes: `file` on disk, `active` of it in use, `external` of documents uncompressed."""

    file: int
    active: int
    external: int


@dataclass(frozen=True, slots=True)
class DatabaseInfo:
    """What `GET /db` tells.  `notices` are sentences an operator should read."""

    name: str
    documents: int
    deleted_documents: int
    update_seq: str
    purge_seq: str
    sizes: Sizes
    compact_running: bool
    instance_start_time: str = "0"
    notices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Found:
    """A revision with its body."""

    doc: Doc


@dataclass(frozen=True, slots=True)
class Missing:
    """A revision or document that is not there, or whose body is not.

    `rev` is the revision asked for, or None when none was; `error` and `reason` are
    CouchDB's (`not_found` / `missing`, `bad_request` / `Invalid rev format`).
    """

    id: str
    rev: str | None
    error: str = "not_found"
    reason: str = "missing"


@dataclass(frozen=True, slots=True)
class BulkGetRow:
    """One item of a bulk read: `outcomes` has one entry for a revision, one a leaf for none."""

    id: str
    outcomes: tuple[Found | Missing, ...]


@dataclass(frozen=True, slots=True)
class Written:
    """A document that is stored.  `accepted` tells that a cluster's quorum was missed (202)."""

    id: str
    rev: str
    accepted: bool = False


@dataclass(frozen=True, slots=True)
class Refused:
    """A document of a bulk write that was not stored, with CouchDB's `error` and `reason`."""

    id: str
    rev: str | None
    error: str
    reason: str


@dataclass(frozen=True, slots=True)
class ChangeRow:
    """A document that changed: its winner's revision, or with `all_docs` all leaf revisions,
    winner first, then in winner order.  `deleted` is the winner's."""

    seq: str
    id: str
    revs: tuple[str, ...]
    deleted: bool
    doc: Doc | None = None

    def as_json(self) -> Doc:
        """The row as CouchDB's feed shows it."""
        shown: Doc = {"seq": self.seq, "id": self.id, "changes": [{"rev": r} for r in self.revs]}
        if self.deleted:
            shown["deleted"] = True
        if self.doc is not None:
            shown["doc"] = self.doc
        return shown


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """Nothing changed for a heartbeat's time; the feed is alive."""


@dataclass(frozen=True, slots=True)
class ChangesPage:
    """Rows in order of `seq`; `last_seq` continues the feed; `pending` rows lie beyond."""

    rows: tuple[ChangeRow, ...]
    last_seq: str
    pending: int


@dataclass(frozen=True, slots=True)
class AllDocsRow:
    """A row of `_all_docs`.  `id` is None and `error` set for a key that names no document;
    a key that names a deleted one has `deleted` and no `doc`."""

    key: str
    id: str | None
    rev: str | None
    deleted: bool = False
    doc: Doc | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class AllDocsPage:
    """Rows in the order of ids as UTF-8 bytes; `offset` counts the documents before them."""

    rows: tuple[AllDocsRow, ...]
    total_rows: int
    offset: int


@dataclass(frozen=True, slots=True)
class RevsDiff:
    """The revisions of one document that the replica lacks, and leaves that may precede them."""

    missing: tuple[str, ...]
    possible_ancestors: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Attachment:
    """An attachment's bytes as chunks, read once.  `digest` is `md5-<base64>` of the bytes as
    this server keeps them; `length` is of the bytes in `chunks`."""

    content_type: str
    digest: str
    length: int
    chunks: Iterable[bytes]

    def read(self) -> bytes:
        """All of it."""
        return b"".join(self.chunks)


@dataclass(frozen=True, slots=True)
class Query:
    """A Mango query (https://docs.couchdb.org/en/stable/api/database/find.html)."""

    selector: Mapping[str, JSON]
    fields: Sequence[str] | None = None
    sort: Sequence[str | Mapping[str, str]] = ()
    limit: int = 25
    skip: int = 0
    bookmark: str | None = None
    use_index: str | Sequence[str] | None = None
    conflicts: bool = False
    execution_stats: bool = False
    allow_fallback: bool = True


@dataclass(frozen=True, slots=True)
class FoundPage:
    """One page of a query's answer; `bookmark` continues it, `"nil"` when it is empty."""

    docs: tuple[Doc, ...]
    bookmark: str
    warning: str | None = None
    execution_stats: Mapping[str, JSON] | None = None


@dataclass(frozen=True, slots=True)
class Index:
    """A Mango index.  `ddoc` is None for the built-in one over `_id`."""

    ddoc: str | None
    name: str
    type: str
    fields: tuple[tuple[str, str], ...]
    partial_filter_selector: Mapping[str, JSON] | None = None

    def as_json(self) -> Doc:
        """The index as CouchDB lists it."""
        shown: Doc = {"ddoc": self.ddoc, "name": self.name, "type": self.type}
        if self.type != "special":
            shown["partitioned"] = False
        shown["def"] = {"fields": [{name: order} for name, order in self.fields]}
        if self.partial_filter_selector:
            shown["def"]["partial_filter_selector"] = self.partial_filter_selector
        return shown


@dataclass(frozen=True, slots=True)
class ChangesQuery:
    """Which changes: after `since` (a sequence, `"0"` or `"now"`), at most `limit` rows, only
    the documents of `doc_ids` or that match `selector`.

    `descending` has the newest first and, as CouchDB, disregards `since`; there, `before`
    limits the rows to those older than a sequence, for the next page.  `pending=False`
    spares counting what lies beyond the page, whose `pending` is then 0.
    """

    since: str = "0"
    limit: int | None = None
    descending: bool = False
    before: str | None = None
    pending: bool = True
    style: Style = "main_only"
    doc_ids: Sequence[str] | None = None
    selector: Mapping[str, JSON] | None = None
    include_docs: bool = False
    include: Include = field(default_factory=lambda: Include())


@dataclass(frozen=True, slots=True)
class AllDocsQuery:
    """Which documents: the ids from `startkey` to `endkey`, or exactly `keys`, in that order.

    `descending` turns the order and the meaning of start and end round.  `design` limits to
    design documents (True) or leaves them out (False).  `offset=False` spares counting the
    documents before the page, as pages after the first one do.
    """

    startkey: str | None = None
    endkey: str | None = None
    inclusive_end: bool = True
    keys: Sequence[str] | None = None
    descending: bool = False
    limit: int | None = None
    skip: int = 0
    include_docs: bool = False
    design: bool | None = None
    offset: bool = True
    include: Include = field(default_factory=lambda: Include())


AttachmentData = str | bytes | Iterable[bytes]
"""An attachment's content: base64 text as in JSON, the bytes, or chunks that are read once."""


class Replica(ABC):
    """One database.  Usable from several threads at once; close it, or use it in a `with`."""

    name: str
    """What the database is called where it lives."""
    url: str
    """Where it lives, without credentials."""

    # --- about the database

    @abstractmethod
    def info(self) -> DatabaseInfo:
        """Counts, sizes and sequences."""

    @abstractmethod
    def security(self) -> Doc:
        """The security object."""

    @abstractmethod
    def set_security(self, security: Mapping[str, JSON]) -> None:
        """Replace the security object."""

    @abstractmethod
    def revs_limit(self) -> int:
        """How many revisions of each branch are remembered."""

    @abstractmethod
    def set_revs_limit(self, limit: int) -> None:
        """Set it, to at least 1.  Lowering it can make conflicts out of linear histories
        when documents replicate (apache/couchdb#1994)."""

    @abstractmethod
    def compact(self) -> None:
        """Drop the bodies of revisions that are no leaves, and free the space.

        Returns when a CouchDB has accepted it (`info().compact_running` tells the rest), or
        when an embedded replica has done it.
        """

    @abstractmethod
    def purge(self, revs: Mapping[str, Sequence[str]]) -> dict[str, tuple[str, ...]]:
        """Forget leaves as if they had never been; returns those that were there, by id.
        A purge does not replicate."""

    @abstractmethod
    def close(self) -> None:
        """Release what the replica holds; it cannot be used afterwards."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    # --- reading documents

    @abstractmethod
    def get(
        self, id: str, *, rev: str | None = None, latest: bool = False, **include: Unpack[Include]
    ) -> Doc:
        """The winner, or revision `rev` (with `latest`, the best leaf that descends from it).

        Raises:
            NotFound: `reason` is `missing`, or `deleted` when the winner is a tombstone and
                no revision was asked for.
            BadRequest: `rev` is no revision.
        """

    @abstractmethod
    def open_revs(
        self,
        id: str,
        wanted: Sequence[str] | None = None,
        *,
        latest: bool = False,
        **include: Unpack[Include],
    ) -> list[Found | Missing]:
        """All leaves, tombstones included, or the named revisions (with `latest`, the leaves
        that descend from them).

        Raises:
            NotFound: all leaves of a document that does not exist.
        """

    @abstractmethod
    def bulk_get(
        self,
        wanted: Iterable[tuple[str, str | None]],
        *,
        latest: bool = False,
        **include: Unpack[Include],
    ) -> Rows[BulkGetRow]:
        """Many `(id, rev)` at once, one row each, in their order; without `rev` all leaves.

        Rows are read while they are consumed, not all from one moment, and never all held.
        """

    @abstractmethod
    def all_docs(self, query: AllDocsQuery | None = None) -> AllDocsPage:
        """Documents by id; deleted ones appear only for keys that name them."""

    @abstractmethod
    def changes(self, query: ChangesQuery | None = None) -> ChangesPage:
        """Documents by their last change, one page.

        Raises:
            BadRequest: `since` is no sequence of this database.
        """

    def change_pages(self, query: ChangesQuery, rows: int = 1000) -> Rows[ChangesPage]:
        """All changes that `query` asks for, in pages of at most `rows`, never all held.

        At least one page comes.  `pending` counts what lies beyond a page where that is known
        while reading, and is 0 elsewhere; the last page's `last_seq` is where the feed ended.
        """
        left = query.limit
        while True:
            size = rows if left is None else min(rows, left)
            page = self.changes(replace(query, limit=size))
            yield page
            left = None if left is None else left - len(page.rows)
            if len(page.rows) < size or left == 0:
                return
            query = replace(query, since=page.last_seq)

    @abstractmethod
    def follow(
        self,
        query: ChangesQuery | None = None,
        *,
        heartbeat_seconds: float = 60.0,
        timeout_seconds: float | None = None,
    ) -> Rows[ChangeRow | Heartbeat]:
        """Changes as they happen.  Ends after `timeout_seconds` without one, or never;
        yields a `Heartbeat` whenever `heartbeat_seconds` pass in silence."""

    @abstractmethod
    def revs_diff(self, revs: Mapping[str, Sequence[str]]) -> dict[str, RevsDiff]:
        """Which of these revisions are not known here; ids that lack nothing are left out."""

    # --- writing documents

    @abstractmethod
    def bulk_docs(
        self, docs: Sequence[Mapping[str, JSON]], *, new_edits: bool = True
    ) -> list[Written | Refused]:
        """Write many documents.  This is not a transaction: look at every row.

        With `new_edits`, each document extends the leaf that its `_rev` names, or is new;
        one row comes back for each, in their order.  Without, each is stored under its own
        `_rev`, with the ancestors that `_revisions` lists, as replication does; only refused
        rows come back.  `_attachments` may hold `AttachmentData` in `data`; chunks are held to
        the `length` that stands beside them.

        Raises:
            BadRequest: something that refuses the whole batch, with nothing stored: an
                illegal id, an unknown `_member`, a malformed `_rev`.
            TooLarge: a document or attachment over the limits; likewise.
            PreconditionFailed: a stub that resolves to no attachment of the revision that is
                extended; likewise.
        """

    def put(self, doc: Mapping[str, JSON], *, new_edits: bool = True) -> str:
        """Write one document; returns its revision.

        Raises:
            Conflict: `_rev` is no leaf, or missing for a document that exists.
            Forbidden: a validation function refused it.
        """
        for row in self.bulk_docs([doc], new_edits=new_edits):
            match row:
                case Written(rev=rev):
                    return rev
                case Refused():
                    raise error_of(row)
        return str(doc["_rev"])

    def delete(self, id: str, rev: str) -> str:
        """Write a tombstone over leaf `rev`; returns the tombstone's revision."""
        return self.put({"_id": id, "_rev": rev, "_deleted": True})

    # --- attachments

    @abstractmethod
    def attachment(self, id: str, name: str, *, rev: str | None = None) -> Attachment:
        """An attachment of the winner or of `rev`.

        Raises:
            NotFound: no such document, revision or attachment.
        """

    @abstractmethod
    def put_attachment(
        self, id: str, name: str, data: AttachmentData, content_type: str, *, rev: str | None = None
    ) -> str:
        """Add or replace one attachment as a new revision over leaf `rev` (None makes a new
        document); returns the revision."""

    @abstractmethod
    def delete_attachment(self, id: str, name: str, rev: str) -> str:
        """Take one attachment away as a new revision over leaf `rev`; returns the revision."""

    # --- local documents: no revision tree, not replicated, no compare-and-swap

    @abstractmethod
    def get_local(self, name: str) -> Doc:
        """The local document `_local/<name>`; raises `NotFound`."""

    @abstractmethod
    def put_local(self, name: str, doc: Mapping[str, JSON]) -> str:
        """Store it whatever was there; returns its revision, `0-N`."""

    @abstractmethod
    def delete_local(self, name: str) -> None:
        """Remove it; raises `NotFound`."""

    @abstractmethod
    def local_docs(self) -> list[Doc]:
        """All local documents by id, with their bodies."""

    # --- Mango

    @abstractmethod
    def find(self, query: Query) -> FoundPage:
        """Documents that match a selector.

        Raises:
            BadRequest: an unknown operator, a bad argument, or no index for the sort.
        """

    @abstractmethod
    def explain(self, query: Query) -> Doc:
        """How `find` would answer it, in CouchDB's words."""

    @abstractmethod
    def create_index(self, definition: Mapping[str, JSON]) -> Doc:
        """Create from `{"index": {"fields": […]}, "ddoc", "name", …}`; returns CouchDB's
        `{"result": "created" | "exists", "id", "name"}`."""

    @abstractmethod
    def indexes(self) -> list[Index]:
        """The built-in index first, then the others by design document and name."""

    @abstractmethod
    def delete_index(self, ddoc: str, name: str) -> None:
        """Raises `NotFound`."""


@dataclass(frozen=True, slots=True)
class DatabaseState:
    """What tells that a database changed: compare `update_seq` with an earlier one of the same
    method only, and `instance_start_time` to see that it was made anew."""

    name: str
    update_seq: str
    instance_start_time: str


@dataclass(frozen=True, slots=True)
class ServerUpdate:
    """A database was `created`, `updated` or `deleted`; `seq` continues the feed."""

    seq: str
    database: str
    kind: str


class Server(ABC):
    """A place that holds databases by name: a CouchDB, or a folder of embedded replicas."""

    url: str

    @abstractmethod
    def names(self) -> list[str]:
        """The databases, sorted."""

    @abstractmethod
    def states(self, names: Iterable[str]) -> dict[str, DatabaseState]:
        """The state of each of these that is there, by name."""

    @abstractmethod
    def updates(
        self, since: str = "now", *, heartbeat_seconds: float = 60.0
    ) -> Rows[ServerUpdate | Heartbeat]:
        """Which databases change, as they do, without an end; a `Heartbeat` whenever
        `heartbeat_seconds` pass in silence.

        A CouchDB tells server admins only, and late by up to a second; a folder tells what this
        process writes.

        Raises:
            Unauthorized, Forbidden: only a server admin may know.
            ReplicaError: the server does not tell, or the feed broke off.
        """

    @abstractmethod
    def open(self, name: str) -> Replica:
        """One of them; raises `DatabaseNotFound`."""

    @abstractmethod
    def create(self, name: str) -> Replica:
        """A new one; raises `BadRequest` for an illegal name, `PreconditionFailed` if it exists."""

    @abstractmethod
    def delete(self, name: str) -> None:
        """Raises `DatabaseNotFound`."""

    @abstractmethod
    def close(self) -> None:
        """Release every database."""


Validator = Callable[[Doc, Doc | None], None]
"""`validate(new, old)`: raises `Forbidden` or `Unauthorized` to refuse the write of `new` over
`old`, as CouchDB's `validate_doc_update` does."""


def error_of(row: Refused) -> ReplicaError:
    """The exception that a refused row would be by itself."""
    status = {"conflict": 409, "forbidden": 403, "unauthorized": 401}.get(row.error, 400)
    return error_for_status(status)(row.reason, error=row.error, target=row.id)
