"""Every test that takes `journal` runs on a SQLite file and on PostgreSQL."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from couchmend.journal.opening import Journal, open_journal
from tests.journal import servers


@pytest.fixture(scope="session")
def postgresql() -> Iterator[servers.Server]:
    """A PostgreSQL that runs for all tests; without the wheel, tests that need it are left out,
    but in continuous integration they fail."""
    reason = servers.lacking()
    if reason is not None:
        if os.environ.get("CI", "").lower() in {"1", "true"}:
            pytest.fail(reason)
        pytest.skip(reason)
    with servers.running() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Where a journal may be made."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/journal.db"
        return
    server: servers.Server = request.getfixturevalue("postgresql")
    with server.database() as made:
        yield made


@pytest.fixture
def journal(url: str) -> Iterator[Journal]:
    """A new journal."""
    with open_journal(url, busy_timeout_seconds=5) as opened:
        yield opened
