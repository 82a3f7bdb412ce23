"""A small world: replicas of one database, and users who edit what they see.

Users write as applications do: with a revision that they have read.  Whatever they write is told
to the `Truth` of the document.
"""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field

from couchmend import open_replica
from couchmend.core.document import JSON, Doc
from couchmend.core.merging.attachments import version_body
from couchmend.core.revid import new_rev
from couchmend.core.revtree import Rev, RevTree
from couchmend.core.values import ABSENT, Value, same
from couchmend.errors import NotFound
from couchmend.replica.base import Found, Replica
from couchmend.replica.replicate import replicate
from tests.invariants.truth import COUNTER, FILES, TAGS, Place, Truth

START = 1_700_000_000_000_000
SECOND = 1_000_000


@dataclass(frozen=True)
class Look:
    """A document as a replica has it, every leaf read."""

    tree: RevTree
    bodies: Mapping[Rev, Doc]

    @property
    def live(self) -> list[Rev]:
        """The live leaves, the winner first."""
        return [leaf.rev for leaf in self.tree.leaves() if not leaf.deleted]

    @property
    def dead(self) -> list[Rev]:
        """The tombstones that are leaves."""
        return [leaf.rev for leaf in self.tree.leaves() if leaf.deleted]


def look(replica: Replica, id: str) -> Look:
    """Read a document with all leaves."""
    tree = RevTree()
    bodies: dict[Rev, Doc] = {}
    try:
        found = replica.open_revs(id, revs=True)
    except NotFound:
        return Look(tree, bodies)
    for outcome in found:
        assert isinstance(outcome, Found)
        chain = chain_of(outcome.doc)
        tree.insert(chain, deleted=bool(outcome.doc.get("_deleted")))
        bodies[chain[0]] = version_body(outcome.doc)
    return Look(tree, bodies)


def chain_of(doc: Doc) -> list[Rev]:
    """The chain of a document that was read with `revs`, newest first."""
    told = doc["_revisions"]
    return [Rev(told["start"] - back, hash) for back, hash in enumerate(told["ids"])]


@dataclass
class World:
    """Replicas and the truth.

    timed: whether users write when they do, in `updatedAt`, by the clock of their device.
    log: what happened, for people.
    """

    replicas: list[Replica]
    truths: dict[str, Truth] = field(default_factory=dict)
    timed: bool = False
    now: int = START
    log: list[str] = field(default_factory=list)
    steps: int = 0

    @classmethod
    def of(cls, count: int, *, timed: bool = False) -> World:
        """A world of so many replicas in memory."""
        return cls([open_replica(":memory:") for _ in range(count)], timed=timed)

    def close(self) -> None:
        """Close the replicas."""
        for replica in self.replicas:
            replica.close()

    def note(self, where: int, what: str, documents: int = 1) -> None:
        """Something happened at a replica, to so many documents."""
        self.steps += documents
        self.log.append(f"{where}: {what}")

    def pass_time(self, seconds: float) -> None:
        """Let time pass."""
        self.now += int(seconds * SECOND)

    # --- users

    def create(self, where: int, id: str, body: Doc) -> Rev | None:
        """A user makes a document, or makes it again after it was deleted."""
        seen = look(self.replicas[where], id)
        if seen.live:
            return None
        truth = self.truths.setdefault(id, Truth(id))
        parent = seen.tree.winner().rev if len(seen.tree) else None
        saw = truth.known(parent, every_dead(seen, truth)) if parent is not None else set()
        rev = self._write(where, id, parent, self._stamped(body), seen, saw)
        if rev is not None and parent is not None:
            # Whoever makes a document again says all of it anew.
            truth.wrote[rev] |= {
                place: ABSENT
                for edit in saw
                for place in truth.wrote[edit]
                if place != COUNTER and place not in truth.wrote[rev]
            }
        return rev

    def edit(
        self, where: int, id: str, changes: Mapping[Place, Value | bytes], leaf: int = 0
    ) -> Rev | None:
        """A user changes a leaf that they see: the winner, or another; counters by how much,
        files by their content."""
        seen = look(self.replicas[where], id)
        if not seen.live:
            return None
        parent = seen.live[min(leaf, len(seen.live) - 1)]
        body = changed(seen.bodies[parent], changes)
        if same(body, seen.bodies[parent]):
            return None
        saw = self.truths[id].known(parent, every_dead(seen, self.truths[id]))
        return self._write(where, id, parent, self._stamped(body), seen, saw)

    def delete(self, where: int, id: str, leaf: int = 0) -> Rev | None:
        """A user deletes a leaf."""
        replica = self.replicas[where]
        live = look(replica, id).live
        if not live:
            return None
        victim = live[min(leaf, len(live) - 1)]
        tombstone = Rev.parse(replica.delete(id, str(victim)))
        self.truths[id].delete(tombstone, victim)
        self.note(where, f"a user deletes {id} {victim}")
        return tombstone

    def purge(self, where: int, id: str, leaf: int = 0) -> None:
        """An administrator purges a leaf: what it says need not be found again."""
        leaves = look(self.replicas[where], id).tree.leaves()
        if leaves:
            victim = leaves[min(leaf, len(leaves) - 1)].rev
            self.replicas[where].purge({id: [str(victim)]})
            self.truths[id].excused = "purged"
            self.note(where, f"an administrator purges {id} {victim}")

    def _stamped(self, body: Doc) -> Doc:
        return {**body, "updatedAt": self.now // 1000} if self.timed else body

    def _write(
        self, where: int, id: str, parent: Rev | None, body: Doc, seen: Look, saw: set[Rev]
    ) -> Rev | None:
        truth = self.truths[id]
        extends = parent if parent is not None and not seen.tree.is_deleted(parent) else None
        if FILES not in body and new_rev(parent, False, body) in truth.merges:
            return None  # nobody could tell it from a merge
        doc = _sendable(id, extends, body)
        rev = Rev.parse(self.replicas[where].put(doc))
        stored = look(self.replicas[where], id).bodies[rev]
        truth.edit(rev, parent, stored, saw)
        self.note(where, f"a user writes {id} {parent} -> {rev} {body}")
        return rev

    # --- the database

    def replicate(self, source: int, target: int, ids: Sequence[str] | None = None) -> None:
        """Bring everything, or some documents, from one replica to another."""
        replicate(self.replicas[source], self.replicas[target], doc_ids=ids)
        self.note(
            source,
            f"to {target}" + ("" if ids is None else f": {', '.join(ids)}"),
            len(ids or self.truths),
        )

    def compact(self, where: int) -> None:
        """Forget the bodies of revisions that are no leaves."""
        self.replicas[where].compact()
        self.note(where, "compact", len(self.truths))

    # --- judging

    def check_leaves(self, where: int, why: str, but: Container[str] = ()) -> None:
        """Hold that what a replica shows is right, where there is no conflict.

        but: documents of which somebody was told that it is not.
        """
        for id, truth in self.truths.items():
            if id in but:
                continue
            seen = look(self.replicas[where], id)
            if len(seen.live) == 1:
                truth.check(seen.live[0], every_dead(seen, truth), f"{why}, at {where}")


def every_dead(seen: Look, truth: Truth) -> list[Rev]:
    """The tombstones of engines in a tree, whether they are leaves or not."""
    return [rev for rev in truth.ended if rev in seen.tree]


def changed(body: Doc, changes: Mapping[Place, Value | bytes]) -> Doc:
    """A body with changes; the order of its members is always the same."""
    made = dict(body)
    for place, value in changes.items():
        name = place[0]
        if place == COUNTER:
            made[name] = made.get(name, 0) + value
        elif name == TAGS:
            tags = [tag for tag in made.get(TAGS, []) if tag != place[1]]
            made[TAGS] = tags if value is ABSENT else sorted([*tags, place[1]])
        elif name == FILES:
            files = {file: entry for file, entry in made.get(FILES, {}).items() if file != place[1]}
            if value is not ABSENT:
                files[place[1]] = {"content_type": "application/octet-stream", "data": value}
            made = {key: part for key, part in made.items() if key != FILES}
            made |= {FILES: dict(sorted(files.items()))} if files else {}
        else:
            made.pop(name, None)
            if value is not ABSENT:
                made[name] = value
    fields: dict[str, JSON] = {name: made[name] for name in sorted(made) if name != FILES}
    return {**fields, FILES: made[FILES]} if made.get(FILES) else fields


def _sendable(id: str, rev: Rev | None, body: Doc) -> Doc:
    doc: Doc = {"_id": id, **({} if rev is None else {"_rev": str(rev)}), **body}
    if FILES in body:
        doc[FILES] = {
            name: entry if "data" in entry else {**entry, "stub": True}
            for name, entry in body[FILES].items()
        }
    return doc
