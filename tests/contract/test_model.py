"""Whatever is done to a document, its tree is that of a model too simple to be wrong.

The model keeps every revision with its parent.  Revisions come by edits, and by chains as
replication brings them, whose revisions are named after their place in one common history:
the same revision always has the same parent.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import ClassVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from couchmend.core.document import JSON, Doc
from couchmend.errors import Conflict, NotFound
from couchmend.replica.base import ChangesQuery, Found, Missing, Replica
from tests.contract.backends import Backend
from tests.contract.chains import until


@dataclass
class Node:
    """One revision; `body` is None while it is not stored."""

    parent: str | None
    deleted: bool
    body: int | None


@dataclass
class Model:
    """One document: what is stored, and every revision there ever was anywhere."""

    nodes: dict[str, Node] = field(default_factory=dict)
    history: dict[str, Node] = field(default_factory=dict)

    def leaves(self) -> list[str]:
        """All leaves, the winner first."""
        parents = {node.parent for node in self.nodes.values()}
        return sorted(set(self.nodes) - parents, key=self._precedence, reverse=True)

    def live(self) -> list[str]:
        """The leaves that are no tombstones."""
        return [rev for rev in self.leaves() if not self.nodes[rev].deleted]

    def _precedence(self, rev: str) -> tuple[bool, int, bytes]:
        return not self.nodes[rev].deleted, generation(rev), bytes.fromhex(rev.partition("-")[2])

    def chain(self, rev: str) -> list[str]:
        """The revision and its ancestors, newest first."""
        chain: list[str] = []
        step: str | None = rev
        while step is not None:
            chain.append(step)
            step = self.history[step].parent
        return chain

    def add(self, rev: str, body: int) -> None:
        """Store a revision; its ancestors become known by it."""
        for step in self.chain(rev):
            node = self.history[step]
            self.nodes.setdefault(step, Node(node.parent, node.deleted, None))
        if self.nodes[rev].body is None:
            self.nodes[rev].body = body

    def keep_only(self, leaves: list[str]) -> None:
        """Forget whatever does not lead to one of these."""
        kept = {step for leaf in leaves for step in self.chain(leaf)}
        self.nodes = {rev: node for rev, node in self.nodes.items() if rev in kept}


def generation(rev: str) -> int:
    """The number before the hash."""
    return int(rev.partition("-")[0])


def child(parent: str | None, letter: str) -> str:
    """The revision that follows `parent` by edit `letter`."""
    digest = hashlib.md5(f"{parent} {letter}".encode(), usedforsecurity=False).hexdigest()
    return f"{generation(parent) + 1 if parent else 1}-{digest}"


class Machine(RuleBasedStateMachine):
    """Drives a replica and the model side by side, each run with a document of its own."""

    replica: ClassVar[Replica]
    numbers: ClassVar[Iterator[int]]
    compacts_by_itself: ClassVar[bool]

    def __init__(self) -> None:
        super().__init__()
        self.id = f"doc{next(self.numbers)}"
        self.model = Model()
        self.value = 0

    def _doc(self, rev: str | None, *, deleted: bool) -> Doc:
        self.value += 1
        doc: Doc = {"_id": self.id, "v": self.value}
        if rev is not None:
            doc["_rev"] = rev
        if deleted:
            doc["_deleted"] = True
        return doc

    def _edit(self, rev: str | None, parent: str | None, *, deleted: bool) -> None:
        written = self.replica.put(self._doc(rev, deleted=deleted))
        assert generation(written) == (generation(parent) + 1 if parent else 1)
        self.model.history[written] = Node(parent, deleted, None)
        self.model.add(written, self.value)

    @rule(deleted=st.booleans())
    def create(self, deleted: bool) -> None:
        leaves = self.model.leaves()
        if not leaves:
            self._edit(None, None, deleted=deleted)
        elif not self.model.live() and not deleted:
            self._edit(None, leaves[0], deleted=False)
        else:
            with pytest.raises(Conflict):
                self.replica.put(self._doc(None, deleted=deleted))

    @precondition(lambda self: self.model.live())
    @rule(place=st.integers(0, 99), deleted=st.booleans())
    def edit_a_leaf(self, place: int, deleted: bool) -> None:
        leaves = self.model.leaves()
        rev = leaves[place % len(leaves)]
        self._edit(rev, rev, deleted=deleted)

    @precondition(lambda self: len(self.model.nodes) > len(self.model.leaves()))
    @rule(place=st.integers(0, 99))
    def edit_an_inner_revision(self, place: int) -> None:
        inner = sorted(set(self.model.nodes) - set(self.model.leaves()))
        with pytest.raises(Conflict):
            self.replica.put(self._doc(inner[place % len(inner)], deleted=False))

    @rule(
        place=st.integers(0, 99),
        steps=st.lists(st.sampled_from("abcX"), max_size=4),
        whole=st.booleans(),
    )
    def replicate_a_chain(self, place: int, steps: list[str], whole: bool) -> None:
        """From any revision there ever was, or a new root; X deletes.

        The chain is sent as a whole, or no further back than to what is stored.
        """
        known = [None, *sorted(self.model.history)]
        rev = known[place % len(known)]
        for letter in steps if rev is not None else [*steps, "a"]:
            parent, rev = rev, child(rev, letter)
            self.model.history.setdefault(rev, Node(parent, letter == "X", None))
        assert rev is not None
        chain = self.model.chain(rev)
        if not whole:
            stored = [n for n, step in enumerate(chain) if step in self.model.nodes]
            chain = chain[: stored[0] + 1] if stored else chain
        doc = self._doc(rev, deleted=self.model.history[rev].deleted)
        hashes = [step.partition("-")[2] for step in chain]
        doc["_revisions"] = {"start": generation(rev), "ids": hashes}
        assert self.replica.bulk_docs([doc], new_edits=False) == []
        self.model.add(rev, self.value)

    @precondition(lambda self: self.model.nodes)
    @rule(place=st.integers(0, 99))
    def purge_a_leaf(self, place: int) -> None:
        leaves = self.model.leaves()
        rev = leaves.pop(place % len(leaves))
        assert self.replica.purge({self.id: [rev]}) == {self.id: (rev,)}
        self.model.keep_only(leaves)

    @precondition(lambda self: len(self.model.nodes) > len(self.model.leaves()))
    @rule()
    def compact(self) -> None:
        inner = set(self.model.nodes) - set(self.model.leaves())
        for rev in inner:
            self.model.nodes[rev].body = None
        self.replica.compact()
        gone = [Missing(self.id, rev) for rev in sorted(inner)]
        until(lambda: self.replica.open_revs(self.id, sorted(inner)) == gone)

    @invariant()
    def the_winner_and_its_conflicts(self) -> None:
        leaves, live = self.model.leaves(), self.model.live()
        if not live:
            with pytest.raises(NotFound) as missing:
                self.replica.get(self.id)
            assert missing.value.reason == ("deleted" if leaves else "missing")
            return
        doc = self.replica.get(self.id, conflicts=True, deleted_conflicts=True)
        assert doc["_rev"] == leaves[0]
        assert doc["v"] == self.model.nodes[leaves[0]].body
        assert doc.get("_conflicts", []) == live[1:]
        assert doc.get("_deleted_conflicts", []) == leaves[len(live) :]

    @invariant()
    def the_row_of_changes(self) -> None:
        query = ChangesQuery(doc_ids=[self.id], style="all_docs")
        rows = self.replica.changes(query).rows
        leaves = self.model.leaves()
        if leaves:
            (row,) = rows
            assert row.revs == tuple(leaves)
            assert row.deleted is self.model.nodes[leaves[0]].deleted
        else:
            assert rows == ()

    @invariant()
    def every_leaf_with_its_chain(self) -> None:
        leaves = self.model.leaves()
        if not leaves:
            return
        docs = {}
        for outcome in self.replica.open_revs(self.id, revs=True):
            assert isinstance(outcome, Found)
            docs[outcome.doc["_rev"]] = outcome.doc
        assert set(docs) == set(leaves)
        for rev, doc in docs.items():
            hashes: JSON = [step.partition("-")[2] for step in self.model.chain(rev)]
            assert doc["_revisions"] == {"start": generation(rev), "ids": hashes}
            assert doc["v"] == self.model.nodes[rev].body
            assert doc.get("_deleted", False) is self.model.nodes[rev].deleted

    @invariant()
    def every_body_that_is_stored_and_no_other(self) -> None:
        revs = sorted(self.model.history)
        bodies = {
            outcome.doc["_rev"]: outcome.doc["v"]
            for outcome in self.replica.open_revs(self.id, revs)
            if isinstance(outcome, Found)
        }
        nodes = self.model.nodes.items()
        stored = {rev: node.body for rev, node in nodes if node.body is not None}
        if self.compacts_by_itself:
            stored = {rev: body for rev, body in stored.items() if rev in bodies}
        assert bodies == stored

    @invariant()
    def what_is_missing(self) -> None:
        lacking = set(self.model.history) - set(self.model.nodes)
        diff = self.replica.revs_diff({self.id: sorted(self.model.history)})
        if not lacking:
            assert diff == {}
            return
        assert set(diff[self.id].missing) == lacking
        newest = max(map(generation, lacking))
        older = {rev for rev in self.model.leaves() if generation(rev) < newest}
        assert set(diff[self.id].possible_ancestors) == older


def _run(backend: Backend, examples: int, steps: int) -> None:
    with backend.replica() as opened:

        class OnThis(Machine):
            replica = opened
            numbers = itertools.count()
            compacts_by_itself = backend.compacts_by_itself

        run_state_machine_as_test(
            OnThis,
            settings=settings(
                max_examples=examples,
                stateful_step_count=steps,
                deadline=None,
                suppress_health_check=list(HealthCheck),
            ),
        )


def test_a_document_is_what_the_model_says(backend: Backend) -> None:
    _run(backend, examples=8, steps=12)


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_a_document_is_what_the_model_says_at_length(backend: Backend) -> None:
    _run(backend, examples=200, steps=40)
