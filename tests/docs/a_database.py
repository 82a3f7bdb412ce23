"""The database that the pages of the documentation speak of: the demo's, in conflict."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

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
