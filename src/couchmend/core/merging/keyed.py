"""Lists whose elements have identities, merged element by element."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
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
    opened = [step.value for step in outcome.open_beneath(path) if isinstance(step, Element)]
    for id in dict.fromkeys([*order.keys, *before, *opened]):
        was, here, there = before.get(id, ABSENT), mine.get(id, ABSENT), theirs.get(id, ABSENT)
        taken = at((*path, Element(key, id)), rules, was, here, there)
        if taken is not ABSENT:
            merged[id] = taken
    arranged = _Arrangement(key, known, list(mine), list(theirs), list(merged))
    clash = order.clash or (path, "order") in outcome.were_open
    arranged.note(outcome, path, clash=clash)
    return list(merged.values())


@dataclass(frozen=True, slots=True)
class _Arrangement:
    """In which order a list's elements stand before and after a merge, by their identities."""

    key: str
    base: list[JSON] | None
    current: list[JSON]
    other: list[JSON]
    taken: list[JSON]

    def note(self, outcome: Outcome, path: Path, *, clash: bool) -> None:
        """Say how the elements are arranged, unless that follows from the rest: when nobody
        arranged them they stand as in current, the new ones at the end."""
        base = ABSENT if self.base is None else self._shown(self.base)
        current, other, taken = map(self._shown, (self.current, self.other, self.taken))
        if clash:
            reason = "both sides arranged the elements, in different ways"
            outcome.conflict(path, base, current, other, reason, aspect="order", taken=taken)
            return
        shared = set(self.current) & set(self.other)
        here, there = _only(shared, self.current), _only(shared, self.other)
        if here == there and self.taken == unarranged(self.current, self.taken):
            return
        before = None if self.base is None else _only(shared, self.base)
        by = [side for side, ids in zip(BOTH, (here, there), strict=True) if ids != before]
        if here == there:
            kind = kind_of(taken, current, other)
        else:
            kind = kind_of(_only(shared, self.taken), here, there)
        reason = "the elements stand as the side that arranged them has them"
        outcome.note(path, kind, base, current, other, taken, reason, by=by, aspect="order")

    def _shown(self, ids: list[JSON]) -> list[JSON]:
        return [{self.key: id} for id in ids]


def unarranged(current: list[JSON], taken: list[JSON]) -> list[JSON]:
    """How the elements of a result stand when nobody arranged them."""
    present, before = set(taken), set(current)
    return [id for id in current if id in present] + [id for id in taken if id not in before]


def _only(some: set[JSON], ids: list[JSON]) -> list[JSON]:
    return [id for id in ids if id in some]
