"""What is different about pouchdb-server (express-pouchdb): it lacks some of CouchDB's
requests, falls over others, and bulk reads tell less there.

https://github.com/pouchdb/pouchdb-server
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from couchmend.core.chain import chain_of
from couchmend.core.document import JSON, dumps
from couchmend.core.revtree import Rev
from couchmend.errors import BadRequest, DatabaseNotFound, NotFound, Unsupported
from couchmend.replica.base import BulkGetRow, ChangeRow, Found, Include, Missing
from couchmend.replica.couch.connection import Connection
from couchmend.replica.couch.reading.leaves import leaves

_NAME = "express-pouchdb"


def is_express(connection: Connection) -> bool:
    """Whether the server is one; asks it once."""
    return _NAME in connection.greeting()


def unsupported(connection: Connection, what: str, hint: str = "") -> Unsupported:
    """The error for something that this server lacks."""
    version = connection.greeting().get("version", "")
    return Unsupported(
        f"pouchdb-server ({_NAME} {version}) has no {what}",
        target=connection.url,
        hint=hint or "use CouchDB 3.1 or newer, or couchmend's own server, for this",
    )


@contextmanager
def may_lack(connection: Connection, what: str) -> Iterator[None]:
    """Say it clearly when a request fails because the server has no such thing."""
    try:
        yield
    except (NotFound, BadRequest, Unsupported) as problem:
        if isinstance(problem, DatabaseNotFound) or not is_express(connection):
            raise
        raise unsupported(connection, what) from problem


def refuse_selectors(connection: Connection) -> None:
    """Raise `Unsupported` before the server is asked for changes by a selector, which it would
    not survive."""
    if is_express(connection):
        raise unsupported(connection, "filter by selector", "name the documents' ids")


def row(
    connection: Connection, id: str, rev: str | None, *, latest: bool, include: Include
) -> BulkGetRow:
    """One row of a bulk read, by itself: the server's own leave out leaves, tombstones and
    errors, and it does not survive `latest`."""
    try:
        if rev is None or not latest:
            return BulkGetRow(id, leaves(connection, id, rev, include))
        wanted = Rev.parse(rev)
        found = tuple(
            leaf
            for leaf in leaves(connection, id, None, {**include, "revs": True})
            if isinstance(leaf, Found) and wanted in chain_of(leaf.doc)
        )
    except DatabaseNotFound:
        raise
    except (NotFound, BadRequest) as problem:
        return BulkGetRow(id, (Missing(id, rev, problem.error, problem.reason),))
    if not include.get("revs"):
        for leaf in found:
            del leaf.doc["_revisions"]
    return BulkGetRow(id, found or (Missing(id, rev),))


def winners_first(connection: Connection, rows: Sequence[ChangeRow]) -> Sequence[ChangeRow]:
    """The same rows, with each winner's revision first, which this server does not care for.

    Which of the other leaves are tombstones is not known here: they follow by revision.
    """
    torn = [row for row in rows if len(row.revs) > 1]
    if not torn or not is_express(connection):
        return rows
    winners = _winners(connection, [row.id for row in torn if not row.deleted])
    return [
        row if len(row.revs) < 2 else replace(row, revs=_in_order(row.revs, winners.get(row.id)))
        for row in rows
    ]


def _in_order(revs: Sequence[str], winner: str | None) -> tuple[str, ...]:
    return tuple(sorted(revs, key=lambda rev: (rev == winner, Rev.parse(rev)), reverse=True))


def _winners(connection: Connection, ids: Sequence[str]) -> dict[str, str]:
    if not ids:  # it would never answer
        return {}
    body = dumps({"docs": [{"id": id} for id in ids]})
    answer = connection.answer("POST", "_bulk_get", body=body, repeatable=True)
    return dict(_winner(row) for row in answer.rows("results"))


def _winner(row: JSON) -> tuple[str, str]:
    match row:
        case {"docs": [{"ok": {"_id": str(id), "_rev": str(rev)}}, *_]}:
            return id, rev
    return "", ""  # deleted meanwhile
