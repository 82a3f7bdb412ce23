"""A client whose server lies, and what may come of it.

Whatever the lie, the outcome is the right result or a clear error, in time; and when the lies
stop, the same client is as good as new.
"""

from __future__ import annotations

import secrets
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

from couchmend.errors import CouchmendError
from couchmend.replica.base import Replica, Server
from couchmend.replica.couch import CouchReplica, CouchServer, Options
from couchmend.replica.couch.connection.retries import Retries
from tests.contract.backends import COUCHDB_URL, opened
from tests.contract.chains import chained, grow, store
from tests.lying import LyingProxy

UPSTREAMS = ("served", "couchdb") if COUCHDB_URL else ("served",)
PNG = bytes(range(256)) * 40
TEXT = b"Every word of it. " * 300
JSON_TEXT = b'{"all":[' + b'{"of":"it"},' * 400 + b"1]}\n"

IN_TIME_SECONDS = 8.0
"""For one operation; none of the timeouts below lets it wait half as long."""

_RETRIES = Retries(
    attempts=3,
    first_pause_seconds=0.001,
    longest_pause_seconds=0.003,
    longest_retry_after_seconds=0.5,
    total_seconds=3.0,
)
PATIENT = Options(
    connect_timeout_seconds=2.0,
    read_timeout_seconds=2.0,
    answer_timeout_seconds=3.0,
    connections=4,
    retries=_RETRIES,
)
HASTY = replace(
    PATIENT,
    read_timeout_seconds=0.3,
    answer_timeout_seconds=1.0,
)
"""For servers that stall."""


@dataclass(frozen=True, slots=True)
class World:
    """A server, and a database of it in which there is something to read, told honestly."""

    upstream: str
    url: str
    """With credentials, where the server needs some."""
    server: Server
    replica: Replica

    @contextmanager
    def database(self) -> Iterator[Replica]:
        """Another database, new and empty."""
        with _new_database(self.server, self.url) as replica:
            yield replica

    @contextmanager
    def client(self, options: Options = PATIENT, database: str = "") -> Iterator[Client]:
        """A client behind a proxy of its own, which has been honest while the connection was
        made and the database opened (the one with something in it, or another)."""
        credentials = urlsplit(self.url)
        with LyingProxy(self.url) as proxy:
            server = CouchServer(
                proxy.url,
                user=credentials.username,
                password=credentials.password,
                options=options,
            )
            try:
                with _opened(server, database or self.replica.name) as replica:
                    proxy.forget()
                    yield Client(proxy, server, replica)
            finally:
                server.close()


@dataclass(frozen=True, slots=True)
class Client:
    """The server and the database, as the client under test has them, and what is before."""

    proxy: LyingProxy
    server: CouchServer
    replica: CouchReplica


def _opened(server: CouchServer, name: str) -> CouchReplica:
    told = outcome(lambda: server.open(name))
    assert isinstance(told, CouchReplica), told
    return told


@contextmanager
def world(upstream: str, path: Path) -> Iterator[World]:
    """A server of this kind."""
    with opened(upstream, path) as backend:
        server = backend.server()
        assert server is not None
        url = COUCHDB_URL if upstream == "couchdb" else server.url
        with _new_database(server, url) as replica:
            fill(replica)
            yield World(upstream, url, server, replica)


@contextmanager
def _new_database(server: Server, url: str) -> Iterator[Replica]:
    """With one shard: the feed of several has no order that lasts."""
    name, parts = fresh_name(), urlsplit(url)
    pair = f"{parts.username}:{parts.password}".encode()
    with closing(HTTPConnection(parts.hostname or "", parts.port)) as connection:
        headers = {"Authorization": f"Basic {b64encode(pair).decode()}"} if parts.username else {}
        connection.request("PUT", f"/{name}?q=1", headers=headers)
        assert connection.getresponse().status == 201
    with server.open(name) as replica:
        yield replica
    server.delete(name)


def fill(replica: Replica) -> None:
    """Something of everything that can be read."""
    grow(replica)
    replica.bulk_docs([{"_id": f"d{n}", "n": n, "s": "ä"} for n in range(6)])
    replica.delete("d5", str(replica.get("d5")["_rev"]))
    store(replica, chained("d4", "2-ffff", "1-eeee", n=4))
    replica.put({"_id": "_design/d", "views": {}})
    replica.put_attachment("att", "f.png", PNG, "image/png")
    replica.put_attachment("text", "f.txt", TEXT, "text/plain")
    replica.put_attachment("json", "f.json", JSON_TEXT, "application/json")
    replica.put_local("l", {"v": 1})
    replica.put_local("m", {"v": 2})
    replica.create_index({"index": {"fields": ["n"]}, "ddoc": "by-n", "name": "n", "type": "json"})
    replica.set_security({"members": {"roles": ["_admin"]}, "admins": {"roles": ["_admin"]}})
    replica.set_revs_limit(500)


# --- what may come of it


def outcome(run: Callable[[], object]) -> object:
    """What is returned, or the error of the project's that is raised; nothing else may be."""
    try:
        return run()
    except CouchmendError as problem:
        return problem


def unclear(problem: CouchmendError) -> list[str]:
    """What an error does not say."""
    parts = {"operation": problem.operation, "target": problem.target, "hint": problem.hint}
    missing = [name for name, part in parts.items() if not part]
    if "secret" in str(problem):
        missing.append("that it may keep a secret")
    return missing


def plain(told: object) -> object:
    """An error so that it can be compared."""
    if isinstance(told, CouchmendError):
        return type(told).__name__, told.message
    return told


def fresh_name() -> str:
    """A name for documents and databases."""
    return f"couchmend-test-{secrets.token_hex(8)}"
