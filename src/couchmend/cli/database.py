"""Which database a command means: addresses as they are typed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import unquote

import typer

from couchmend.errors import DatabaseNotFound, Unsupported, UsageError, without_credentials

if TYPE_CHECKING:
    from couchmend.replica.base import Replica
    from couchmend.replica.couch.connection.servers import Servers

Database = Annotated[
    str,
    typer.Argument(metavar="DB", help="file:PATH or http(s)://HOST/NAME."),
]
Databases = Annotated[
    str,
    typer.Argument(
        metavar="DB", help="file:PATH, dir:PATH for all in a folder, or http(s)://HOST/NAME."
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="JSON for programs, one value a line.")]

Config = Annotated[
    Path | None, typer.Option("--config", metavar="FILE", help="The configuration file.")
]


def known_servers(config: Path | None = None) -> Servers:
    """The servers of the configuration; what is opened with one of these shares its limits."""
    from couchmend import settings
    from couchmend.replica.couch.connection.servers import Servers

    return Servers(settings.load(config=config).servers)


def open_database(address: str, *, create: bool = False, servers: Servers | None = None) -> Replica:
    """The database at an address; with `create`, a new file where there is none.

    servers: how to talk to those of the network; as the configuration says when None.

    Raises:
        UsageError: no address of a database.
        DatabaseNotFound: there is nothing at the address.
    """
    from couchmend.replica.opening import open_replica

    _check(address)
    path = local_path(address)
    if address.startswith("dir:"):
        raise UsageError(
            "a folder of databases is not one database",
            target=address,
            hint=f"say file:{path}/NAME.couch for one of them",
        )
    if path is not None and not create and not path.exists():
        hint = "check the path; `couchmend replica put` makes a new database"
        raise DatabaseNotFound(address, hint=hint)
    if path is not None:
        return open_replica(address, create=create)
    return open_replica(address, servers=servers or known_servers())


def create_database(address: str, *, servers: Servers | None = None) -> Replica:
    """The database at an address, made where there is none.

    servers: as for `open_database`.

    Raises:
        UsageError: no address of a database.
        Unauthorized, Forbidden: its server does not let us make it.
    """
    from couchmend.replica.opening import open_server

    try:
        return open_database(address, create=True, servers=servers)
    except DatabaseNotFound:
        if local_path(address) is not None:
            raise
    server, _, name = address.rstrip("/").rpartition("/")
    servers = servers or known_servers()
    with closing(open_server(server, servers=servers)) as opened:
        opened.create(unquote(name)).close()
    return open_database(address, servers=servers)


def open_databases(address: str) -> Iterator[Replica]:
    """One database after another: that of `file:` or `http:`, or all in the folder of `dir:`."""
    path = local_path(address)
    if path is not None and address.startswith("dir:"):
        if not path.is_dir():
            raise DatabaseNotFound(address, hint="there is no such folder")
        from couchmend.replica.embedded.folder import Folder

        folder = Folder(path)
        try:
            for name in folder.names():
                yield folder.open(name)
        finally:
            folder.close()
    else:
        with open_database(address) as replica:
            yield replica


def local_path(address: str) -> Path | None:
    """The file or folder that an address names, or None when it is elsewhere."""
    scheme, colon, rest = address.partition(":")
    if not colon or scheme not in {"file", "dir"}:
        return None
    return Path(rest)


def embedded_only(replica: Replica, what: str) -> Unsupported:
    """The error of a command that needs the file itself."""
    return Unsupported(
        f"{what} reads the file of an embedded replica",
        target=replica.url,
        hint="give it as file:PATH on the machine where it lies",
    )


def _check(address: str) -> None:
    scheme, colon, rest = address.partition(":")
    if colon and scheme in {"file", "dir", "http", "https"} and rest.strip("/"):
        return
    if address == ":memory:":
        raise UsageError(
            "a database in memory is gone when the command ends",
            target=address,
            hint="give it a file: file:notes.couch",
        )
    exists = Path(address).exists()
    shown = address if exists else without_credentials(address)
    if colon and scheme.isalpha() and len(scheme) > 1 and not exists:
        what = f"`{scheme}:`" if shown == address else "what it begins with"
        raise UsageError(
            f"{what} is no kind of database",
            target=shown,
            hint="use file:PATH, dir:PATH, http://HOST/NAME or https://HOST/NAME",
        )
    kind = "dir" if Path(address).is_dir() else "file"
    raise UsageError(
        "a path alone does not say what kind of database it is",
        target=shown,
        hint=f"say {kind}:{shown}",
    )
