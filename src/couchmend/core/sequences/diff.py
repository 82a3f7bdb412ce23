"""What changed from one JSON value to another, as data; and doing it again.

Objects are compared member by member, lists whose elements have identities element by element,
other lists by what was put in the place of what.  Text stays whole: to show its words is for
those who show it.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from couchmend.core.document import JSON, dumps
from couchmend.core.paths import Element, Path, Step, readable
from couchmend.core.sequences.budget import Budget, TooMuchWork
from couchmend.core.sequences.lists import identity_key
from couchmend.core.sequences.matching import matching
from couchmend.core.values import ABSENT, Value, same
from couchmend.errors import UsageError

IDENTITY_KEYS: Final = ("_id", "id", "uuid", "key")
"""Members by which the elements of lists are known, if nothing else is said."""

MAX_DEPTH: Final = 200
"""Levels that are compared piece by piece; what is deeper is compared as a whole."""

Aspect: TypeAlias = Literal["value", "elements", "place", "order"]


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that changed at one path.

    aspect:
        `value`: what stands there; `ABSENT` before if it was added, after if it was removed;
        `elements`: from the index that the path ends with, so many elements of a list (a list
            of them) became others;
        `place`: the index of an element that has an identity; `ABSENT` before if it is new;
        `order`: the names of an object's members, as they stand one after another.

    Indexes in paths count the elements as they were before.
    """

    path: Path
    before: Value
    after: Value
    aspect: Aspect = "value"

    def __str__(self) -> str:
        where = readable(self.path)
        match self.aspect:
            case "place" if self.before is ABSENT:
                return f"{where}: placed at {self.after}"
            case "place":
                return f"{where}: moved from {self.before} to {self.after}"
            case "order":
                return f"{where}: order of members {_shown(self.before)} → {_shown(self.after)}"
            case _ if self.before is ABSENT:
                return f"{where}: added {_shown(self.after)}"
            case _ if self.after is ABSENT:
                return f"{where}: removed {_shown(self.before)}"
            case _:
                return f"{where}: {_shown(self.before)} → {_shown(self.after)}"


def _shown(value: Value) -> str:
    shown = dumps(value).decode()
    return shown if len(shown) <= 60 else shown[:59] + "…"


# --- finding what changed


def diff(
    before: Value,
    after: Value,
    identity_keys: Sequence[str] = IDENTITY_KEYS,
    budget: Budget | None = None,
) -> tuple[Change, ...]:
    """What changed, in the order of the document; nothing, if both are written alike.

    The type of a number is a difference here, and so is the order of members: `apply` gives
    `after` to the byte.  A list that would be too much work to compare changes as a whole.
    """
    return tuple(_Diff(identity_keys, budget or Budget()).at((), before, after))


class _Diff:
    def __init__(self, identity_keys: Sequence[str], budget: Budget) -> None:
        self._identity_keys = identity_keys
        self._budget = budget

    def at(self, path: Path, before: Value, after: Value) -> Iterator[Change]:
        if before is after:
            return
        if len(path) < MAX_DEPTH:
            if type(before) is dict and type(after) is dict:
                yield from self._members(path, before, after)
                return
            if type(before) is list and type(after) is list:
                yield from self._list(path, before, after)
                return
        if before is ABSENT or after is ABSENT or not _written_alike(before, after):
            yield Change(path, before, after)

    def _members(
        self, path: Path, before: dict[str, JSON], after: dict[str, JSON]
    ) -> Iterator[Change]:
        for name, was in before.items():
            if name in after:
                yield from self.at((*path, name), was, after[name])
            else:
                yield Change((*path, name), was, ABSENT)
        for name, value in after.items():
            if name not in before:
                yield Change((*path, name), ABSENT, value)
        if _names_after(before, after) != list(after):
            yield Change(path, list(before), list(after), "order")

    def _list(self, path: Path, before: list[JSON], after: list[JSON]) -> Iterator[Change]:
        key = identity_key((before, after), self._identity_keys).key
        if key is not None and before and after:
            yield from self._elements(path, key, before, after)
            return
        was, now = list(map(dumps, before)), list(map(dumps, after))
        try:
            found = matching(was, now, self._budget)
        except TooMuchWork:
            yield Change(path, before, after)
            return
        start = there = 0
        for place, at, length in [*found, (len(before), len(after), 0)]:
            gone, come = before[start:place], after[there:at]
            if len(gone) == len(come):
                for step, (one, two) in enumerate(zip(gone, come, strict=True)):
                    yield from self.at((*path, start + step), one, two)
            else:
                yield Change((*path, start), gone, come, "elements")
            start, there = place + length, at + length

    def _elements(
        self, path: Path, key: str, before: list[JSON], after: list[JSON]
    ) -> Iterator[Change]:
        were = {element[key]: (place, element) for place, element in enumerate(before)}
        are = {element[key]: element for element in after}
        for id, (_, element) in were.items():
            step = (*path, Element(key, id))
            yield from self.at(step, element, are.get(id, ABSENT))
        rows = [were[element[key]][0] if element[key] in were else -1 for element in after]
        staying = _longest_rise(rows)
        # New elements at the end need no place: that is where they come by themselves.
        last = max((place for place, row in enumerate(rows) if row >= 0), default=-1)
        for place, (id, element) in enumerate(are.items()):
            step = (*path, Element(key, id))
            if id not in were:
                yield Change(step, ABSENT, element)
                if place < last:
                    yield Change(step, ABSENT, place, "place")
            elif place not in staying:
                yield Change(step, were[id][0], place, "place")


def _written_alike(one: JSON, other: JSON) -> bool:
    return type(one) is type(other) and bool(one == other) and dumps(one) == dumps(other)


def _names_after(before: Iterable[str], after: dict[str, JSON]) -> list[str]:
    """Names in the order that removing and adding members leaves."""
    kept = [name for name in before if name in after]
    known = set(kept)
    return [*kept, *(name for name in after if name not in known)]


def _longest_rise(rows: list[int]) -> set[int]:
    """The places of a longest increasing subsequence, negative numbers left out."""
    tails: list[int] = []
    ends: list[int] = []
    earlier: dict[int, int] = {}
    for place, row in enumerate(rows):
        if row < 0:
            continue
        length = bisect_left(tails, row)
        earlier[place] = ends[length - 1] if length else -1
        tails[length : length + 1] = [row]
        ends[length : length + 1] = [place]
    found = set()
    place = ends[-1] if ends else -1
    while place >= 0:
        found.add(place)
        place = earlier[place]
    return found


# --- doing it again


def apply(changes: Iterable[Change], before: Value) -> Value:
    """Change a value as `diff` found that it was changed; the value itself stays as it is.

    Raises:
        UsageError: the changes are not of this value; says which is not.
    """
    root = _Node()
    for change in changes:
        node = root
        steps = change.path[:-1] if change.aspect == "elements" else change.path
        for step in steps:
            node = node.beneath.setdefault(step, _Node())
        node.changes.append(change)
    return _applied(root, before)


@dataclass(slots=True)
class _Node:
    """The changes at one path, and at the paths beneath."""

    changes: list[Change] = field(default_factory=list)
    beneath: dict[Step, _Node] = field(default_factory=dict)


def _applied(node: _Node, value: Value) -> Value:
    for change in node.changes:
        if change.aspect == "value":
            if not _fits(change.before, value):
                raise _unfit(change)
            value = change.after
    if not node.beneath and all(change.aspect in ("value", "place") for change in node.changes):
        return value
    if type(value) is dict:
        return _applied_to_members(node, value)
    if type(value) is list:
        if any(isinstance(step, Element) for step in node.beneath):
            return _applied_to_elements(node, value)
        return _applied_to_list(node, value)
    raise _unfit(_first(node))


def _applied_to_members(node: _Node, before: dict[str, JSON]) -> dict[str, JSON]:
    value = dict(before)
    for step, beneath in node.beneath.items():
        if not isinstance(step, str):
            raise _unfit(_first(beneath))
        found = _applied(beneath, value.get(step, ABSENT))
        if found is ABSENT:
            value.pop(step, None)
        else:
            value[step] = found
    for change in node.changes:
        if change.aspect == "order":
            if value.keys() != set(change.after) or list(before) != change.before:
                raise _unfit(change)
            value = {name: value[name] for name in change.after}
    return value


def _applied_to_list(node: _Node, before: list[JSON]) -> list[JSON]:
    value = list(before)
    for step, beneath in node.beneath.items():
        if not isinstance(step, int) or not 0 <= step < len(value):
            raise _unfit(_first(beneath))
        value[step] = _applied(beneath, value[step])
    for change in sorted(node.changes, key=_index, reverse=True):
        if change.aspect == "elements":
            start = _index(change)
            end = start + len(change.before)
            if not 0 <= start <= len(before) or not _fits(change.before, before[start:end]):
                raise _unfit(change)
            value[start:end] = change.after
    return value


def _index(change: Change) -> int:
    step = change.path[-1] if change.path else -1
    return step if isinstance(step, int) else -1


def _applied_to_elements(node: _Node, before: list[JSON]) -> list[JSON]:
    changed = {step: one for step, one in node.beneath.items() if isinstance(step, Element)}
    keys = {step.key for step in changed}
    key = keys.pop()
    if keys or len(changed) < len(node.beneath):
        raise _unfit(_first(node))
    elements: dict[Element, JSON] = {}
    for element in before:
        if type(element) is not dict or key not in element:
            raise _unfit(_first(node))
        elements[Element(key, element[key])] = element
    placed: list[tuple[int, JSON]] = []
    for step, beneath in changed.items():
        found = _applied(beneath, elements.get(step, ABSENT))
        place = next((one.after for one in beneath.changes if one.aspect == "place"), None)
        if found is ABSENT or place is not None:
            elements.pop(step, None)
        else:
            elements[step] = found
        if place is not None:
            placed.append((place, found))
    value = list(elements.values())
    for place, element in sorted(placed, key=_place):
        value.insert(place, element)
    return value


def _place(placed: tuple[int, JSON]) -> int:
    return placed[0]


def _fits(before: Value, value: Value) -> bool:
    if before is ABSENT or value is ABSENT:
        return before is value
    return _written_alike(before, value) or same(before, value)


def _first(node: _Node) -> Change:
    while not node.changes:
        node = next(iter(node.beneath.values()))
    return node.changes[0]


def _unfit(change: Change) -> UsageError:
    return UsageError(
        f"the change of {readable(change.path)} is not one of this value",
        hint="a difference can only be applied to the value that it was taken from",
    )
