"""A document that may be in conflict, with everything that is known about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from couchmend.core.document import DESIGN, Doc
from couchmend.core.revtree import Rev, RevTree


@dataclass(frozen=True, slots=True)
class ConflictedDocument:
    """One document of a database.

    bodies: of the leaves and of whatever ancestors are known, as `version_body` gives them.
    acknowledged: tombstones that a person or a policy has acknowledged.
    recorded: merges that the journal knows as our own: by the revision that was written, the
        leaves that were merged in it (the one that it extends is among them, or not).
    """

    database: str
    id: str
    tree: RevTree
    bodies: Mapping[Rev, Doc]
    acknowledged: frozenset[Rev] = frozenset()
    recorded: Mapping[Rev, frozenset[Rev]] = field(default_factory=dict)

    @property
    def is_design(self) -> bool:
        """Whether it is a design document."""
        return self.id.startswith(DESIGN)

    @property
    def winner(self) -> Rev:
        """The leaf that the database shows."""
        return self.tree.winner().rev

    @property
    def live(self) -> tuple[Rev, ...]:
        """The live leaves whose bodies are known, in winner order."""
        return tuple(rev for rev in self._all_live() if rev in self.bodies)

    @property
    def unreadable(self) -> tuple[Rev, ...]:
        """The live leaves whose bodies cannot be read, in winner order.

        A database may list a leaf that it cannot show; nothing is known of what it says, so it
        is never merged and never tombstoned.
        """
        return tuple(rev for rev in self._all_live() if rev not in self.bodies)

    def _all_live(self) -> list[Rev]:
        return [leaf.rev for leaf in self.tree.leaves() if not leaf.deleted]
