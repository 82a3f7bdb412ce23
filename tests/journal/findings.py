"""What the tests put into a journal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection

from couchmend.core.document import Doc
from couchmend.core.revtree import Rev
from couchmend.journal import conflicts, databases, resolutions

ROOT = Rev(1, "0" * 32)
A, B, C = (Rev(2, letter * 32) for letter in "abc")
MERGE = Rev(3, "e" * 32)
DEAD = Rev(3, "f" * 32)


def finding(document: str, **changes: Any) -> conflicts.Finding:
    """A finding, with whatever else is wanted."""
    values: Mapping[str, Any] = {
        "document": document,
        "type": "edit_edit",
        "severity": "high",
        "hidden": False,
        "leaves": 2,
        "fields": ["title"],
        "devices": ["phone", "tablet"],
        "suggested": "manual",
        "eligible": False,
        "reason": "a person must decide",
        "sentence": "the versions changed title",
        "policy": "default",
        "policy_digest": "p",
        "digest": "d",
        "leafset": [A, B],
        "row_digest": "r",
        "details": {"checks": []},
    }
    return conflicts.Finding(**{**values, **changes})


def notes(tx: Connection) -> int:
    """The number of a database that the journal knows."""
    return databases.register(tx, "notes", "http://localhost:5984/notes", 1).id


def queued(tx: Connection, database_id: int, document: str, now: int = 10, **changes: Any) -> int:
    """The number of a conflict that was put into the queue."""
    (one,) = conflicts.queue(tx, database_id, [finding(document, **changes)], now)
    return one.conflict.id


PLAN: Doc = {
    "winner": str(A),
    "write": {"expected": str(MERGE)},
    "tombstones": [{"revision": str(B), "expected": str(DEAD)}],
}


def begun(database_id: int, document: str, **changes: Any) -> resolutions.Begun:
    """A resolution that is about to begin."""
    values: Mapping[str, Any] = {
        "conflict": None,
        "database_id": database_id,
        "document": document,
        "strategy": "merge",
        "by": "auto",
        "plan": PLAN,
        "started_at": 14,
    }
    return resolutions.Begun(**{**values, **changes})
