"""The table of settings: each a field of its section, with type, default, help and bounds.

A section stands in the file once, as `[name]`; a table any number of times, as `[[name]]`.  The
section without a name is what stands above all others.  Help, documentation, JSON Schema and
validation all come from here.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from couchmend.settings.engine import (
    Database,
    General,
    Hooks,
    Journal,
    Logs,
    Metrics,
    Work,
)
from couchmend.settings.fields import fields_of, in_words, types_of
from couchmend.settings.replicas import ReplicaLimits, ReplicaServer, Server

__all__ = [
    "PREFIX",
    "PROFILE_DEFAULTS",
    "SECTIONS",
    "TABLES",
    "Row",
    "Settings",
    "describe",
    "describe_tables",
    "fields_of",
    "in_words",
    "key_of",
    "types_of",
    "variable",
]

PREFIX = "COUCHMEND_"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All settings.  `file` is the configuration file that was read, if any."""

    general: General = field(default_factory=General)
    journal: Journal = field(default_factory=Journal)
    engine: Work = field(default_factory=Work)
    databases: tuple[Database, ...] = ()
    servers: tuple[Server, ...] = ()
    hooks: Hooks = field(default_factory=Hooks)
    logs: Logs = field(default_factory=Logs)
    metrics: Metrics = field(default_factory=Metrics)
    replica_server: ReplicaServer = field(default_factory=ReplicaServer)
    replica: ReplicaLimits = field(default_factory=ReplicaLimits)
    file: Path | None = None

    @property
    def profile(self) -> str:
        """Whose defaults hold."""
        return self.general.profile


SECTIONS: Mapping[str, type] = {
    "": General,
    "journal": Journal,
    "engine": Work,
    "hooks": Hooks,
    "logs": Logs,
    "metrics": Metrics,
    "replica_server": ReplicaServer,
    "replica": ReplicaLimits,
}
TABLES: Mapping[str, type] = {"databases": Database, "servers": Server}
ATTRIBUTES: Mapping[str, str] = MappingProxyType({"": "general"})
"""Where a section is in `Settings`, if not under its name."""

PROFILE_DEFAULTS: Mapping[str, Mapping[tuple[str, str], Any]] = {
    "development": {},
    "production": {
        ("journal", "url"): "sqlite:////var/lib/couchmend/journal.db",
        ("logs", "format"): "json",
    },
    "testing": {("journal", "url"): "sqlite://", ("logs", "level"): "warning"},
}


@dataclass(frozen=True, slots=True)
class Row:
    """One setting as help and documentation show it."""

    key: str
    type: str
    default: Any
    help: str
    env: str


def describe() -> tuple[Row, ...]:
    """Every setting, section by section, in the order in which they are declared."""
    return tuple(
        _row(
            section,
            kind,
            entry,
            "" if entry.metadata["in_file_only"] else variable(section, entry.name),
        )
        for section, kind in SECTIONS.items()
        for entry in dataclasses.fields(kind)
    )


def describe_tables() -> tuple[Row, ...]:
    """Every key of the tables; they stand in the file only, and `env` is empty.  What has no
    default has None."""
    return tuple(
        _row(table, kind, entry, "")
        for table, kind in TABLES.items()
        for entry in dataclasses.fields(kind)
    )


def _row(section: str, kind: type, entry: dataclasses.Field[Any], env: str) -> Row:
    default = None if entry.default is dataclasses.MISSING else entry.default
    return Row(
        key=key_of(section, entry.name),
        type=in_words(kind, entry.name),
        default=list(default) if isinstance(default, tuple) else default,
        help=entry.metadata["help"],
        env=env,
    )


def key_of(section: str, name: str) -> str:
    """How a setting is called."""
    return f"{section}.{name}" if section else name


def variable(section: str, name: str) -> str:
    """The environment variable of a setting."""
    return f"{PREFIX}{section.upper()}__{name.upper()}" if section else f"{PREFIX}{name.upper()}"
