"""A URL's scheme picks the implementation."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from couchmend.errors import UsageError
from couchmend.replica.base import Replica, Server

MEMORY = ":memory:"


def open_replica(url: str, *, create: bool = True) -> Replica:
    """Open one database.

    `file:PATH` is an embedded replica in one SQLite file, `:memory:` one that is gone when it
    is closed, `http(s)://[user:password@]host[:port]/db` a database of a CouchDB.  A file
    that does not exist is made unless `create` is off.

    Raises:
        UsageError: the URL is none of these.
        NotFound, Unavailable, Unauthorized: it cannot be opened.
    """
    scheme = urlsplit(url).scheme
    if url == MEMORY or scheme == "file":
        from couchmend.replica.embedded import EmbeddedReplica

        return EmbeddedReplica.open(url.removeprefix("file:"), create=create)
    if scheme in ("http", "https"):
        from couchmend.replica.couch import CouchReplica

        return CouchReplica.open(url)
    raise _unknown(url)


def open_server(url: str) -> Server:
    """Open a place that holds databases: `dir:PATH` or `http(s)://…` without a database.

    Raises:
        UsageError: the URL is neither.
    """
    scheme = urlsplit(url).scheme
    if scheme == "dir":
        from couchmend.replica.embedded import Folder

        return Folder(url.removeprefix("dir:"))
    if scheme in ("http", "https"):
        from couchmend.replica.couch import CouchServer

        return CouchServer(url)
    raise _unknown(url)


def _unknown(url: str) -> UsageError:
    path = Path(url)
    kind = "dir" if path.is_dir() else "file"
    return UsageError(
        "this names no database",
        target=url,
        hint=f"say {kind}:{path} for a path, or http(s)://host/db for a CouchDB",
    )
