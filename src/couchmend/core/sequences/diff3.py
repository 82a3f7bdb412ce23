"""Three sequences side by side: what two sides did to their base, and where they met.

Two changes meet when nothing stands between them that both sides left as it was: changes that
touch would else be put next to one another by nobody's will.  So do diff3 and git.

- Sanjeev Khanna, Keshav Kunal, Benjamin C. Pierce: A Formal Investigation of Diff3. FSTTCS 2007.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from typing import Literal, NamedTuple, TypeAlias, TypeVar

from couchmend.core.sequences.budget import Budget
from couchmend.core.sequences.matching import Match, matching

__all__ = ["Kind", "Match", "Region", "diff3", "matching", "regions", "taken"]

_Element = TypeVar("_Element")
Kind: TypeAlias = Literal["stable", "current", "other", "same", "clash"]


class Region(NamedTuple):
    """A stretch of all three sequences.

    kind: `stable`: nobody changed it; `current`, `other`: that side did; `same`: both did, to
        the same; `clash`: both did, in different ways.
    """

    kind: Kind
    base: range
    current: range
    other: range


def diff3(
    base: Sequence[Hashable],
    current: Sequence[Hashable],
    other: Sequence[Hashable],
    budget: Budget,
) -> list[Region]:
    """Cut three sequences into regions that cover all of them, in order.

    Raises:
        TooMuchWork: the budget was used up.
    """
    mine, theirs = matching(base, current, budget), matching(base, other, budget)
    return regions(base, current, other, mine, theirs)


def regions(
    base: Sequence[Hashable],
    current: Sequence[Hashable],
    other: Sequence[Hashable],
    mine: Sequence[Match],
    theirs: Sequence[Match],
) -> list[Region]:
    """The same, of what each side is known to have in common with the base."""
    found: list[Region] = []
    end = mine_end = theirs_end = 0
    for at, here, there, length in _stable(mine, theirs):
        if at > end or here > mine_end or there > theirs_end:
            before = range(end, at), range(mine_end, here), range(theirs_end, there)
            found.append(_changed(base, current, other, *before))
        end, mine_end, theirs_end = at + length, here + length, there + length
        span = range(at, end), range(here, mine_end), range(there, theirs_end)
        found.append(Region("stable", *span))
    if end < len(base) or mine_end < len(current) or theirs_end < len(other):
        after = range(end, len(base)), range(mine_end, len(current)), range(theirs_end, len(other))
        found.append(_changed(base, current, other, *after))
    return found


def taken(
    region: Region, current: Sequence[_Element], other: Sequence[_Element]
) -> Sequence[_Element]:
    """What a region is merged to: what nobody or both changed is current's, a clash as well."""
    if region.kind == "other":
        return other[region.other.start : region.other.stop]
    return current[region.current.start : region.current.stop]


def _stable(mine: Sequence[Match], theirs: Sequence[Match]) -> Iterator[tuple[int, int, int, int]]:
    """What both sides have in common with the base: where it is in each, and how long."""
    first = second = 0
    while first < len(mine) and second < len(theirs):
        one, two = mine[first], theirs[second]
        start = max(one.base, two.base)
        end = min(one.base + one.length, two.base + two.length)
        if start < end:
            here, there = start - one.base + one.side, start - two.base + two.side
            yield start, here, there, end - start
        if one.base + one.length == end:
            first += 1
        if two.base + two.length == end:
            second += 1


def _changed(
    base: Sequence[Hashable],
    current: Sequence[Hashable],
    other: Sequence[Hashable],
    at: range,
    here: range,
    there: range,
) -> Region:
    was = base[at.start : at.stop]
    mine, theirs = current[here.start : here.stop], other[there.start : there.stop]
    kind: Kind = "clash"
    if was == theirs:
        kind = "current"
    elif was == mine:
        kind = "other"
    elif mine == theirs:
        kind = "same"
    return Region(kind, at, here, there)
