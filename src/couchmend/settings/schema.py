"""The JSON Schema of the settings, written from the table."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from couchmend.settings.fields import fields_of, types_of
from couchmend.settings.sections import SECTIONS, TABLES

_TYPES: dict[Any, dict[str, Any]] = {
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"type": "number"},
    str: {"type": "string"},
    Path: {"type": "string", "minLength": 1},
    tuple[str, ...]: {"type": "array", "items": {"type": "string"}},
}


def settings_schema() -> dict[str, Any]:
    """Of a file without policies (draft 2020-12): what editors complete and check it with.  What
    has a form of its own, such as an address, is only checked when it is read."""
    properties: dict[str, Any] = dict(_properties(SECTIONS[""]))
    for section, kind in SECTIONS.items():
        if section:
            properties[section] = _object(kind)
    for table, kind in TABLES.items():
        properties[table] = {"type": "array", "items": _object(kind)}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "couchmend.toml",
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
    }


def _object(kind: type) -> dict[str, Any]:
    schema: dict[str, Any] = {
        "description": " ".join((kind.__doc__ or "").partition(": ")[2].split()),
        "type": "object",
        "properties": _properties(kind),
        "additionalProperties": False,
    }
    needed = [
        entry.name for entry in dataclasses.fields(kind) if entry.default is dataclasses.MISSING
    ]
    return schema | ({"required": needed} if needed else {})


def _properties(kind: type) -> dict[str, Any]:
    return {entry.name: _property(kind, entry) for entry in dataclasses.fields(kind)}


def _property(kind: type, entry: dataclasses.Field[Any]) -> dict[str, Any]:
    about = fields_of(kind)[entry.name]
    schema = dict(_TYPES[types_of(kind)[entry.name]])
    if about["choices"]:
        schema["enum"] = list(about["choices"])
    for bound, name in (("least", "minimum"), ("most", "maximum")):
        if about[bound] is not None:
            schema[name] = about[bound]
    if about["or_one"]:
        schema = {"anyOf": [{"type": "string"}, schema]}
    schema["description"] = " ".join(about["help"].split())
    default = entry.default
    if default is not dataclasses.MISSING and default is not None:
        schema["default"] = list(default) if isinstance(default, tuple) else default
    return schema
