"""A document that is edited, deleted and resolved in memory, with the revisions of CouchDB."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from couchmend.core.conflicts.document import ConflictedDocument
from couchmend.core.document import JSON, Doc
from couchmend.core.merging.attachments import version_body
from couchmend.core.plans.plan import plan
from couchmend.core.plans.planned import Plan
from couchmend.core.plans.writes import Write, write_over
from couchmend.core.policy.policy import PLAIN, Policy
from couchmend.core.revid import new_rev
from couchmend.core.revtree import Rev, RevTree


@dataclass
class Growing:
    """Every revision of a document, with its parent and its body."""

    parents: dict[Rev, Rev | None] = field(default_factory=dict)
    bodies: dict[Rev, Doc] = field(default_factory=dict)
    dead: set[Rev] = field(default_factory=set)
    recorded: dict[Rev, frozenset[Rev]] = field(default_factory=dict)
    acknowledged: set[Rev] = field(default_factory=set)

    def edit(self, parent: Rev | None, **fields: JSON) -> Rev:
        """Extend a revision, or begin."""
        return self.store(parent, version_body(fields))

    def store(self, parent: Rev | None, body: Doc) -> Rev:
        if parent is None:  # equal roots are told apart by when they began
            rev = new_rev(None, False, {"body": body, "number": len(self.parents)})
        else:
            rev = write_over(parent, body, {Rev(0, "own"): body}).expected
        self.parents[rev] = parent
        self.bodies[rev] = body
        return rev

    def delete(self, parent: Rev) -> Rev:
        rev = new_rev(parent, True, {})
        self.parents[rev] = parent
        self.bodies[rev] = {}
        self.dead.add(rev)
        return rev

    def forget(self, *revs: Rev) -> None:
        """Compaction."""
        for rev in revs:
            del self.bodies[rev]

    @property
    def tree(self) -> RevTree:
        parents = set(self.parents.values())
        chains = []
        for rev in self.parents:
            if rev not in parents:
                chain: list[Rev] = []
                step: Rev | None = rev
                while step is not None:
                    chain.append(step)
                    step = self.parents[step]
                chains.append((chain, rev in self.dead))
        tree = RevTree.of(chains)
        for inner in self.dead & parents:
            tree.insert(tree.chain(inner), deleted=True)
        return tree

    def now(self) -> ConflictedDocument:
        return ConflictedDocument(
            "db", "doc", self.tree, self.bodies, frozenset(self.acknowledged), self.recorded
        )

    def plan(self, strategy: str = "merge", policy: Policy = PLAIN, **more: object) -> Plan:
        return plan(self.now(), strategy, policy, **more)  # type: ignore[arg-type]

    def write(self, write: Write) -> None:
        self.parents[write.expected] = write.parent
        self.bodies[write.expected] = write.body

    def carry_out(self, made: Plan) -> None:
        assert made.ready, made.sentence
        if made.write is not None:
            self.write(made.write)
        for tombstone in made.tombstones:
            assert self.delete(tombstone.rev) == tombstone.expected
        self.acknowledged.update(made.acknowledge)

    def forked(self, base: Mapping[str, JSON], *sides: Mapping[str, JSON]) -> list[Rev]:
        """A revision, and others over it; returns the base, then the leaves in winner order."""
        root = self.edit(None, **base)
        leaves = {self.edit(root, **side) for side in sides}
        assert len(leaves) == len(sides)
        return [root, *(leaf.rev for leaf in self.tree.leaves() if leaf.rev in leaves)]


def ranked(document: Growing, *leaves: Rev) -> list[Rev]:
    """Leaves in winner order."""
    return [leaf.rev for leaf in document.tree.leaves() if leaf.rev in leaves]
