"""Every setting once: its name, type, default and help; read from arguments, environment, file."""

from __future__ import annotations

from couchmend.settings.loading import load
from couchmend.settings.sections import (
    ReplicaLimits,
    ReplicaServer,
    Row,
    Server,
    Settings,
    describe,
    describe_tables,
)

__all__ = [
    "ReplicaLimits",
    "ReplicaServer",
    "Row",
    "Server",
    "Settings",
    "describe",
    "describe_tables",
    "load",
]
