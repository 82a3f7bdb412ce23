"""The JSON Schemas of what couchmend writes for programs."""

from __future__ import annotations

from importlib.resources import files

from couchmend.core.document import Doc, loads


def decisions_schema() -> Doc:
    """The schema of the decisions of a merge (JSON Schema, draft 2020-12)."""
    text = files("couchmend.core.merging").joinpath("decision.schema.json").read_bytes()
    schema: Doc = loads(text)
    return schema
