"""The JSON Schemas of what couchmend writes for programs, and of what it reads."""

from __future__ import annotations

from importlib.resources import files
from typing import Any, get_args

from couchmend.core.document import Doc, loads
from couchmend.core.policy.metadata import ChecksumForm
from couchmend.core.policy.parts import (
    ALGORITHMS,
    SEVERITY,
    STRATEGIES,
    STRATEGY_ALIASES,
    TYPES,
    Attachments,
    DeadBranches,
    Limit,
    NoAncestor,
)
from couchmend.settings.schema import settings_schema


def decisions_schema() -> Doc:
    """The schema of the decisions of a merge (JSON Schema, draft 2020-12)."""
    text = files("couchmend.core.merging").joinpath("decision.schema.json").read_bytes()
    schema: Doc = loads(text)
    return schema


def configuration_schema() -> dict[str, Any]:
    """The schema of a configuration file, policies included (JSON Schema, draft 2020-12)."""
    schema = settings_schema()
    schema["properties"]["policies"] = {
        "description": "What becomes of what two versions changed, by the policy's name.",
        "type": "object",
        "additionalProperties": policy_schema(),
    }
    return schema


def policy_schema() -> dict[str, Any]:
    """The schema of one policy.  Field patterns and the names of resolvers are checked when they
    are read."""
    texts = {"type": "array", "items": {"type": "string", "minLength": 1}, "uniqueItems": True}
    seconds = {"type": "number", "minimum": 0}
    strategy = {
        "anyOf": [
            {"enum": [*STRATEGIES, *STRATEGY_ALIASES]},
            {"type": "string", "pattern": r"^custom:\S+$"},
        ]
    }
    limit = {"enum": list(get_args(Limit))}
    prefer = {
        "type": "object",
        "properties": {"prefer": {"type": "array"}},
        "required": ["prefer"],
        "additionalProperties": False,
    }
    return _table(
        match={"type": "object"},
        ids=texts,
        fields={
            "type": "object",
            "additionalProperties": {"anyOf": [{"type": "string"}, prefer]},
        },
        identity_keys=texts,
        timestamp_fields=texts,
        device_fields=texts,
        ignore_fields=texts,
        checksum=_table(
            field={"type": "string"},
            algorithm={"enum": list(ALGORITHMS)},
            over={},
            form={"enum": list(get_args(ChecksumForm))},
        )
        | {"required": ["field"]},
        schema_version_field={"type": "string"},
        severity=_table(**dict.fromkeys(SEVERITY, texts)),
        auto=_table(
            max_severity=_table(**dict.fromkeys(TYPES, limit)),
            strategy=_table(**dict.fromkeys(TYPES, strategy)),
            min_time_gap_seconds=seconds,
        ),
        no_ancestor={"enum": list(get_args(NoAncestor))},
        attachments={"enum": list(get_args(Attachments))},
        dead_branches={"enum": list(get_args(DeadBranches))},
        clock_skew_seconds=seconds,
    )


def _table(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "additionalProperties": False}
