"""The documents that are written, the same for everything that is measured.

A document is 500 bytes of compact JSON, its `_id` included and `_rev` and `_revisions` not.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterable, Iterator

from couchmend.core.document import Doc, dumps

SIZE_BYTES = 500
_WORDS = (
    "plan", "review", "write", "call", "ship", "order", "paint", "fix", "clean", "draft", "send",
    "book", "pack", "read", "water", "repair", "sort", "learn", "weekly", "garden", "report",
    "invoice", "kitchen", "bicycle", "budget", "window", "letter", "project",
)  # fmt: skip
_STATES = ("todo", "in_progress", "done")


def documents(count: int, seed: int = 7, size_bytes: int = SIZE_BYTES) -> Iterator[Doc]:
    """`count` new documents: tasks with a few fields, lists and objects."""
    chance = random.Random(seed).random  # random() alone is the same in every Python

    def word() -> str:
        return _WORDS[int(chance() * len(_WORDS))]

    for number in range(count):
        doc: Doc = {
            "_id": f"task-{number:08d}",
            "type": "task",
            "title": f"{word()} {word()} {word()}",
            "status": _STATES[int(chance() * 3)],
            "priority": int(chance() * 5),
            "done": chance() < 0.5,
            "estimate": int(chance() * 40) * 15,
            "updatedAt": 1764000000000 + int(chance() * 1e9),
            "tags": [word(), word()],
            "subtasks": [{"id": f"s{i}", "title": word(), "done": False} for i in range(3)],
            "notes": "",
        }
        room = size_bytes - len(dumps(doc))
        text = " ".join(word() for _ in range(room // 4))
        doc["notes"] = text[:room].ljust(room, ".")
        yield doc


def with_revisions(docs: Iterable[Doc]) -> Iterator[Doc]:
    """The documents as replication brings them: each with a first revision of its own."""
    for doc in docs:
        yield _as_revision(doc)


def conflicted(docs: Iterable[Doc], every: int) -> Iterator[Doc]:
    """The same, and after every `every`-th document two edits of it, which are in conflict."""
    for number, doc in enumerate(docs):
        first = _as_revision(doc)
        yield first
        if number % every == 0:
            for device in ("phone", "laptop"):
                edited = {**doc, "updatedAt": doc["updatedAt"] + 1, "device": device}
                yield _as_revision(edited, *first["_revisions"]["ids"])


def _as_revision(doc: Doc, *ancestors: str) -> Doc:
    digest = hashlib.md5(dumps(doc), usedforsecurity=False).hexdigest()
    chain = [digest, *ancestors]
    return {
        **doc,
        "_rev": f"{len(chain)}-{digest}",
        "_revisions": {"start": len(chain), "ids": chain},
    }
