"""Databases that are swept, with what they are swept by."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.contract.backends import AVAILABLE, Backend, opened
from tests.engine.swept import House, house


@pytest.fixture
def home() -> Iterator[House]:
    """A database in memory, which has nothing in it."""
    made = house()
    yield made
    made.close()
    made.replica.close()


@pytest.fixture(scope="session", params=AVAILABLE)
def backend(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Backend]:
    """One implementation of databases."""
    with opened(request.param, tmp_path_factory.mktemp(request.param)) as backend:
        yield backend


@pytest.fixture
def anywhere(backend: Backend) -> Iterator[House]:
    """A database of each implementation."""
    with backend.replica() as replica:
        made = house(replica)
        yield made
        made.close()
