"""The rules that keep what users wrote, each with what would be without it.

Nothing of this is in the product: a rule is taken out for the length of a `with` block, to see
that what it prevents is found.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest import mock

from couchmend.core.conflicts import deletions
from couchmend.core.conflicts.containment import Containment, Containments, DeadLeaf
from couchmend.core.merging.decisions import Decision
from couchmend.core.merging.sides import Competitor
from couchmend.core.paths import value_at
from couchmend.core.plans import strategies
from couchmend.core.plans.versions import Versions
from couchmend.core.policy.versions import newest
from couchmend.core.revtree import Rev, RevTree
from couchmend.engine.carrying import verifying

_unsettled = Containments.unsettled
_of = Containments.of


def _witness_of_equal_length(self: Any, parent: Rev) -> bool:
    """Any revision elsewhere that is as long is a witness, a tombstone, too."""
    tree: RevTree = self._tree
    revs = {rev for path, _ in tree.to_paths() for rev in path}
    return not any(
        rev.generation >= parent.generation and parent not in tree.ancestry(rev) for rev in revs
    )


def _nothing_unsettled(self: Any, at: Rev | None, left_out: Iterable[Rev] = ()) -> Any:
    return ()


def _nothing_outdated(self: Any, meeting: Any) -> None:
    return None


def _only_on_a_branch(self: Any, at: Rev | None, left_out: Iterable[Rev] = ()) -> Any:
    """Dead leaves count only where they hang on a branch that leads to the meeting point."""
    tree: RevTree = self._doc.tree
    found: Sequence[DeadLeaf] = _unsettled(self, at, left_out)
    return tuple(dead for dead in found if at is None or at in tree.ancestry(dead.rev))


def _equal_is_contained(self: Any, loser: Rev, by: Rev) -> Containment:
    """Whatever equals a merge is one."""
    return Containment(loser, "contained", by, "it is equal")


def _revived_like_any(self: Any, loser: Rev, among: Iterable[Rev] | None = None) -> Containment:
    """A branch that was revived counts like any other."""
    tree: RevTree = self._doc.tree
    with mock.patch.object(Containments, "_doubt", return_value=""):
        line = set(tree.ancestry(loser))
        is_deleted = RevTree.is_deleted

        def unseen(asked: RevTree, rev: Rev) -> bool:
            return False if rev in line else is_deleted(asked, rev)

        with mock.patch.object(RevTree, "is_deleted", unseen):
            return _of(self, loser, among)


def _newest_of_all(versions: Versions) -> tuple[Decision, ...]:
    """The newest of all versions decides, whether it changed the path or not."""

    def decide(decision: Decision, rivals: Sequence[Competitor]) -> Decision:
        found = newest(versions.each)
        value = value_at(found.body, decision.path)
        why = f"{found.name} is the newest of all"
        return strategies._as(decision, found, value, versions, "last-write-wins", why, True)

    return versions.with_open(decide)


Patch = tuple[object, str, Callable[..., Any]]

RULES: dict[str, tuple[Patch, ...]] = {
    "a": ((deletions._Shape, "has_no_witness", _witness_of_equal_length),),
    "b": (
        (Containments, "unsettled", _nothing_unsettled),
        (Containments, "outdated", _nothing_outdated),
    ),
    "c": ((Containments, "_equal", _equal_is_contained),),
    "d": (
        (Containments, "unsettled", _only_on_a_branch),
        (Containments, "outdated", _nothing_outdated),
    ),
    "e": ((verifying, "_was_deleted", lambda *_: False),),
    "f": ((Containments, "overtaken", lambda *_: ()),),
    "g": (
        (Containments, "of", _revived_like_any),
        (Containments, "unsettled", _nothing_unsettled),
        (Containments, "outdated", _nothing_outdated),
    ),
    "h": ((strategies, "last_write_wins", _newest_of_all),),
}
"""By the letter of the counterexample: what takes its rule out.

a: a deletion is told from a resolution by a live witness that precedes it.
b: no merge over a base that is older than what a branch contains.
c: where something adds up, only the journal's word says that a version is contained.
d: a dead leaf beside the meeting point may be contained in a branch as well.
e: what was deleted after a crash is not brought back.
f: an older version of a loser that was only tombstoned is found where it was merged elsewhere.
g: what was revived was revived on purpose; the check of dead leaves guards it, too, and is out.
h: only versions that changed a path compete for it.
"""


@contextmanager
def without(letter: str) -> Iterator[None]:
    """Take the rule of a counterexample out."""
    with ExitStack() as stack:
        for where, name, instead in RULES[letter]:
            stack.enter_context(mock.patch.object(where, name, instead))
        yield
