"""The implementations that the contract is held against.

Set `COUCHMEND_TEST_COUCHDB_URL=http://user:password@host:port` to hold it against a CouchDB,
too; every database there is called `couchmend-test-…` and deleted afterwards.
"""

from __future__ import annotations

import os
import secrets
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from couchmend.replica.base import Replica, Server
from couchmend.replica.couch import CouchServer
from couchmend.replica.embedded import EmbeddedReplica, Folder
from couchmend.replica.http_face.server import BackgroundServer
from couchmend.settings import ReplicaServer

COUCHDB_URL = os.environ.get("COUCHMEND_TEST_COUCHDB_URL", "")

LOCAL = ("memory", "file", "served")
AVAILABLE = (*LOCAL, "couchdb") if COUCHDB_URL else LOCAL
WITH_SERVER = AVAILABLE[1:]


class Backend(ABC):
    """One implementation, with room for many databases."""

    compacts_by_itself = False
    """Whether bodies of inner revisions may be gone at any moment."""

    @abstractmethod
    @contextmanager
    def replica(self) -> Iterator[Replica]:
        """A new, empty database, looked through for damage and gone afterwards."""

    def server(self) -> Server | None:
        """The server, where there is one."""
        return None


class Memory(Backend):
    """Embedded, in memory."""

    @contextmanager
    def replica(self) -> Iterator[Replica]:
        with EmbeddedReplica.open(":memory:") as replica:
            yield replica
            assert replica.check() == []


class Files(Backend):
    """Embedded, in files of a folder."""

    def __init__(self, folder: Folder) -> None:
        self._folder = folder

    def server(self) -> Server:
        return self._folder

    @contextmanager
    def replica(self) -> Iterator[Replica]:
        with _new_database(self._folder) as replica:
            yield replica
            assert self._folder.open(replica.name).check() == []


class OverHttp(Backend):
    """Spoken to by the HTTP client."""

    def __init__(self, url: str) -> None:
        self._server = CouchServer(url)

    def server(self) -> Server:
        return self._server

    @contextmanager
    def replica(self) -> Iterator[Replica]:
        with _new_database(self._server) as replica:
            yield replica

    def close(self) -> None:
        self._server.close()


class Served(OverHttp):
    """Embedded, served by the HTTP face."""

    def __init__(self, folder: Folder, url: str) -> None:
        super().__init__(url)
        self._folder = folder

    @contextmanager
    def replica(self) -> Iterator[Replica]:
        with super().replica() as replica:
            yield replica
            assert self._folder.open(replica.name).check() == []


class CouchDB(OverHttp):
    """A real one."""

    compacts_by_itself = True


@contextmanager
def opened(name: str, path: Path) -> Iterator[Backend]:
    """The implementation called `name`, with its files in `path`."""
    match name:
        case "memory":
            yield Memory()
        case "file":
            folder = Folder(path)
            try:
                yield Files(folder)
            finally:
                folder.close()
        case "served":
            folder = Folder(path)
            try:
                with BackgroundServer(folder, ReplicaServer(port=0)) as server:
                    served = Served(folder, server.url)
                    try:
                        yield served
                    finally:
                        served.close()
            finally:
                folder.close()
        case "couchdb":
            couchdb = CouchDB(COUCHDB_URL)
            try:
                yield couchdb
            finally:
                couchdb.close()
        case _:
            raise ValueError(name)


def new_name() -> str:
    """A database's name that nobody uses."""
    return f"couchmend-test-{secrets.token_hex(8)}"


@contextmanager
def _new_database(server: Server) -> Iterator[Replica]:
    replica = server.create(new_name())
    try:
        yield replica
    finally:
        replica.close()
        server.delete(replica.name)
