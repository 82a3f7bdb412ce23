"""Every setting once: its name, type, default and help; read from arguments, environment, file."""

from __future__ import annotations

from couchmend.settings.engine import Database, Hooks, Journal, Logs, Metrics, Work
from couchmend.settings.loading import ConfigurationError, Reading, load, read
from couchmend.settings.replicas import ReplicaLimits, ReplicaServer, Server
from couchmend.settings.sections import Row, Settings, describe, describe_tables

__all__ = [
    "ConfigurationError",
    "Database",
    "Hooks",
    "Journal",
    "Logs",
    "Metrics",
    "Reading",
    "ReplicaLimits",
    "ReplicaServer",
    "Row",
    "Server",
    "Settings",
    "Work",
    "describe",
    "describe_tables",
    "load",
    "read",
]
