"""Where the demo plays: a folder with a server's database, three devices' and a configuration."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from couchmend.cli.demonstration.devices import DEVICES
from couchmend.errors import Unavailable, UsageError

if TYPE_CHECKING:
    from couchmend.replica.base import Replica
    from couchmend.replica.embedded import Folder
    from couchmend.replica.http_face.server import BackgroundServer

DATABASE = "tasks"
CONFIGURATION = "couchmend.toml"
MARK = "# Made by `couchmend demo`, which makes it anew each time."
USUAL_PORT = 5985

_CONFIGURATION = """{mark}

[journal]
url = "sqlite:///journal.db"         # beside this file

[[databases]]
name = "{database}"
url = {url}
mode = "auto"                        # observe | suggest | auto
policy = ["tasks", "receipts"]
only_us = true                       # nobody else resolves conflicts here

[policies.tasks]
match = {{ type = "task" }}

[policies.tasks.fields]
tags = "set"
subtasks = "keyed"
completedPomodoros = "counter"       # what both sides added is added up

[policies.receipts]
match = {{ type = "receipt" }}
checksum = {{ field = "checksum", algorithm = "sha256" }}
"""


@dataclass(frozen=True, slots=True)
class Stage:
    """Everything that is open while the demo plays.

    url: of the database at the server; `database` reads and writes it over HTTP.
    """

    folder: Path
    url: str
    database: Replica
    devices: dict[str, Replica]

    @property
    def configuration(self) -> Path:
        """The configuration file."""
        return self.folder / CONFIGURATION


@contextmanager
def set_up(folder: Path, port: int | None) -> Iterator[Stage]:
    """Make the folder anew, and open it all.

    port: to listen on; the usual one, or another where that is taken, if None.

    Raises:
        UsageError: something else is in the folder.
        Unavailable: the port is taken.
    """
    from couchmend.replica.embedded import EmbeddedReplica, Folder
    from couchmend.replica.opening import open_replica

    _clear(folder)
    with ExitStack() as stack:
        databases = Folder(folder / "server")
        stack.callback(databases.close)
        databases.create(DATABASE).close()
        server = stack.enter_context(_served(databases, port))
        url = f"{server.url}/{DATABASE}"
        write_configuration(folder, url)
        database = stack.enter_context(open_replica(url))
        (folder / "devices").mkdir()
        devices: dict[str, Replica] = {
            name: stack.enter_context(EmbeddedReplica.open(folder / "devices" / f"{name}.couch"))
            for name in DEVICES
        }
        yield Stage(folder, url, database, devices)


def leave(folder: Path) -> None:
    """Point the configuration to the file, now that no server answers any more."""
    write_configuration(folder, f"file:{(folder / 'server' / DATABASE).absolute()}.couch")


def write_configuration(folder: Path, url: str) -> None:
    """Write the configuration for the database at an address."""
    import json

    text = _CONFIGURATION.format(mark=MARK, database=DATABASE, url=json.dumps(url))
    (folder / CONFIGURATION).write_text(text, encoding="utf-8")


def _served(databases: Folder, port: int | None) -> BackgroundServer:
    from couchmend.replica.http_face.server import BackgroundServer
    from couchmend.settings import ReplicaServer

    if port is not None:
        return BackgroundServer(databases, ReplicaServer(port=port))
    try:
        return BackgroundServer(databases, ReplicaServer(port=USUAL_PORT))
    except Unavailable:
        return BackgroundServer(databases, ReplicaServer(port=0))


def _clear(folder: Path) -> None:
    """Remove what a former demo left.

    Raises:
        UsageError: something else is there.
    """
    file = folder / CONFIGURATION
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        if not (file.is_file() and file.read_text(encoding="utf-8").startswith(MARK)):
            raise UsageError(
                "something else is there already",
                target=str(folder),
                hint="name a new folder with --dir",
            )
        for name in ("server", "devices"):
            shutil.rmtree(folder / name, ignore_errors=True)
        for left in folder.glob("journal.db*"):
            left.unlink()
        file.unlink()
    folder.mkdir(parents=True, exist_ok=True)
