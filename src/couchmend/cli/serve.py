"""`couchmend replica serve`: a folder of embedded databases for others."""

from __future__ import annotations

import signal
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from couchmend.cli import output
from couchmend.errors import UsageError

if TYPE_CHECKING:
    from types import FrameType


def serve(
    dir: Annotated[
        str, typer.Argument(metavar="DIR", help="The folder of databases; made if missing.")
    ],
    host: Annotated[str | None, typer.Option(help="The address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="The port; 0 takes a free one.")] = None,
    cors_origin: Annotated[
        list[str] | None,
        typer.Option(metavar="ORIGIN", help="An origin whose pages may use it; repeatable."),
    ] = None,
    allowed_host: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="A name by which clients may call it; repeatable."),
    ] = None,
    replicate_host: Annotated[
        list[str] | None,
        typer.Option(metavar="HOST", help="A host that _replicate may talk to; repeatable."),
    ] = None,
    config: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The configuration file.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Tell the address as a line of JSON.")
    ] = False,
) -> None:
    """Serve a folder of databases to PouchDB and CouchDB.

    Ends at Ctrl-C or SIGTERM, after what is under way.  What is not given here comes from the
    configuration, `[replica_server]`.
    """
    from dataclasses import asdict

    from couchmend import settings
    from couchmend.replica.embedded import Folder, Limits
    from couchmend.replica.http_face import server

    wanted = settings.load(
        {
            "replica_server.host": host,
            "replica_server.port": port,
            "replica_server.cors_origins": cors_origin or None,
            "replica_server.allowed_hosts": allowed_host or None,
            "replica_server.replicate_hosts": replicate_host or None,
        },
        config=config,
    )

    def ready(url: str) -> None:
        if as_json:
            output.line({"url": url, "dir": str(path)})
        else:
            output.text(f"{path} is served at {url} (Ctrl-C ends it)")
        sys.stdout.flush()

    path = _folder(dir)
    # The server takes these while it runs, and raises them again when it has ended.
    signal.signal(signal.SIGINT, _interrupt)
    signal.signal(signal.SIGTERM, _end)
    with closing(Folder(path, limits=Limits(**asdict(wanted.replica)))) as folder:
        server.serve(folder, wanted.replica_server, ready=ready, servers=wanted.servers)


def _folder(dir: str) -> Path:
    if dir.startswith(("file:", "http:", "https:")):
        raise UsageError(
            "a folder of databases is served, not one", target=dir, hint="name the folder it is in"
        )
    path = Path(dir.removeprefix("dir:"))
    if path.exists() and not path.is_dir():
        raise UsageError("this is no folder", target=dir, hint="name the folder that it is in")
    return path


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _end(number: int, frame: FrameType | None) -> None:
    """To be told to end is no failure; the databases are closed on the way out."""
    raise typer.Exit(0)
