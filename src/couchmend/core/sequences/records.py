"""Records, which are objects without identities, where both sides changed one place of a list.

A number says something together with its neighbours; a record speaks for itself.  So records
that stand next to each other are merged one by one: what one side left alone is the other's,
what one removed and the other edited is a conflict.  Both edits of one record are merged only
where there is no doubt which it became: it stands where it stood among those that did not
change, and has more in common with what stands there now than with any other around it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from couchmend.core.document import JSON, Doc
from couchmend.core.sequences.budget import Budget
from couchmend.core.sequences.matching import matching
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
    merged = _inserted(mine.inserted[0], theirs.inserted[0], budget)
    for place, was in enumerate(base):
        record = _record(was, mine.became[place], theirs.became[place], within)
        inserted = _inserted(mine.inserted[place + 1], theirs.inserted[place + 1], budget)
        if merged is None or record is None or inserted is None:
            return None
        merged += [*record, *inserted]
    return merged


def _record(was: Doc, mine: _Became, theirs: _Became, within: Within) -> list[Doc] | None:
    if mine.kept or theirs.kept:
        taken = theirs.value if mine.kept else mine.value
    elif mine.edited and theirs.edited:
        taken = within(was, mine.value, theirs.value)
        if taken is ABSENT:
            return None
    elif same(mine.value, theirs.value):
        taken = mine.value
        if taken is not ABSENT and not same(within(was, taken, theirs.value), taken):
            return None  # something in it adds up, and it may be another record
    else:
        return None
    return [] if taken is ABSENT else [taken]


def _inserted(mine: Sequence[Doc], theirs: Sequence[Doc], budget: Budget) -> list[Doc] | None:
    """What both sides put in one place: current's first, unless they may be about the same."""
    start = end = 0
    shorter = min(len(mine), len(theirs))
    while start < shorter and same(mine[start], theirs[start]):
        start += 1
    while end < shorter - start and same(mine[-1 - end], theirs[-1 - end]):
        end += 1
    here, there = mine[start : len(mine) - end], theirs[start : len(theirs) - end]
    budget.spend(8 * len(here) * len(there))
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


@dataclass(frozen=True, slots=True)
class _Became:
    """What a record is on one side: `kept` as it was, `edited` without a doubt, or another in
    its place; `ABSENT` if it was removed."""

    value: Value = ABSENT
    kept: bool = False
    edited: bool = False


@dataclass(slots=True)
class _Alignment:
    """What one side made of some records.

    inserted: what is new before the first record, and after each.
    """

    became: list[_Became]
    inserted: list[list[Doc]] = field(default_factory=list)


def _alignment(base: Sequence[Doc], side: Sequence[Doc], budget: Budget) -> _Alignment:
    found = _Alignment([_Became()] * len(base), [[] for _ in range(len(base) + 1)])
    was, now = [canonical(one) for one in base], [canonical(one) for one in side]
    start = from_side = 0
    for place, at, length in [*matching(was, now, budget), (len(base), len(side), 0)]:
        between = side[from_side:at]
        if len(between) == place - start:  # as many as there were: each in its place
            found.became[start:place] = _in_place(base[start:place], between, budget)
        else:
            found.inserted[place] += between
        for step in range(length):
            found.became[place + step] = _Became(side[at + step], kept=True)
        start, from_side = place + length, at + length
    return found


def _in_place(base: Sequence[Doc], side: Sequence[Doc], budget: Budget) -> list[_Became]:
    """Records that others stand in place of: edited, where nothing else is as much like them."""
    budget.spend(8 * len(base) * len(side))
    was, now = [_content(one) for one in base], [_content(one) for one in side]
    common = [[(one & two).total() for two in now] for one in was]
    found = []
    for place, value in enumerate(side):
        own = common[place][place]
        rivals = [common[place][at] for at in range(len(side)) if at != place]
        rivals += [common[at][place] for at in range(len(base)) if at != place]
        most = 2 * own > max(was[place].total(), now[place].total())
        found.append(_Became(value, edited=most and own > max(rivals, default=-1)))
    return found


def _content(value: JSON) -> Counter[bytes]:
    """What tells a record from others: each of its values, under the name it has.  That
    something is true, false or null is said of many."""
    content: Counter[bytes] = Counter()
    waiting = [("", value)]
    while waiting:
        name, part = waiting.pop()
        if type(part) is dict:
            waiting += part.items()
        elif type(part) is list:
            waiting += [(name, element) for element in part]
        elif type(part) is not bool and part is not None:
            content[canonical([name, part])] += 1
    return content
