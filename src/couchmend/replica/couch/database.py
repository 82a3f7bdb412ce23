"""A database of a CouchDB as a replica."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Self, Unpack

from couchmend.core.document import JSON, Doc
from couchmend.errors import DatabaseNotFound
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
    Written,
)
from couchmend.replica.couch import about, attachments, local, mango, purging
from couchmend.replica.couch.connection import Connection, Options
from couchmend.replica.couch.reading import bulk, changes, listing, revisions
from couchmend.replica.couch.writing import documents


class CouchReplica(Replica):
    """A database of a CouchDB 3.1 or newer, or of a server that speaks its protocol.

    CouchDB adds `revs_info` and `local_seq` only to a winner that `get` reads without a
    revision, and nothing but conflicts and attachments to the documents of `all_docs` and
    `changes`.  Asked for more, these methods raise `Unsupported`.
    """

    def __init__(self, connection: Connection) -> None:
        self.name = connection.database_name or ""
        self.url = connection.url
        self._connection = connection

    @classmethod
    def open(
        cls,
        url: str,
        *,
        user: str | None = None,
        password: str | None = None,
        options: Options | None = None,
    ) -> Self:
        """The database at `http(s)://[user:password@]host[:port]/name`.

        Raises:
            UsageError: no address of a database.
            DatabaseNotFound, Unauthorized, Unavailable: it cannot be opened.
        """
        connection = Connection.open_database(url, user=user, password=password, options=options)
        replica = cls(connection)
        try:
            replica.info()
        except BaseException as problem:
            if isinstance(problem, DatabaseNotFound):
                about.name_the_nearest(problem, connection, replica.name)
            connection.close()
            raise
        return replica

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.url!r})"

    def close(self) -> None:
        """Close the connections, unless they are a server's; it cannot be used afterwards."""
        self._connection.close()

    # --- about the database

    def info(self) -> DatabaseInfo:
        return about.info(self._connection)

    def security(self) -> Doc:
        return about.security(self._connection)

    def set_security(self, security: Mapping[str, JSON]) -> None:
        about.set_security(self._connection, security)

    def revs_limit(self) -> int:
        return about.revs_limit(self._connection)

    def set_revs_limit(self, limit: int) -> None:
        about.set_revs_limit(self._connection, limit)

    def compact(self) -> None:
        about.compact(self._connection)

    def purge(self, revs: Mapping[str, Sequence[str]]) -> dict[str, tuple[str, ...]]:
        return purging.purge(self._connection, revs)

    # --- reading documents

    def get(
        self, id: str, *, rev: str | None = None, latest: bool = False, **include: Unpack[Include]
    ) -> Doc:
        return revisions.get(self._connection, id, rev, latest=latest, include=include)

    def open_revs(
        self,
        id: str,
        wanted: Sequence[str] | None = None,
        *,
        latest: bool = False,
        **include: Unpack[Include],
    ) -> list[Found | Missing]:
        return revisions.open_revs(self._connection, id, wanted, latest=latest, include=include)

    def bulk_get(
        self,
        wanted: Iterable[tuple[str, str | None]],
        *,
        latest: bool = False,
        **include: Unpack[Include],
    ) -> Rows[BulkGetRow]:
        return bulk.bulk_get(self._connection, wanted, latest=latest, include=include)

    def all_docs(self, query: AllDocsQuery | None = None) -> AllDocsPage:
        return listing.all_docs(self._connection, query or AllDocsQuery())

    def changes(self, query: ChangesQuery | None = None) -> ChangesPage:
        return changes.changes(self._connection, query or ChangesQuery())

    def change_pages(self, query: ChangesQuery, rows: int = 1000) -> Rows[ChangesPage]:
        return changes.change_pages(self._connection, query, rows)

    def follow(
        self,
        query: ChangesQuery | None = None,
        *,
        heartbeat_seconds: float = 60.0,
        timeout_seconds: float | None = None,
    ) -> Rows[ChangeRow | Heartbeat]:
        return changes.follow(
            self._connection, query or ChangesQuery(), heartbeat_seconds, timeout_seconds
        )

    def revs_diff(self, revs: Mapping[str, Sequence[str]]) -> dict[str, RevsDiff]:
        return documents.revs_diff(self._connection, revs)

    # --- writing documents

    def bulk_docs(
        self, docs: Sequence[Mapping[str, JSON]], *, new_edits: bool = True
    ) -> list[Written | Refused]:
        return documents.bulk_docs(self._connection, docs, new_edits=new_edits)

    # --- attachments

    def attachment(self, id: str, name: str, *, rev: str | None = None) -> Attachment:
        return attachments.attachment(self._connection, id, name, rev)

    def put_attachment(
        self, id: str, name: str, data: AttachmentData, content_type: str, *, rev: str | None = None
    ) -> str:
        return attachments.put_attachment(self._connection, id, name, data, content_type, rev)

    def delete_attachment(self, id: str, name: str, rev: str) -> str:
        return attachments.delete_attachment(self._connection, id, name, rev)

    # --- local documents

    def get_local(self, name: str) -> Doc:
        return local.get_local(self._connection, name)

    def put_local(self, name: str, doc: Mapping[str, JSON]) -> str:
        return local.put_local(self._connection, name, doc)

    def delete_local(self, name: str) -> None:
        local.delete_local(self._connection, name)

    def local_docs(self) -> list[Doc]:
        return local.local_docs(self._connection)

    # --- Mango

    def find(self, query: Query) -> FoundPage:
        return mango.find(self._connection, query)

    def explain(self, query: Query) -> Doc:
        return mango.explain(self._connection, query)

    def create_index(self, definition: Mapping[str, JSON]) -> Doc:
        return mango.create_index(self._connection, definition)

    def indexes(self) -> list[Index]:
        return mango.indexes(self._connection)

    def delete_index(self, ddoc: str, name: str) -> None:
        mango.delete_index(self._connection, ddoc, name)
