"""Records, which are objects without identities, where both sides changed one place of a list.

A number says something together with its neighbours; a record speaks for itself.  So records
that stand next to each other are merged one by one: what one side left alone is the other's,
what both edited is merged, what one removed and the other edited is a conflict.  Which record
became which is told by what they have in common.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from couchmend.core.document import JSON, Doc
from couchmend.core.sequences.budget import Budget
from couchmend.core.values import ABSENT, Value, canonical, same

Within: TypeAlias = Callable[[JSON, JSON, JSON], Value]
"""Merges one record, `within(base, current, other)`; `ABSENT` if something is left to decide."""


def are_records(*lists: Sequence[JSON]) -> bool:
    """Whether all elements are objects."""
    return all(type(element) is dict for elements in lists for element in elements)


def merge_records(
    base: Sequence[Doc],
    current: Sequence[Doc],
    other: Sequence[Doc],
    within: Within,
    budget: Budget,
) -> list[Doc] | None:
    """Merge records one by one; none, if something is left to decide.

    Raises:
        TooMuchWork: the budget was used up.
    """
    mine, theirs = _alignment(base, current, budget), _alignment(base, other, budget)
    merged = _inserted(mine.inserted[0], theirs.inserted[0])
    for place, was in enumerate(base):
        record = _record(was, mine.became[place], theirs.became[place], within)
        inserted = _inserted(mine.inserted[place + 1], theirs.inserted[place + 1])
        if merged is None or record is None or inserted is None:
            return None
        merged += [*record, *inserted]
    return merged


def _record(was: Doc, mine: Value, theirs: Value, within: Within) -> list[Doc] | None:
    if same(mine, theirs) or same(theirs, was):
        taken = mine
    elif same(mine, was):
        taken = theirs
    elif mine is ABSENT or theirs is ABSENT or not (_alike(was, mine) and _alike(was, theirs)):
        return None
    else:
        taken = within(was, mine, theirs)
        if taken is ABSENT:
            return None
    return [] if taken is ABSENT else [taken]


def _inserted(mine: Sequence[Doc], theirs: Sequence[Doc]) -> list[Doc] | None:
    """What both sides put in one place: current's first, unless they may be about the same."""
    start = end = 0
    shorter = min(len(mine), len(theirs))
    while start < shorter and same(mine[start], theirs[start]):
        start += 1
    while end < shorter - start and same(mine[-1 - end], theirs[-1 - end]):
        end += 1
    here, there = mine[start : len(mine) - end], theirs[start : len(theirs) - end]
    if any(_related(one, two) for one in here for two in there):
        return None
    return [*mine[:start], *here, *there, *mine[len(mine) - end :]]


def _related(one: Doc, two: Doc) -> bool:
    """Whether two new records may be about the same thing: a member says the same in both."""
    return any(
        name in two and type(value) is not bool and value is not None and same(value, two[name])
        for name, value in one.items()
    )


# --- which record became which


@dataclass(slots=True)
class _Alignment:
    """What one side made of some records.

    became: of each, what it is now; `ABSENT` if it was removed.
    inserted: what is new before the first record, and after each.
    """

    became: list[Value]
    inserted: list[list[Doc]] = field(default_factory=list)


def _alignment(base: Sequence[Doc], side: Sequence[Doc], budget: Budget) -> _Alignment:
    found = _Alignment([ABSENT] * len(base), [[] for _ in range(len(base) + 1)])
    start = from_side = 0
    for place, at in [*_pairs(base, side, budget), (len(base), len(side))]:
        between = range(from_side, at)
        if len(between) == place - start:  # as many as there were: each in its place
            for step, one in enumerate(between):
                found.became[start + step] = side[one]
        else:
            found.inserted[place] += [side[one] for one in between]
        if place < len(base):
            found.became[place] = side[at]
        start, from_side = place + 1, at + 1
    return found


def _pairs(base: Sequence[Doc], side: Sequence[Doc], budget: Budget) -> list[tuple[int, int]]:
    """The longest list of records that are alike, in order; of equally long ones the first."""
    budget.spend(8 * len(base) * len(side))
    was, now = [_content(one) for one in base], [_content(one) for one in side]
    longest = [[0] * (len(side) + 1) for _ in range(len(base) + 1)]
    alike = [[_overlap(one, two) for two in now] for one in was]
    for place in reversed(range(len(base))):
        for at in reversed(range(len(side))):
            longest[place][at] = max(
                longest[place + 1][at],
                longest[place][at + 1],
                longest[place + 1][at + 1] + 1 if alike[place][at] else 0,
            )
    pairs = []
    place = at = 0
    while place < len(base) and at < len(side):
        if alike[place][at] and longest[place][at] == longest[place + 1][at + 1] + 1:
            pairs.append((place, at))
            place, at = place + 1, at + 1
        elif longest[place + 1][at] >= longest[place][at + 1]:
            place += 1
        else:
            at += 1
    return pairs


def _alike(one: Doc, two: Doc) -> bool:
    """Whether two records are the same, edited: they have at least half in common."""
    return _overlap(_content(one), _content(two))


def _overlap(one: Counter[bytes], two: Counter[bytes]) -> bool:
    return 2 * (one & two).total() >= max(one.total(), two.total())


def _content(value: JSON) -> Counter[bytes]:
    """All that a record says: each of its values, under the name it has."""
    content: Counter[bytes] = Counter()
    waiting = [("", value)]
    while waiting:
        name, part = waiting.pop()
        if type(part) is dict:
            waiting += part.items()
        elif type(part) is list:
            waiting += [(name, element) for element in part]
        else:
            content[canonical([name, part])] += 1
    return content
