"""Every kind of database that is looked through."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from couchmend.journal.opening import open_journal
from couchmend.replica.base import Replica
from tests.contract.backends import AVAILABLE, Backend, opened
from tests.engine.sites import World


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


@pytest.fixture
def anywhere(backend: Backend) -> Iterator[World]:
    """A new database of each kind, and a journal."""
    with backend.replica() as replica, open_journal("sqlite://") as journal:
        yield World(replica, journal)
