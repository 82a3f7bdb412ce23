"""The embedded replica: one database in one SQLite file."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Self, Unpack

from couchmend.core.document import JSON, LOCAL, Doc, check_id, dumps_checked, loads
from couchmend.errors import BadRequest, NotFound, Unavailable
from couchmend.replica.base import (
    AllDocsPage,
    AllDocsQuery,
    Attachment,
    AttachmentData,
    BulkGetRow,
    ChangeRow,
    ChangesPage,
    ChangesQuery,
    DatabaseInfo,
    Found,
    FoundPage,
    Heartbeat,
    Include,
    Index,
    Missing,
    Query,
    Refused,
    Replica,
    RevsDiff,
    Rows,
    Sizes,
    Validator,
    Written,
)
from couchmend.replica.embedded import (
    attachments,
    changes,
    compaction,
    differences,
    following,
    integrity,
    listing,
    local,
    reading,
)
from couchmend.replica.embedded.connections import Connections
from couchmend.replica.embedded.drafts import drafts_of
from couchmend.replica.embedded.limits import Limits
from couchmend.replica.embedded.notification import Notifier, Wake
from couchmend.replica.embedded.records import design_bodies, format_seq, read_state
from couchmend.replica.embedded.writing import Batch

MEMORY = ":memory:"

_READ_AT_ONCE = 250
DEFAULT_SECURITY: Doc = {"members": {"roles": ["_admin"]}, "admins": {"roles": ["_admin"]}}


class EmbeddedReplica(Replica):
    """A CouchDB-protocol database in one SQLite file, or in memory.

    Safe to share between threads, and between processes that open the same file.  What a
    method has written is on disk when it returns.
    """

    def __init__(
        self,
        connections: Connections,
        name: str,
        url: str,
        limits: Limits,
        validators: Sequence[Validator],
        on_commit: Wake | None = None,
    ) -> None:
        self.name = name
        self.url = url
        self.limits = limits
        self._connections = connections
        self._validators = tuple(validators)
        self._notifier = Notifier(connections, on_commit)
        self._compacting = threading.Lock()
        with connections.read() as connection:
            self.instance_id = read_state(connection).instance

    @classmethod
    def open(
        cls,
        path: str | Path,
        *,
        name: str | None = None,
        create: bool = True,
        limits: Limits | None = None,
        validators: Sequence[Validator] = (),
        on_commit: Wake | None = None,
    ) -> Self:
        """Open the database in the file `path`, or a new one in `":memory:"`.

        `validators` may refuse a write as CouchDB's `validate_doc_update` does.  `on_commit`
        is called after every commit through this object.

        Raises:
            NotFound: no such file, and `create` is off.
            Unavailable: the file cannot be read, or is no database of couchmend.
        """
        file = None if str(path) == MEMORY else Path(path)
        if file is not None and not create and not file.exists():
            raise NotFound(
                "no such file", operation="open", target=str(file), hint="check the path"
            )
        if file is not None and file.is_dir():
            raise Unavailable(
                "this is a folder", operation="open", target=str(file), hint=f"say dir:{file}"
            )
        name = name or ("memory" if file is None else file.stem)
        url = MEMORY if file is None else f"file:{file}"
        connections = Connections(file)
        try:
            return cls(connections, name, url, limits or Limits(), validators, on_commit)
        except BaseException:
            connections.close()
            raise

    def close(self) -> None:
        """Release the file; feeds that follow it end."""
        self._notifier.close()
        self._connections.close()

    def rest(self) -> None:
        """Give the file handles back until the next use."""
        self._connections.rest()

    def is_awake(self) -> bool:
        """Whether it holds file handles now."""
        return self._connections.is_awake()

    def is_current(self) -> bool:
        """Whether this is open, on the file that its path still names."""
        return self._connections.is_current()

    def subscribe(self, wake: Wake) -> Callable[[], None]:
        """Call `wake`, from any thread, after every commit to the file by this or another
        process, and when the replica is closed; the result ends it."""
        return self._notifier.subscribe(wake)

    # --- about the database

    def info(self) -> DatabaseInfo:
        with self._connections.read() as connection:
            state = read_state(connection)
            page_count, page_size, free = (
                int(connection.execute(f"PRAGMA {name}").fetchone()[0])
                for name in ("page_count", "page_size", "freelist_count")
            )
            notices = _notices(connection)
        return DatabaseInfo(
            name=self.name,
            documents=state.live,
            deleted_documents=state.deleted,
            update_seq=format_seq(state.update_seq, state.instance),
            purge_seq=format_seq(state.purge_seq, state.instance),
            sizes=Sizes(
                file=page_count * page_size,
                active=(page_count - free) * page_size,
                external=state.external_bytes,
            ),
            compact_running=self._compacting.locked(),
            instance_start_time=str(state.created),
            notices=notices,
        )

    def state_tag(self) -> str:
        """Changes with every write of a document and every purge; cheaper than `info`."""
        with self._connections.read() as connection:
            state = read_state(connection)
        return f"{state.instance} {state.update_seq} {state.purge_seq}"

    def security(self) -> Doc:
        with self._connections.read() as connection:
            (text,) = connection.execute("SELECT security FROM state").fetchone()
        security: Doc = dict(DEFAULT_SECURITY) if text is None else loads(text)
        return security

    def set_security(self, security: Mapping[str, JSON]) -> None:
        text = dumps_checked(dict(security))
        with self._connections.write() as connection:
            connection.execute("UPDATE state SET security = ?", (text,))

    def revs_limit(self) -> int:
        with self._connections.read() as connection:
            return read_state(connection).revs_limit

    def set_revs_limit(self, limit: int) -> None:
        if type(limit) is not int or limit < 1:
            raise BadRequest("`limit` must be a positive integer", target=self.name)
        with self._connections.write() as connection:
            connection.execute("UPDATE state SET revs_limit = ?", (limit,))

    def compact(self) -> None:
        with self._compacting:
            compaction.compact(self._connections)

    def start_compaction(self) -> None:
        """Compact in a thread of its own; `info().compact_running` tells when it is done."""
        if not self._compacting.locked():
            threading.Thread(target=self.compact, name=f"compact {self.name}", daemon=True).start()

    def purge(self, revs: Mapping[str, Sequence[str]]) -> dict[str, tuple[str, ...]]:
        with self._connections.write() as connection:
            purged = compaction.purge(connection, revs)
        self._notifier.committed()
        return purged

    def check(self) -> list[str]:
        """Look through the whole file; a sentence for everything that is wrong."""
        try:
            with self._connections.read() as connection:
                return integrity.check(connection)
        except Unavailable as problem:  # so damaged that SQLite gives up half-way
            return [problem.message]

    # --- reading documents

    def get(
        self, id: str, *, rev: str | None = None, latest: bool = False, **include: Unpack[Include]
    ) -> Doc:
        with self._connections.read() as connection:
            return reading.get(connection, check_id(id), rev, latest=latest, **include)

    def open_revs(
        self,
        id: str,
        wanted: Sequence[str] | None = None,
        *,
        latest: bool = False,
        **include: Unpack[Include],
    ) -> list[Found | Missing]:
        with self._connections.read() as connection:
            return reading.open_revs(connection, check_id(id), wanted, latest=latest, **include)

    def bulk_get(
        self,
        wanted: Iterable[tuple[str, str | None]],
        *,
        latest: bool = False,
        **include: Unpack[Include],
    ) -> Rows[BulkGetRow]:
        items = list(wanted)
        come = 0
        while come < len(items):
            page = items[come : come + _READ_AT_ONCE]
            with self._connections.read() as connection:
                rows = reading.bulk_get(connection, page, latest=latest, **include)
            come += len(rows)
            yield from rows

    def all_docs(self, query: AllDocsQuery | None = None) -> AllDocsPage:
        with self._connections.read() as connection:
            return listing.all_docs(connection, query or AllDocsQuery())

    def changes(self, query: ChangesQuery | None = None) -> ChangesPage:
        with self._connections.read() as connection:
            return changes.changes(connection, query or ChangesQuery())

    def conflicted(self, *, after: str = "", limit: int = 1000) -> list[ChangeRow]:
        """Documents with two or more leaves, by id from beyond `after`: all leaf revisions of
        each, winner first.  Its cost grows with the conflicts, not with the documents."""
        with self._connections.read() as connection:
            return changes.conflicted(connection, after, limit)

    def follow(
        self,
        query: ChangesQuery | None = None,
        *,
        heartbeat_seconds: float = 60.0,
        timeout_seconds: float | None = None,
    ) -> Rows[ChangeRow | Heartbeat]:
        return following.follow(self, query or ChangesQuery(), heartbeat_seconds, timeout_seconds)

    def revs_diff(self, revs: Mapping[str, Sequence[str]]) -> dict[str, RevsDiff]:
        with self._connections.read() as connection:
            return differences.revs_diff(connection, revs)

    # --- writing documents

    def bulk_docs(
        self, docs: Sequence[Mapping[str, JSON]], *, new_edits: bool = True
    ) -> list[Written | Refused]:
        with ExitStack() as resources:
            drafts = drafts_of(docs, new_edits=new_edits, limits=self.limits, resources=resources)
            with self._connections.write() as connection:
                batch = Batch(connection, drafts, self._validators, self.limits.max_depth)
                rows = batch.edit() if new_edits else batch.replicate()
                changed = batch.store()
        if changed:
            self._notifier.committed()
        return rows

    # --- attachments

    def attachment(self, id: str, name: str, *, rev: str | None = None) -> Attachment:
        with self._connections.read() as connection:
            item = attachments.find(connection, check_id(id), name, rev)
        return Attachment(
            item.content_type, f"md5-{item.digest}", item.length, self._blob(item.digest)
        )

    def put_attachment(
        self, id: str, name: str, data: AttachmentData, content_type: str, *, rev: str | None = None
    ) -> str:
        attachments.check_name(name)
        entry = {name: {"content_type": content_type, "data": data}}
        doc = self._to_extend(id, rev)
        others = {k: v for k, v in doc.get("_attachments", {}).items() if k != name}
        return self.put({**doc, "_attachments": {**entry, **others}})

    def delete_attachment(self, id: str, name: str, rev: str) -> str:
        doc = self._to_extend(id, rev)
        if name not in doc.get("_attachments", {}):
            raise NotFound("Document is missing attachment", target=f"{id}/{name}")
        others = {k: v for k, v in doc["_attachments"].items() if k != name}
        return self.put({**doc, "_attachments": others})

    def _to_extend(self, id: str, rev: str | None) -> Doc:
        """The document as a change of its attachments starts from it."""
        if rev is None:
            return {"_id": check_id(id)}
        try:
            doc = self.get(id, rev=rev)
        except NotFound:
            return {"_id": id, "_rev": rev}
        doc.pop("_deleted", None)
        return doc

    def _blob(self, digest: str) -> Iterator[bytes]:
        if self._connections.in_memory:  # whose one connection must not be held by a reader
            with self._connections.read() as connection:
                chunks = list(attachments.read_blob(connection, digest))
            yield from chunks
            return
        with self._connections.read() as connection:
            yield from attachments.read_blob(connection, digest)

    # --- local documents

    def get_local(self, name: str) -> Doc:
        with self._connections.read() as connection:
            return local.get(connection, name)

    def put_local(self, name: str, doc: Mapping[str, JSON]) -> str:
        (row,) = self.bulk_docs([{**doc, "_id": LOCAL + name}])
        return str(row.rev)

    def delete_local(self, name: str) -> None:
        with self._connections.write() as connection:
            local.delete(connection, name)

    def local_docs(self) -> list[Doc]:
        with self._connections.read() as connection:
            return local.every(connection)

    # --- Mango

    def find(self, query: Query) -> FoundPage:
        from couchmend.replica.embedded import mango

        return mango.find(self._connections, query)

    def explain(self, query: Query) -> Doc:
        from couchmend.replica.embedded import mango

        return mango.explain(self._connections, self.name, query)

    def create_index(self, definition: Mapping[str, JSON]) -> Doc:
        from couchmend.replica.embedded import mango

        return mango.create_index(self, self._connections, definition)

    def indexes(self) -> list[Index]:
        from couchmend.replica.embedded import mango

        return mango.indexes(self._connections)

    def delete_index(self, ddoc: str, name: str) -> None:
        from couchmend.replica.embedded import mango

        mango.delete_index(self, self._connections, ddoc, name)


def _notices(connection: sqlite3.Connection) -> tuple[str, ...]:
    unenforced = [id for id, body in design_bodies(connection) if b'"validate_doc_update"' in body]
    return tuple(
        f"the validation function of {id} is stored but not enforced: JavaScript is not run here"
        for id in unenforced
    )
