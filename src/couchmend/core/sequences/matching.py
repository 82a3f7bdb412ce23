"""What two sequences have in common: a longest common subsequence, in blocks.

- Eugene W. Myers: An O(ND) Difference Algorithm and Its Variations. Algorithmica 1, 1986; the
  variant in linear space (chapter 4b).
- Where no element is there twice, the longest increasing subsequence of positions is the same,
  in O(N log N): Michael L. Fredman: On Computing the Length of Longest Increasing
  Subsequences. Discrete Mathematics 11, 1975.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Hashable, Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from couchmend.core.sequences.budget import Budget

_CHEAP: Final = 8
"""Elements that are passed over in the time of one operation."""


class Match(NamedTuple):
    """Elements that two sequences have in common, side by side."""

    base: int
    side: int
    length: int


def matching(base: Sequence[Hashable], side: Sequence[Hashable], budget: Budget) -> list[Match]:
    """The blocks of a longest common subsequence, as long as they can be, in order.

    Of several, one is chosen the same way every time: what was inserted or deleted stands as
    late as it can, so that two sides that did the same are seen to have done it at one place.

    Raises:
        TooMuchWork: the budget was used up.
    """
    size, other = len(base), len(side)
    least = min(size, other)
    start = 0
    if base[:least] == side[:least]:
        start = least
    else:
        while start < least and base[start] == side[start]:
            start += 1
    end = 0
    while end < least - start and base[-1 - end] == side[-1 - end]:
        end += 1
    blocks = [Match(0, 0, start)] if start else []
    if start + end < least:
        inner = _inner(base[start : size - end], side[start : other - end], budget)
        blocks += [Match(start + at, start + there, length) for at, there, length in inner]
    if end:
        blocks.append(Match(size - end, other - end, end))
    return _as_late_as_can_be(base, side, blocks) if len(blocks) > 1 else blocks


def _inner(base: Sequence[Hashable], side: Sequence[Hashable], budget: Budget) -> list[Match]:
    """Sequences whose ends differ.  What only one of them has cannot match, and is left out."""
    if len(base) == 1 or len(side) == 1:
        return _only_one(base, side)
    budget.spend((len(base) + len(side)) // _CHEAP)
    common = set(base).intersection(side)
    if not common:
        return []
    mine = [at for at, element in enumerate(base) if element in common]
    theirs = [at for at, element in enumerate(side) if element in common]
    ours, other = [base[at] for at in mine], [side[at] for at in theirs]
    if ours == other:
        return _blocks(zip(mine, theirs, strict=True))
    if len(common) == len(ours) == len(other):
        return _blocks((mine[at], theirs[there]) for at, there in _increasing(ours, other))
    numbers = {element: number for number, element in enumerate(common)}
    pairs = _longest([numbers[x] for x in ours], [numbers[x] for x in other], budget)
    return _blocks((mine[at], theirs[there]) for at, there in pairs)


def _only_one(base: Sequence[Hashable], side: Sequence[Hashable]) -> list[Match]:
    if len(base) == 1:
        return [Match(0, side.index(base[0]), 1)] if base[0] in side else []
    return [Match(base.index(side[0]), 0, 1)] if side[0] in base else []


def _blocks(pairs: Iterable[tuple[int, int]]) -> list[Match]:
    found: list[Match] = []
    start = there = length = 0
    for at, other in pairs:
        if at == start + length and other == there + length:
            length += 1
            continue
        if length:
            found.append(Match(start, there, length))
        start, there, length = at, other, 1
    found.append(Match(start, there, length))
    return found


def _increasing(ours: Sequence[Hashable], other: Sequence[Hashable]) -> Iterator[tuple[int, int]]:
    """Permutations of one another: the longest increasing subsequence of places."""
    places = {element: place for place, element in enumerate(other)}
    row = [places[element] for element in ours]
    tails: list[int] = []  # by length: the least place at which a subsequence ends
    ends: list[int] = []  # and where in the row that stands
    before: list[int] = []
    for at, place in enumerate(row):
        length = bisect_left(tails, place)
        before.append(ends[length - 1] if length else -1)
        if length == len(tails):
            tails.append(place)
            ends.append(at)
        else:
            tails[length], ends[length] = place, at
    found = []
    at = ends[-1]
    while at >= 0:
        found.append((at, row[at]))
        at = before[at]
    return reversed(found)


def _longest(ours: list[int], other: list[int], budget: Budget) -> Iterator[tuple[int, int]]:
    """Myers: find where the shortest edit is half done, then do the same on either side."""
    search = _Search(ours, other, budget)
    todo = [(0, len(ours), 0, len(other))]
    while todo:
        left, right, top, bottom = todo.pop()
        if left == right and top != bottom:
            continue
        start = left
        while left < right and top < bottom and ours[left] == other[top]:
            left += 1
            top += 1
        yield from zip(range(start, left), range(top - left + start, top), strict=True)
        end = right
        while left < right and top < bottom and ours[right - 1] == other[bottom - 1]:
            right -= 1
            bottom -= 1
        budget.spend((left - start + end - right) // _CHEAP)
        if end > right:  # to be found after what stands before it
            todo.append((right, end, bottom, bottom + end - right))
        if left == right or top == bottom:
            continue
        found = search.halfway(left, right, top, bottom)
        if found:
            x, y = found
            todo.append((x, right, y, bottom))
            todo.append((left, x, top, y))


class _Search:
    """Searches from both ends at once, in memory that grows with the sequences only."""

    def __init__(self, ours: list[int], other: list[int], budget: Budget) -> None:
        self._ours = ours
        self._other = other
        self._budget = budget
        self._middle = (len(ours) + len(other) + 1) // 2 + 1
        # By diagonal, from the middle: how far one comes from the start, and from the end.
        self._forward = [-1] * (2 * self._middle + 2)
        self._backward = [-1] * (2 * self._middle + 2)

    def halfway(self, left: int, right: int, top: int, bottom: int) -> tuple[int, int] | None:
        """A place on a shortest way from one corner to the other; none, if nothing is common.

        Neither the first nor the last elements may be equal.
        """
        middle = self._middle
        longest = (right - left + bottom - top + 1) // 2
        self._forward[middle + 1] = self._backward[middle + 1] = 0
        reached = 0
        try:
            bounds = [0, 0, 0, 0]
            for reached in range(longest):
                found = self._further(reached, bounds, left, right, top, bottom)
                if found:
                    return found
            return None
        finally:
            clean = [-1] * (2 * reached + 5)
            self._forward[middle - reached - 2 : middle + reached + 3] = clean
            self._backward[middle - reached - 2 : middle + reached + 3] = clean

    def _further(
        self, step: int, bounds: list[int], left: int, right: int, top: int, bottom: int
    ) -> tuple[int, int] | None:
        """One more edit from either end; where they meet, if they do.

        bounds: how many diagonals at the ends of either search have left the rectangle.
        """
        ours, other, middle = self._ours, self._other, self._middle
        forward, backward = self._forward, self._backward
        width, height = right - left, bottom - top
        delta = width - height
        odd = delta % 2 != 0
        compared = 0
        self._budget.spend(2 * step + 2 - sum(bounds) // 2)
        for diagonal in range(bounds[0] - step, step + 1 - bounds[1], 2):
            at = middle + diagonal
            if diagonal == -step or (diagonal != step and forward[at - 1] < forward[at + 1]):
                x = forward[at + 1]
            else:
                x = forward[at - 1] + 1
            y = x - diagonal
            start = x
            while x < width and y < height and ours[left + x] == other[top + y]:
                x += 1
                y += 1
            compared += x - start
            forward[at] = x
            if x > width:
                bounds[1] += 2
            elif y > height:
                bounds[0] += 2
            elif (
                odd
                and abs(delta - diagonal) < step
                and x + backward[middle + delta - diagonal] >= width
            ):
                self._budget.spend(compared // _CHEAP)
                return left + x, top + y
        for diagonal in range(bounds[2] - step, step + 1 - bounds[3], 2):
            at = middle + diagonal
            if diagonal == -step or (diagonal != step and backward[at - 1] < backward[at + 1]):
                x = backward[at + 1]
            else:
                x = backward[at - 1] + 1
            y = x - diagonal
            start = x
            while x < width and y < height and ours[right - 1 - x] == other[bottom - 1 - y]:
                x += 1
                y += 1
            compared += x - start
            backward[at] = x
            if x > width:
                bounds[3] += 2
            elif y > height:
                bounds[2] += 2
            elif (
                not odd
                and abs(delta - diagonal) <= step
                and x + forward[middle + delta - diagonal] >= width
            ):
                self._budget.spend(compared // _CHEAP)
                there = forward[middle + delta - diagonal]
                return left + there, top + there - (delta - diagonal)
        self._budget.spend(compared // _CHEAP)
        return None


def _as_late_as_can_be(
    base: Sequence[Hashable], side: Sequence[Hashable], blocks: list[Match]
) -> list[Match]:
    """Move what was only inserted, or only deleted, towards the end as far as it can go."""
    late = [blocks[0]]
    for block in blocks[1:]:
        at, there, length = late[-1]
        end, other = at + length, there + length
        moved = 0
        if (end == block.base) != (other == block.side):
            while (
                moved < block.length
                and base[end + moved] == base[block.base + moved]
                and side[other + moved] == base[end + moved]
            ):
                moved += 1
        if moved:
            late[-1] = Match(at, there, length + moved)
        if moved < block.length:
            late.append(Match(block.base + moved, block.side + moved, block.length - moved))
    return late
