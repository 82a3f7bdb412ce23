"""The database that the pages of the documentation speak of: the demo's, in conflict."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from couchmend.cli.demonstration.acts import begin, edit, exchange
from couchmend.cli.demonstration.devices import DEVICES
from couchmend.cli.demonstration.stage import Stage
from couchmend.replica.base import Replica
from couchmend.replica.opening import open_replica


def fill(database: Replica, folder: Path) -> None:
    """Let three devices edit the demo's tasks offline, and sync them with a database."""
    devices: dict[str, Replica] = {
        name: open_replica(f"file:{folder / name}.couch") for name in DEVICES
    }
    stage = Stage(folder, database.url, database, devices)
    now = datetime.now(UTC)
    begin(stage, now)
    edit(stage, now)
    exchange(stage)
    for device in devices.values():
        device.close()


def signed_out(url: str) -> tuple[str, dict[str, str]]:
    """The address of a server without credentials, and the variables that have them."""
    parts = urlsplit(url.rstrip("/"))
    if parts.username is None:
        return url.rstrip("/"), {}
    variables = {
        "COUCHMEND_COUCHDB_USER": parts.username,
        "COUCHMEND_COUCHDB_PASSWORD": parts.password or "",
    }
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2])), variables
