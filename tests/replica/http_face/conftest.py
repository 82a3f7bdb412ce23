"""A server for a module's tests, and a database of its own for each."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

from couchmend.replica.embedded import Folder
from couchmend.replica.http_face.server import BackgroundServer
from tests.replica.http_face.serving import Client, served

_numbers = itertools.count()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[BackgroundServer, Folder]]:
    with served(tmp_path_factory.mktemp("databases")) as serving:
        yield serving


@pytest.fixture
def server(place: tuple[BackgroundServer, Folder]) -> BackgroundServer:
    return place[0]


@pytest.fixture
def folder(place: tuple[BackgroundServer, Folder]) -> Folder:
    return place[1]


@pytest.fixture
def client(server: BackgroundServer) -> Iterator[Client]:
    client = Client(server.url)
    yield client
    client.close()


@pytest.fixture
def db(client: Client) -> str:
    """The path of a new database."""
    path = f"/db{next(_numbers)}"
    assert client.put(path).status == 201
    return path
