"""What to suggest where a person decides."""

from __future__ import annotations

from collections.abc import Sequence

from couchmend.core.conflicts.classify import Classification
from couchmend.core.conflicts.eligibility import unsound
from couchmend.core.merging.fold import Fold
from couchmend.core.policy.policy import Policy
from couchmend.core.revtree import Rev
from couchmend.core.values import ABSENT


def suggested_strategy(
    folded: Fold,
    kind: Classification,
    policy: Policy,
    now: int,
    *,
    deleted: Sequence[Rev] = (),
    doubtful: bool = False,
) -> str:
    """What to suggest to a person.

    folded: the merge before any strategy.
    now: in microseconds since 1970.
    deleted: the deletions that the conflict is with.
    doubtful: whether only a person can tell what the winner contains.
    """
    opened = folded.side.open
    if doubtful:
        return "manual"
    if deleted:
        return "preserve-non-deleted" if not opened else "manual"
    if not opened:
        return "merge"
    if all(
        not unsound([rival.version for rival in rivals], policy, now) for rivals in opened.values()
    ):
        return "last-write-wins"
    kept = [[rival for rival in rivals if rival.value is not ABSENT] for rivals in opened.values()]
    if kind.type == "edit_delete" and all(
        len(rivals) == 1 < len(all_of) for rivals, all_of in zip(kept, opened.values(), strict=True)
    ):
        return "preserve-non-deleted"
    return "manual"
