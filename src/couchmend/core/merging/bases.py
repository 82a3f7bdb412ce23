"""What is known of the body at which branches meet."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum

from couchmend.core.revtree import Rev, RevTree
from couchmend.core.values import ABSENT, Value


class BaseKind(Enum):
    """How good a base is."""

    EXACT = "exact"
    """The body of the common ancestor is known."""
    APPROXIMATE = "approximate"
    """It is not, but that of an older common one is."""
    GONE = "gone"
    """A common ancestor is known, and no body."""
    CREATED = "created"
    """There is no common ancestor, or it is a deletion: created more than once."""
    STEMMED = "stemmed"
    """None is known, because the database forgot the beginning of a branch."""


NO_ANCESTOR = frozenset({BaseKind.CREATED, BaseKind.STEMMED})
"""Those without a common ancestor."""


@dataclass(frozen=True, slots=True)
class Base:
    """What branches are merged over.

    rev: the revision whose body it is, or, where none is known, that at which they meet.
    body: `ABSENT` where none is known.
    """

    kind: BaseKind
    rev: Rev | None
    body: Value


def base_at(
    tree: RevTree, at: Rev | None, leaves: Iterable[Rev], bodies: Mapping[Rev, Value]
) -> Base:
    """The base for branches that meet at a revision, or nowhere (None).

    leaves: of those branches.
    bodies: by revision, of all that are known.
    """
    if at is None:
        roots = [tree.chain(leaf)[-1] for leaf in leaves]
        forgotten = any(root.generation > 1 for root in roots)
        return Base(BaseKind.STEMMED if forgotten else BaseKind.CREATED, None, ABSENT)
    if tree.is_deleted(at):
        return Base(BaseKind.CREATED, at, ABSENT)
    for rev in tree.ancestry(at):
        body = bodies.get(rev, ABSENT)
        if body is not ABSENT and not tree.is_deleted(rev):
            return Base(BaseKind.EXACT if rev == at else BaseKind.APPROXIMATE, rev, body)
    return Base(BaseKind.GONE, at, ABSENT)
