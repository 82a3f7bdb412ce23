"""Databases whose documents are of known kinds, with known edits and conflicts."""

from __future__ import annotations

import hashlib
import itertools
import random
from collections.abc import Iterable, Mapping
from typing import Any

from couchmend.core.document import Doc
from couchmend.core.values import canonical
from couchmend.replica.base import Replica

NOW = 1_764_000_000_000_000
"""In microseconds since 1970: November 2025."""
_SECONDS = NOW // 1_000_000


def iso(seconds_ago: int) -> str:
    """An instant as documents write it."""
    import datetime

    at = datetime.datetime.fromtimestamp(_SECONDS - seconds_ago, datetime.UTC)
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


class Writer:
    """Writes documents, edits and conflicts, and remembers what they were."""

    def __init__(self, replica: Replica) -> None:
        self.replica = replica
        self._number = itertools.count()

    def new(self, id: str, body: Mapping[str, Any]) -> Doc:
        """A new document."""
        rev = self.replica.put({"_id": id, **body})
        return {"_id": id, "_rev": rev, **body}

    def edit(self, doc: Doc, **members: Any) -> Doc:
        """One more revision."""
        changed = {**doc, **members}
        return {**changed, "_rev": self.replica.put(changed)}

    def fork(self, doc: Doc, each: Iterable[Mapping[str, Any] | None]) -> None:
        """Concurrent edits of one revision; None deletes."""
        generation, _, before = str(doc["_rev"]).partition("-")
        for members in each:
            body = {"_id": doc["_id"], "_deleted": True} if members is None else {**doc, **members}
            new = hashlib.md5(f"{next(self._number)}".encode()).hexdigest()
            number = int(generation) + 1
            body["_rev"] = f"{number}-{new}"
            body["_revisions"] = {"start": number, "ids": [new, before]}
            assert self.replica.bulk_docs([body], new_edits=False) == []


def task(number: int, chance: random.Random) -> Doc:
    """A planner's task."""
    return {
        "type": "task",
        "title": f"Task {number}",
        "status": chance.choice(["todo", "in_progress", "done"]),
        "priority": chance.randrange(1, 4),
        "pomodoros": chance.randrange(9),
        "tags": chance.sample(["home", "work", "garden", "urgent"], 2),
        "subtasks": [
            {"id": f"{number}-{place}", "title": "A step", "done": False} for place in range(3)
        ],
        "updatedAt": iso(100_000 + number),
        "dueDate": iso(-86_400 * chance.randrange(3, 300)),
        "deviceId": chance.choice(["phone", "laptop"]),
    }


def note(number: int, chance: random.Random) -> Doc:
    """A note: long texts, some of one line, and a stamp with a name of its own."""
    words = " ".join(chance.choice(["river", "stone", "letter", "winter"]) for _ in range(24))
    return {
        "type": "note",
        "body": words if number % 2 else f"{words}\n{words}",
        "stamp": _SECONDS - 100_000 - number,
        "edits": 1,
    }


def order(number: int, chance: random.Random) -> Doc:
    """An order: lines known by their article, and a checksum over the rest."""
    body: Doc = {
        "type": "order",
        "lines": [
            {"sku": f"A{number}{place}", "quantity": chance.randrange(1, 9)} for place in range(2)
        ],
        "schemaVersion": 2,
    }
    return {**body, "checksum": hashlib.sha256(canonical(body)).hexdigest()}


def reading(number: int, chance: random.Random) -> Doc:
    """A sensor's reading, which nobody edits."""
    return {
        "type": "reading",
        "sensor": f"sensor-{number % 3}",
        "at": iso(number * 60),
        "celsius": round(chance.uniform(-5, 30), 1),
        "position": [chance.randrange(90), chance.randrange(180)],
    }


def planner(replica: Replica, count: int = 40) -> None:
    """All of them, with edits and conflicts of tasks and notes."""
    chance = random.Random(7)
    writer = Writer(replica)
    for number in range(count):
        doc = writer.new(f"task-{number}", task(number, chance))
        subtasks = [{**doc["subtasks"][0], "done": True}, *doc["subtasks"][1:]]
        doc = writer.edit(
            doc, subtasks=subtasks, pomodoros=doc["pomodoros"] + 1, updatedAt=iso(50_000 + number),
            deviceId="phone", priority=4 - doc["priority"],
        )  # fmt: skip
        if number % 2:
            status = {"todo": ("done", "in_progress"), "done": ("todo", "in_progress")}.get(
                doc["status"], ("done", "todo")
            )
            writer.fork(
                doc,
                [
                    {"status": status[0], "pomodoros": doc["pomodoros"] + 1,
                     "updatedAt": iso(4_000), "deviceId": "phone"},
                    {"status": status[1], "pomodoros": doc["pomodoros"] + 2,
                     "updatedAt": iso(2_000), "deviceId": "laptop"},
                ],
            )  # fmt: skip
        written = writer.new(f"note-{number}", note(number, chance))
        writer.edit(written, stamp=_SECONDS - number, edits=2, body=f"{written['body']} more")
        ordered = writer.new(f"order-{number}", order(number, chance))
        lines = [{**ordered["lines"][0], "quantity": 10}, ordered["lines"][1]]
        body = {"type": "order", "lines": lines, "schemaVersion": 2}
        digest = hashlib.sha256(canonical(body)).hexdigest()
        writer.edit(ordered, lines=lines, checksum=digest)
        writer.new(f"reading-{number}", reading(number, chance))
