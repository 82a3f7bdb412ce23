"""A CouchDB server: its databases by name."""

from __future__ import annotations

from collections.abc import Iterable

from couchmend.errors import BadRequest, DatabaseNotFound
from couchmend.replica.base import DatabaseState, Heartbeat, Rows, Server, ServerUpdate
from couchmend.replica.couch import watching
from couchmend.replica.couch.about import name_the_nearest
from couchmend.replica.couch.connection import Connection, Options
from couchmend.replica.couch.database import CouchReplica


class CouchServer(Server):
    """A CouchDB, or another server that speaks its protocol.

    Its replicas use its connections, and are closed with it.
    """

    def __init__(
        self,
        url: str,
        *,
        user: str | None = None,
        password: str | None = None,
        options: Options | None = None,
    ) -> None:
        """The server at `http(s)://[user:password@]host[:port][/path]`.

        Nothing is asked of it yet: what one may do is told when it is tried.

        Raises:
            UsageError: no address of a server.
        """
        self._connection = Connection.open(url, user=user, password=password, options=options)
        self.url = self._connection.url

    def names(self) -> list[str]:
        answer = self._connection.answer("GET", "_all_dbs")
        return sorted(answer.texts(answer.json_list))

    def states(self, names: Iterable[str]) -> dict[str, DatabaseState]:
        return watching.states(self._connection, names)

    def updates(
        self, since: str = "now", *, heartbeat_seconds: float = 60.0
    ) -> Rows[ServerUpdate | Heartbeat]:
        return watching.updates(self._connection, since, heartbeat_seconds)

    def open(self, name: str) -> CouchReplica:
        connection = self._database(name)
        replica = CouchReplica(connection)
        try:
            replica.info()
        except DatabaseNotFound as missing:
            name_the_nearest(missing, connection, name)
            raise
        return replica

    def create(self, name: str) -> CouchReplica:
        if not name:
            raise BadRequest("a database needs a name", error="illegal_database_name")
        connection = self._connection.database(name)
        connection.answer("PUT").confirmed  # noqa: B018  # or raises
        return CouchReplica(connection)

    def delete(self, name: str) -> None:
        self._database(name).answer("DELETE").confirmed  # noqa: B018

    def _database(self, name: str) -> Connection:
        if not name:  # its path would be the server's
            raise DatabaseNotFound(name)
        return self._connection.database(name)

    def close(self) -> None:
        self._connection.close()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.url!r})"
