"""Trees for tests, written as they are drawn, and a document around them.

    tree("1-a 2-b 3-c", "1-a 2-d†")

is a root with two branches, the second of which ends in a tombstone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from couchmend.core.conflicts.document import ConflictedDocument
from couchmend.core.policy.policy import Policy
from couchmend.core.revtree import Rev, RevTree

DEAD = "†"

r = Rev.parse


def tree(*branches: str) -> RevTree:
    """The tree of branches written from the root on."""
    paths, seen = [], set[Rev]()
    for branch in branches:
        path, flags = [], []
        for word in reversed(branch.split()):
            rev = r(word.removesuffix(DEAD))
            path.append(rev)
            flags.append(word.endswith(DEAD))
            if rev in seen:
                break
            seen.add(rev)
        paths.append((path, flags))
    return RevTree.from_paths(paths)


def revs(text: str) -> tuple[Rev, ...]:
    """The revisions in a text."""
    return tuple(map(r, text.split()))


def doc(
    grown: RevTree,
    bodies: Mapping[str, Any],
    *,
    recorded: Mapping[str, str] | None = None,
    acknowledged: str = "",
    id: str = "task-1",
) -> ConflictedDocument:
    """A document; revisions are written as text."""
    return ConflictedDocument(
        "tasks",
        id,
        grown,
        {r(rev): body for rev, body in bodies.items()},
        frozenset(revs(acknowledged)),
        {r(rev): frozenset(revs(those)) for rev, those in (recorded or {}).items()},
    )


def taking(fields: Iterable[str], resolver: str = "max") -> Policy:
    """A policy that gives some fields to a resolver."""
    return Policy(fields=dict.fromkeys(fields, resolver))
