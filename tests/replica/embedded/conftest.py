"""A database in a real file, for what only the embedded replica has."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from couchmend.replica.embedded import EmbeddedReplica


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "notes.couch"


@pytest.fixture
def replica(path: Path) -> Iterator[EmbeddedReplica]:
    with EmbeddedReplica.open(path) as replica:
        yield replica
        assert replica.check() == []
