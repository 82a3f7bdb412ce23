"""A URL's scheme picks the implementation."""

from __future__ import annotations

import os.path
from collections.abc import Sequence
from typing import TYPE_CHECKING

from couchmend import settings
from couchmend.errors import UsageError, without_credentials
from couchmend.replica.base import Replica, Server

if TYPE_CHECKING:
    from couchmend.replica.couch.connection.servers import Servers

MEMORY = ":memory:"


def open_replica(
    url: str, *, create: bool = True, servers: Sequence[settings.Server] | Servers = ()
) -> Replica:
    """Open one database.

    `file:PATH` is an embedded replica in one SQLite file, `:memory:` one that is gone when it
    is closed, `http(s)://[user:password@]host[:port]/db` a database of a CouchDB.  A file
    that does not exist is made unless `create` is off.

    servers: how to talk to CouchDBs: the settings' `servers`, or one `couch.Servers` for
        several databases, which then share the limits of their server.  The credentials are
        the first that there are of the URL's, the server's entry's, those in
        `COUCHMEND_COUCHDB_USER` and `COUCHMEND_COUCHDB_PASSWORD` (or a token in the file that
        `COUCHMEND_COUCHDB_TOKEN_FILE` names) unless `COUCHMEND_COUCHDB_HOST` names another
        host, and those in `$NETRC` or `~/.netrc`.

    Raises:
        UsageError: the URL is none of these, or a file that is named cannot be used.
        NotFound, Unavailable, Unauthorized: it cannot be opened.
    """
    scheme = _scheme(url)
    if url == MEMORY or scheme == "file":
        from couchmend.replica.embedded import EmbeddedReplica

        return EmbeddedReplica.open(url.removeprefix("file:"), create=create)
    if scheme in ("http", "https"):
        from couchmend.replica.couch import CouchReplica

        return CouchReplica.open(url, options=_servers(servers).options(url))
    raise _unknown(url)


def open_server(url: str, *, servers: Sequence[settings.Server] | Servers = ()) -> Server:
    """Open a place that holds databases: `dir:PATH` or `http(s)://…` without a database.

    servers: as for `open_replica`.

    Raises:
        UsageError: the URL is neither, or a file that is named cannot be used.
    """
    scheme = _scheme(url)
    if scheme == "dir":
        from couchmend.replica.embedded import Folder

        return Folder(url.removeprefix("dir:"))
    if scheme in ("http", "https"):
        from couchmend.replica.couch import CouchServer

        return CouchServer(url, options=_servers(servers).options(url))
    raise _unknown(url)


def _servers(servers: Sequence[settings.Server] | Servers) -> Servers:
    from couchmend.replica.couch.connection.servers import Servers

    return servers if isinstance(servers, Servers) else Servers(servers)


def _scheme(url: str) -> str:
    return url.partition(":")[0].lower()


def _unknown(url: str) -> UsageError:
    kind = "dir" if os.path.isdir(url) else "file"  # noqa: PTH112  # any text is allowed here
    shown = url if os.path.exists(url) else without_credentials(url)  # noqa: PTH110
    return UsageError(
        "this names no database",
        target=shown,
        hint=f"say {kind}:{shown} for a path, or http(s)://host/db for a CouchDB",
    )
