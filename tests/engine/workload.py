"""A database of tasks, some of them in conflict in every way there is; what is to be found in it.

Unlike what is measured, every kind comes the same number of times, and what each side wrote says
which conflict it is for.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.engine.storing import rev_of, revision

Doc = dict[str, Any]

TYPES = {
    "clean": "",
    "resolved": "",
    "deleted": "",
    "disjoint": "merge_candidates",
    "same": "merge_candidates",
    "labels": "merge_candidates",
    "steps": "merge_candidates",
    "overlap": "edit_edit",
    "three": "edit_edit",
    "deep": "edit_edit",
    "removed": "edit_delete",
    "hidden": "edit_delete",
    "created": "version_mismatch",
}
"""Kinds of documents, each with the type of conflict that it is in."""


@dataclass(frozen=True)
class Expected:
    """What is to be found of a document."""

    type: str
    hidden: bool
    leaves: int


def base(id: str) -> Doc:
    return {
        "type": "task",
        "title": f"Water the {id}",
        "status": "todo",
        "estimate": 30,
        "tags": ["garden", "weekly"],
        "subtasks": [{"id": "s1", "title": "fetch", "done": False}, {"id": "s2", "title": "pour"}],
        "updatedAt": 1_764_000_000_000,
        "deviceId": "desk",
    }


def edited(doc: Doc, device: str, minutes: int, **fields: Any) -> Doc:
    """The document with other values; None takes a field away."""
    found = {**doc, **fields, "deviceId": device}
    found["updatedAt"] = doc["updatedAt"] + minutes * 60_000
    return {name: value for name, value in found.items() if value is not None}


def sides(kind: str, before: Doc) -> list[Doc | None]:
    """What each branch makes of it; None is a deletion."""
    phone: Doc = {"device": "phone", "minutes": 1}
    desk: Doc = {"device": "desk", "minutes": 60}
    match kind:
        case "clean":
            return [edited(before, status="done", **phone)]
        case "deleted":
            return [None, None]
        case "disjoint":
            return [edited(before, status="done", **phone), edited(before, estimate=45, **desk)]
        case "same":
            return [edited(before, status="done", **phone), edited(before, status="done", **desk)]
        case "labels":
            mine = [*before["tags"], "left"]
            theirs = [*before["tags"][1:], "right"]
            return [edited(before, tags=mine, **phone), edited(before, tags=theirs, **desk)]
        case "steps":
            first, second = before["subtasks"]
            mine = [{**first, "done": True}, second]
            theirs = [first, {**second, "title": "pour slowly"}, {"id": "s3", "title": "rest"}]
            return [edited(before, subtasks=mine, **phone), edited(before, subtasks=theirs, **desk)]
        case "overlap" | "deep":
            return [edited(before, estimate=45, **phone), edited(before, estimate=60, **desk)]
        case "three":
            third = edited(before, device="tablet", minutes=90, title="Plant")
            return [*sides("overlap", before), third]
        case "removed":
            return [edited(before, estimate=None, **phone), edited(before, estimate=60, **desk)]
        case "hidden":
            return [edited(before, estimate=60, **desk), None]
    raise ValueError(kind)


def family(kind: str, number: int) -> Iterator[Doc]:
    """The revisions of one document, ancestors first."""
    id = f"{kind}-{number:04d}"
    before = base(id)
    root = rev_of(1, id)
    yield revision(id, [root], before)
    if kind == "created":
        yield revision(id, [rev_of(1, id, "again")], {**before, "title": "Buy seeds"})
        return
    if kind == "resolved":
        loser, winner, merge = (rev_of(n, id, n, k) for n, k in ((2, 1), (2, 2), (3, 3)))
        yield revision(id, [loser, root], edited(before, "phone", 1, estimate=45))
        yield revision(id, [winner, root], edited(before, "desk", 60, status="done"))
        merged = edited(before, "desk", 60, status="done", estimate=45)
        yield revision(id, [merge, winner, root], merged)
        yield revision(id, [rev_of(3, id, "end"), loser, root], {}, deleted=True)
        return
    for side, body in enumerate(sides(kind, before)):
        chain = [rev_of(2, id, side), root]
        if kind == "deep":
            yield revision(id, chain, {**(body or {}), "estimate": 31 + side})
            chain = [rev_of(3, id, side), *chain]
        yield revision(id, chain, body or {}, deleted=body is None)


def workload(each: int) -> tuple[list[Doc], dict[str, Expected]]:
    """The revisions in the order in which they are to be written, and the conflicts by id."""
    docs: list[Doc] = []
    expected = {}
    for number in range(each):
        for kind, type in TYPES.items():
            docs += family(kind, number)
            if type:
                leaves = 3 if kind == "three" else 2
                expected[f"{kind}-{number:04d}"] = Expected(type, kind == "hidden", leaves)
    return docs, expected
