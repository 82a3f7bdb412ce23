"""Every test of the contract runs once for each implementation."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from couchmend.replica.base import Replica, Server
from tests.contract.backends import AVAILABLE, WITH_SERVER, Backend, new_name, opened


@pytest.fixture(scope="session", params=AVAILABLE)
def backend(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Backend]:
    """One implementation."""
    with opened(request.param, tmp_path_factory.mktemp(request.param)) as backend:
        yield backend


@pytest.fixture
def replica(backend: Backend) -> Iterator[Replica]:
    """A new, empty database."""
    with backend.replica() as replica:
        yield replica


@pytest.fixture(scope="session", params=WITH_SERVER)
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """A server of those implementations that have one."""
    with opened(request.param, tmp_path_factory.mktemp(request.param)) as backend:
        server = backend.server()
        assert server is not None
        yield server


@pytest.fixture
def name(server: Server) -> Iterator[str]:
    """A name for a database that the test makes, and that is gone afterwards."""
    name = new_name()
    yield name
    if name in server.names():
        server.delete(name)
