"""Somebody merged an older version of what was tombstoned here as saying nothing new.

A loser that the winner contains is only tombstoned, which leaves no trace in any body.  Another
installation that did not know it, but the revision that it extends, may merge that: the document
is linear then, and what the loser took back stands again.  Nothing but the journal can tell.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from typing import Final

from couchmend.core.conflicts.containment import Containments
from couchmend.core.conflicts.document import ConflictedDocument
from couchmend.core.document import Doc
from couchmend.core.merging.attachments import version_body
from couchmend.core.merging.telling import label, labels
from couchmend.core.plans.strategies import automatically
from couchmend.core.policy.policy import Policy
from couchmend.core.revtree import Rev
from couchmend.engine.finding.reading import Known
from couchmend.errors import CouchmendError
from couchmend.replica.base import Found, Replica

_MOST_TESTED: Final = 20
_MOST_READ: Final = 100


def overtakers(doc: ConflictedDocument, dead: Mapping[Rev, Rev]) -> dict[Rev, tuple[Rev, ...]]:
    """Revisions of the winner's chain that somebody else wrote and that may have overtaken a
    loser, each with the losers; nothing is read for it.

    dead: our tombstones of the document, by loser.
    """
    tree = doc.tree
    winner = tree.winner()
    if winner.deleted:
        return {}
    line = list(tree.ancestry(winner.rev))
    merged = {loser for rev, losers in doc.recorded.items() if rev in tree for loser in losers}
    found: dict[Rev, list[Rev]] = {}
    for loser, tombstone in dead.items():
        if loser in merged:
            continue  # whoever merges what is older than it makes a conflict
        if loser not in tree or tombstone not in tree or not tree.is_leaf(tombstone):
            continue
        ancestor = tree.common_ancestor(winner.rev, loser)
        chain = line if ancestor is None else line[: max(0, line.index(ancestor) - 1)]
        # The oldest below the ancestor extends that: it merged nothing of the other branch.
        for rev in chain[:_MOST_TESTED]:
            if rev not in doc.recorded:
                found.setdefault(rev, []).append(loser)
    return {rev: tuple(losers) for rev, losers in found.items()}


def overtaken(
    replica: Replica,
    doc: ConflictedDocument,
    candidates: Mapping[Rev, Sequence[Rev]],
    known: Known,
    policy: Policy,
) -> tuple[Rev, tuple[Rev, ...]] | None:
    """The newest revision that has overtaken losers, with them.

    candidates: what `overtakers` found.
    """
    bodies = dict(known.bodies) | dict(doc.bodies)
    wanted = [rev for rev in _needed(doc, candidates) if rev not in bodies]
    bodies.update(_read(replica, doc.id, wanted[:_MOST_READ]))
    whole = replace(doc, bodies=bodies)
    tests = Containments(whole, policy, automatically(policy))
    for rev in sorted(candidates, reverse=True):
        found = tests.overtaken(rev, candidates[rev])
        if found:
            return rev, found
    return None


def sentence(by: Rev, losers: Sequence[Rev]) -> str:
    """What happened, for people."""
    return (
        f"{label(by)} took in an older version of {labels(losers)}, which was taken to say nothing"
        " new and deleted here: what it took back stands again"
    )


def _needed(doc: ConflictedDocument, candidates: Mapping[Rev, Sequence[Rev]]) -> Iterator[Rev]:
    """The revisions whose bodies the test needs."""
    tree = doc.tree
    seen = set[Rev]()
    for rev, losers in candidates.items():
        ancestry = set(tree.ancestry(rev))
        for one in _with_lines(doc, rev, losers, ancestry):
            if one not in seen:
                seen.add(one)
                yield one


def _with_lines(
    doc: ConflictedDocument, rev: Rev, losers: Sequence[Rev], ancestry: set[Rev]
) -> Iterator[Rev]:
    tree = doc.tree
    yield rev
    parent = tree.parent(rev)
    if parent is not None:
        yield parent
    for loser in losers:
        for one in tree.ancestry(loser):
            yield one
            if one in ancestry:
                break


def _read(replica: Replica, id: str, revs: Sequence[Rev]) -> dict[Rev, Doc]:
    if not revs:
        return {}
    found = {}
    with closing(replica.bulk_get([(id, str(rev)) for rev in revs])) as rows:
        for rev, row in zip(revs, rows, strict=True):
            for outcome in row.outcomes:
                if isinstance(outcome, Found):
                    try:
                        found[rev] = version_body(outcome.doc)
                    except CouchmendError:
                        continue  # as not known
    return found
