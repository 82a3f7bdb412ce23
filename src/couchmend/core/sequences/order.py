"""The order of keys that two sides arranged, each in its way."""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from typing import Any, NamedTuple

from couchmend.core.sequences.budget import Budget
from couchmend.core.sequences.diff3 import diff3


class Order(NamedTuple):
    """How keys are arranged.

    clash: both sides arranged them, in different ways; then this is current's.
    """

    keys: list[Any]
    clash: bool


def merge_order(
    base: Sequence[Any] | None, current: Sequence[Any], other: Sequence[Any], budget: Budget
) -> Order:
    """Arrange the keys of two sides; no sequence has a key twice.

    The result has every key that `current` or `other` has, once.  Keys of the base that neither
    has are left out; one that only one side removed is in, for the caller to drop.

    - What both sides have stands as the side has it that rearranged it; as both have it, if
      they did so alike; if they did so in different ways, both ways combined, where that can
      be done without a doubt, else as in current: a clash.  Without a base: as in current.
    - What only one side has stands after what it stands after there; where both have
      something at one place, current's comes first.  That is no clash.

    Raises:
        TooMuchWork: the budget was used up.
    """
    if current == other:
        return Order(list(current), False)
    mine, theirs = set(current), set(other)
    if mine == theirs:
        return _arranged(base, list(current), list(other), mine, budget)
    if base == current and mine < theirs:
        return Order(list(other), False)
    if base == other and theirs < mine:
        return Order(list(current), False)
    shared = mine & theirs
    here = [key for key in current if key in shared]
    there = [key for key in other if key in shared]
    arranged = _arranged(base, here, there, shared, budget)
    return Order(list(_placed(arranged.keys, current, other, shared)), arranged.clash)


def _arranged(
    base: Sequence[Any] | None,
    here: list[Any],
    there: list[Any],
    shared: Set[Any],
    budget: Budget,
) -> Order:
    """What both sides have."""
    if base is None or here == there:
        return Order(here, False)
    before = [key for key in base if key in shared]
    if here == before:
        return Order(there, False)
    if there == before:
        return Order(here, False)
    if len(before) < len(shared):
        known = set(before)
        mine_moved = [key for key in here if key in known] != before
        theirs_moved = [key for key in there if key in known] != before
        if mine_moved != theirs_moved:
            return Order(here if mine_moved else there, False)
    both: list[Any] = []
    for region in diff3(before, here, there, budget):
        if region.kind == "clash":
            return Order(here, True)
        if region.kind == "other":
            both += there[region.other.start : region.other.stop]
        else:
            both += here[region.current.start : region.current.stop]
    if len(both) != len(shared) or len(set(both)) != len(both):
        return Order(here, True)
    if not _keeps_what_agrees(both, here, there):
        return Order(here, True)
    return Order(both, False)


def _keeps_what_agrees(both: list[Any], here: list[Any], there: list[Any]) -> bool:
    """Whether any two keys that stand in one order on both sides do so in the result.

    Of those that stand earlier in the result, none may stand later on both sides.  The least
    place on one side of what stands later on the other is kept in a Fenwick tree.
    """
    size = len(both)
    mine = {key: place for place, key in enumerate(here)}
    theirs = {key: place for place, key in enumerate(there)}
    latest = [-1] * (size + 1)
    for key in both:
        node = size - mine[key]
        step = node - 1  # only those strictly later here
        while step > 0:
            if latest[step] > theirs[key]:
                return False
            step -= step & -step
        while node <= size:
            latest[node] = max(latest[node], theirs[key])
            node += node & -node
    return True


def _placed(
    arranged: list[Any], current: Sequence[Any], other: Sequence[Any], shared: Set[Any]
) -> Iterator[Any]:
    """With what only one side has, after what it stands after there."""
    first, mine = _followers(current, shared)
    first_there, theirs = _followers(other, shared)
    yield from first
    yield from first_there
    for key in arranged:
        yield key
        if key in mine:
            yield from mine[key]
        if key in theirs:
            yield from theirs[key]


def _followers(side: Sequence[Any], shared: Set[Any]) -> tuple[list[Any], dict[Any, list[Any]]]:
    """What only this side has: at the start, and after each of the others."""
    first: list[Any] = []
    after: dict[Any, list[Any]] = {}
    run = first
    opened = True
    last: Any = None
    for key in side:
        if key in shared:
            last, opened = key, False
            continue
        if not opened:
            run = after[last] = []
            opened = True
        run.append(key)
    return first, after
