"""Whatever is decided with all that a database knows is decided with the needed ancestors."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from couchmend.core.conflicts.document import ConflictedDocument
from couchmend.core.conflicts.eligibility import Circumstances
from couchmend.core.merging.attachments import version_body
from couchmend.core.plans.assessing import Assessment, assess
from couchmend.core.policy.policy import Policy
from couchmend.core.revtree import Rev, RevTree
from couchmend.engine.finding.reading import InConflict, Reader, row_of
from couchmend.replica.base import Found, Replica
from couchmend.replica.embedded import EmbeddedReplica
from tests.engine.storing import revision

NOW = Circumstances("auto", 1_800_000_000_000_000)
ALONE = Circumstances("auto", 1_800_000_000_000_000, other_engines=False)
POLICIES = {
    "default": Policy(),
    "adds up": Policy(fields={"x": "counter"}),
    "takes": Policy(fields={"x": "max", "y": "max"}, no_ancestor="union"),
    "last": Policy(timestamp_fields=["z"], no_ancestor="last-write-wins"),
    "dead branches": Policy(dead_branches="report"),
}
NUMBERS = itertools.count()


@dataclass
class Grown:
    """What is written, oldest first: a chain, newest first, a body or None where nobody has it,
    and whether it is a tombstone."""

    revisions: dict[str, tuple[list[str], dict[str, Any] | None, bool]] = field(
        default_factory=dict
    )


@st.composite
def histories(draw: st.DrawFn) -> Grown:
    """Edits of any revision, deletions, revivals of what was deleted, several roots, some bodies
    that are lost; small values, so that merges come about by chance."""
    grown = Grown()
    bodies: dict[str, dict[str, Any]] = {}
    for number in range(draw(st.integers(3, 10))):
        known = list(grown.revisions)
        start = not known or draw(st.integers(0, 11)) == 0
        parent = None if start else draw(st.sampled_from(known))
        above = [] if parent is None else grown.revisions[parent][0]
        digest = f"{draw(st.integers(0, 15)):x}{number:031x}"
        rev = f"{len(above) + 1}-{digest}"
        dead = bool(above) and draw(st.integers(0, 4)) == 0
        body = {} if dead else dict(bodies.get(parent or "", {"x": 0, "y": 0, "z": 1}))
        if not dead:
            changed = st.dictionaries(st.sampled_from("xyz"), st.integers(0, 2), max_size=2)
            body |= draw(changed)
        bodies[rev] = body
        lost = draw(st.integers(0, 9)) == 0
        grown.revisions[rev] = ([rev, *above], None if lost else body, dead)
    return grown


@pytest.fixture(scope="module")
def replica() -> Iterator[Replica]:
    with EmbeddedReplica.open(":memory:") as replica:
        yield replica


def stored(replica: Replica, grown: Grown) -> str:
    id = f"doc-{next(NUMBERS)}"
    parents = {chain[1] for chain, _, _ in grown.revisions.values() if len(chain) > 1}
    docs = [
        revision(id, chain, body or {}, deleted=dead)
        for rev, (chain, body, dead) in grown.revisions.items()
        if body is not None or rev not in parents
    ]
    for doc in docs:
        assert replica.bulk_docs([doc], new_edits=False) == []
    return id


def all_known(replica: Replica, id: str, doc: ConflictedDocument) -> ConflictedDocument:
    """The document with every body that the database has."""
    inner = {rev for path, _ in doc.tree.to_paths() for rev in path}
    tree = RevTree.from_paths(doc.tree.to_paths())
    bodies = dict(doc.bodies)
    for row in replica.bulk_get([(id, str(rev)) for rev in sorted(inner)]):
        for outcome in row.outcomes:
            if isinstance(outcome, Found):
                rev = Rev.parse(outcome.doc["_rev"])
                bodies[rev] = version_body(outcome.doc)
                if outcome.doc.get("_deleted"):
                    tree.insert([rev], deleted=True)
    return ConflictedDocument(doc.database, id, tree, bodies)


def told(found: Assessment | None) -> object:
    if found is None:
        return None
    checks = [(check.name, check.passed, check.sentence) for check in found.checks]
    return (
        found.classified, found.suggested, found.strategy, checks, found.plan.to_json(),
        found.digest,
    )  # fmt: skip


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(histories(), st.sampled_from(sorted(POLICIES)), st.sampled_from([NOW, ALONE]))
def test_the_needed_ancestors_suffice(
    replica: Replica, grown: Grown, name: str, now: Circumstances
) -> None:
    policy = POLICIES[name]
    id = stored(replica, grown)
    reader = Reader(replica, "db", dead_branches=policy.dead_branches == "report")
    (reading,) = reader.documents([row_of(id)])
    doc = getattr(reading, "doc", None)
    assert isinstance(doc, ConflictedDocument)
    whole = all_known(replica, id, doc)
    expected = assess(whole, policy, now)
    assert told(assess(doc, policy, now)) == told(expected)
    assert isinstance(reading, InConflict) or expected is None
