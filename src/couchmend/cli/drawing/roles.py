"""What the versions of a conflict are called, and in which style, everywhere in its picture."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from couchmend.cli.drawing.safe import name
from couchmend.cli.drawing.times import moment
from couchmend.cli.output import plain
from couchmend.cli.tree import short_hash_length
from couchmend.core.conflicts.document import ConflictedDocument
from couchmend.core.policy.policy import Policy
from couchmend.core.revtree import Rev

CURRENT: Final = "bold cyan"
OTHERS: Final = ("bold yellow", "bold magenta", "bold blue")
DELETION: Final = "bold red"
FAINT: Final = "bright_black"
_LONGEST_DEVICE: Final = 24


@dataclass(frozen=True, slots=True)
class Role:
    """One version: what it is called, its style, and who wrote it and when, where it says so."""

    rev: Rev
    label: str
    style: str
    note: str = ""


def roles_of(
    doc: ConflictedDocument, policy: Policy, deletions: tuple[Rev, ...]
) -> Mapping[Rev, Role]:
    """The leaves that a conflict is between, by revision: the winner first, then the others and
    the deletions."""
    others = doc.live[1:]
    lengths = short_hash_length([*doc.live, *deletions, *doc.unreadable])
    roles = {}
    for place, rev in enumerate(doc.live):
        called = "current" if not place else "other"
        if len(others) > 1 and place:
            called = f"other {shortened(rev, lengths)}"
        style = CURRENT if not place else OTHERS[(place - 1) % len(OTHERS)]
        roles[rev] = Role(rev, called, style, _written_by(doc, policy, rev))
    for rev in deletions:
        roles[rev] = Role(rev, "deleted", DELETION, _deleted_from(doc, rev))
    for rev in doc.unreadable:
        roles[rev] = Role(rev, "cannot be read", FAINT)
    return roles


def shortened(rev: Rev, digits: int = 6) -> str:
    """A revision by its first digits."""
    return f"{rev.generation}-{plain(rev.hash[:digits])}"


def _written_by(doc: ConflictedDocument, policy: Policy, rev: Rev) -> str:
    version = policy.version(str(rev), doc.bodies[rev])
    device = [] if version.device is None else [name(version.device, _LONGEST_DEVICE)]
    when = [] if version.timestamp is None else [moment(version.timestamp)]
    return "  ".join([*device, *when])


def _deleted_from(doc: ConflictedDocument, rev: Rev) -> str:
    parent = doc.tree.parent(rev)
    return "" if parent is None else f"of {shortened(parent)}"
