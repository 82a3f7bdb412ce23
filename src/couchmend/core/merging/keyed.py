"""Lists whose elements have identities, merged element by element."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from couchmend.core.document import JSON
from couchmend.core.merging.outcome import BOTH, Outcome, kind_of
from couchmend.core.paths import Element, Path
from couchmend.core.policy.patterns import Patterns
from couchmend.core.policy.policy import Rule
from couchmend.core.policy.resolvers import Form
from couchmend.core.sequences.budget import Budget
from couchmend.core.sequences.lists import Identity, identity_key
from couchmend.core.sequences.order import merge_order
from couchmend.core.values import ABSENT, Value

At: TypeAlias = Callable[[Path, Patterns[Rule], Value, Value, Value], Value]
"""Merges what stands at a path."""

_NO_LISTS = Identity(None, "")


def keyed_by(
    names: Sequence[str], rules: Patterns[Rule], base: Value, current: Value, other: Value
) -> Identity:
    """The member by which the elements of two lists, and of their base, know each other."""
    if type(current) is not list or type(other) is not list:
        return _NO_LISTS
    form = None if rules.value is None else rules.value.resolver.form
    if form is not Form.KEYED and rules.value is not None and (form or not rules.goes_on):
        return _NO_LISTS
    lists = [current, other, base] if type(base) is list else [current, other]
    return identity_key(lists, names) if any(lists) else _NO_LISTS


def merge_keyed(
    outcome: Outcome,
    at: At,
    path: Path,
    rules: Patterns[Rule],
    key: str,
    base: Value,
    current: list[JSON],
    other: list[JSON],
    budget: Budget,
) -> list[JSON]:
    """Merge each element with the one of the same identity, and how they are arranged.

    Raises:
        TooMuchWork: before anything is noted.
    """
    mine = {element[key]: element for element in current}
    theirs = {element[key]: element for element in other}
    before = {element[key]: element for element in base} if type(base) is list else {}
    known = list(before) if type(base) is list else None
    order = merge_order(known, list(mine), list(theirs), budget)
    rules = rules.beneath(Element(key, ""))
    merged = {}
    gone = [id for id in before if id not in mine and id not in theirs]
    for id in [*order.keys, *gone]:
        was, here, there = before.get(id, ABSENT), mine.get(id, ABSENT), theirs.get(id, ABSENT)
        taken = at((*path, Element(key, id)), rules, was, here, there)
        if taken is not ABSENT:
            merged[id] = taken
    clash = order.clash or (path, "order") in outcome.were_open
    _note_order(outcome, path, known, list(mine), list(theirs), list(merged), clash=clash)
    return list(merged.values())


def _note_order(
    outcome: Outcome,
    path: Path,
    base: list[JSON] | None,
    current: list[JSON],
    other: list[JSON],
    taken: list[JSON],
    *,
    clash: bool,
) -> None:
    """Say how the elements are arranged, unless that follows from the rest: in a result that
    nobody arranged they stand as in current, the new ones at the end."""
    was = ABSENT if base is None else base
    if clash:
        reason = "both sides arranged the elements, in different ways"
        outcome.conflict(path, was, current, other, reason, aspect="order", taken=taken)
        return
    present, shared = set(taken), set(current) & set(other)
    unarranged = [id for id in current if id in present]
    unarranged += [id for id in taken if id not in set(current)]
    here, there = _only(shared, current), _only(shared, other)
    if taken == unarranged and here == there:
        return
    before = None if base is None else _only(shared, base)
    by = [side for side, ids in zip(BOTH, (here, there), strict=True) if ids != before]
    kind = kind_of(_only(shared, taken), here, there)
    reason = "the elements stand as the side that arranged them has them"
    outcome.note(path, kind, was, current, other, taken, reason, by=by, aspect="order")


def _only(some: set[JSON], ids: list[JSON]) -> list[JSON]:
    return [id for id in ids if id in some]
