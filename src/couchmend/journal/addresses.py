"""Where a journal is, by its URL."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from couchmend.errors import UsageError, without_credentials

_KINDS = "sqlite:///relative.db, sqlite:////absolute.db or postgresql://host/database"


@dataclass(frozen=True, slots=True)
class Address:
    """A journal's URL, taken apart.

    shown: it without credentials.
    path: the file; None in memory and on PostgreSQL.
    """

    url: URL
    shown: str
    path: Path | None
    is_sqlite: bool


def address(url: str) -> Address:
    """Read a journal's URL.

    Raises:
        UsageError: it is none.
    """
    scheme, separator, rest = url.partition("://")
    if not separator:
        raise _unknown(url)
    if scheme == "sqlite":
        path = rest.removeprefix("/")
        if (rest and not rest.startswith("/")) or "?" in rest:
            raise _unknown(url)
        in_memory = path in ("", ":memory:")
        made = URL.create("sqlite+pysqlite", database=None if in_memory else path)
        return Address(made, url, None if in_memory else Path(path), is_sqlite=True)
    if scheme in ("postgresql", "postgres", "postgresql+psycopg"):
        try:
            made = make_url(url).set(drivername="postgresql+psycopg")
        except (ArgumentError, ValueError) as problem:
            raise _unknown(url) from problem
        return Address(made, shown_url(made), None, is_sqlite=False)
    raise _unknown(url)


def shown_url(url: URL) -> str:
    """A URL as people write it: without credentials, and without the driver's name."""
    scheme = url.get_backend_name()
    query = {name: value for name, value in url.query.items() if name == "host"}
    bare = url.set(drivername=scheme, username=None, password=None, query=query)
    return bare.render_as_string()


def _unknown(url: str) -> UsageError:
    return UsageError(
        "this is no place for a journal",
        operation="journal",
        target=without_credentials(url),
        hint=f"it is {_KINDS}",
    )
