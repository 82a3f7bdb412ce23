"""Patterns of paths, as policies write them.

From the root, dotted: `address.city`.  A pattern covers everything beneath what it names.
`*` is any one member, `[]` any element of a list, `**` any number of steps: also none, except
at the end, where it is everything beneath.  Names that are more than a word stand in quotes:
`"a.b"`.

Of several patterns that match a path, the most specific holds: compared step by step from the
root, a name comes before `[]`, `[]` before `*`, `*` before `**`, and a longer pattern before the
shorter one that it begins with.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Generic, TypeAlias, TypeVar

from couchmend.core.paths import Path, Step
from couchmend.errors import UsageError

T = TypeVar("T")


class Wild(Enum):
    """A step of a pattern that is no name."""

    DEEP = "**"
    MEMBER = "*"
    ELEMENT = "[]"
    ANY = "any"


_RANKS = {Wild.DEEP: 0, Wild.MEMBER: 1, Wild.ELEMENT: 2}
_NAME_RANK = 3
_NAME = re.compile(r'[^\s.*"\[\]]+')
_STEP = re.compile(
    rf"""(?P<deep>\*\*) | (?P<member>\*)
    | (?P<quoted>"(?:[^"\\]|\\.)*") | (?P<name>{_NAME.pattern})""",
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class Pattern:
    """A pattern that was read: names, and what stands for any."""

    text: str
    steps: tuple[str | Wild, ...]

    @classmethod
    def parse(cls, text: str) -> Pattern:
        """Read a pattern.

        Raises:
            UsageError: it is none; says where.
        """
        steps: list[str | Wild] = []
        place = 0
        while place < len(text):
            if text.startswith("[]", place):
                steps.append(Wild.ELEMENT)
                place += 2
                continue
            if steps:
                if text[place] != ".":
                    raise _wrong(text, place, "a dot or [] is missing")
                place += 1
            found = _STEP.match(text, place)
            if not found:
                raise _wrong(text, place, "a name is missing")
            steps.append(_step(found, text))
            place = found.end()
        if not steps:
            raise _wrong(text, 0, "it is empty")
        return cls(text, tuple(steps))

    @classmethod
    def of_names(cls, names: Iterable[Step]) -> Pattern:
        """The pattern of one place, given by the names of members."""
        steps = tuple(name for name in names if isinstance(name, str))
        texts = (name if _NAME.fullmatch(name) else json.dumps(name) for name in steps)
        return cls(".".join(texts), steps)

    @property
    def names(self) -> tuple[str, ...]:
        """The place that it names, where it is nothing but names; else nothing."""
        found = tuple(step for step in self.steps if isinstance(step, str))
        return found if len(found) == len(self.steps) else ()

    @property
    def specificity(self) -> tuple[int, ...]:
        """Larger is more specific, among patterns that match one path."""
        return tuple(_NAME_RANK if isinstance(step, str) else _RANKS[step] for step in self.steps)


def _step(found: re.Match[str], text: str) -> str | Wild:
    if found["deep"]:
        return Wild.DEEP
    if found["member"]:
        return Wild.MEMBER
    if found["quoted"]:
        try:
            return str(json.loads(found["quoted"]))
        except ValueError as problem:
            raise _wrong(text, found.start(), "this is no string") from problem
    return found["name"]


def _wrong(text: str, place: int, why: str) -> UsageError:
    return UsageError(
        f"{text!r} is not a field pattern: {why} at character {place + 1}",
        hint="a pattern is written like title, address.city, subtasks[].done, settings.*, "
        '**.color or "odd.name"',
    )


class Reach(Enum):
    """How far what a pattern says reaches beneath the place that it names."""

    WHOLE = "whole"
    """It is about what stands there as a whole, unless other patterns say more."""
    MEMBERS = "members"
    """It is about each part of an object by itself."""
    LISTS = "lists"
    """It is about a list, or each list in an object, and says nothing of their elements."""


class Patterns(Generic[T]):
    """Values by patterns, read as one descends: `beneath` leads a step further, `value` is what
    holds there.  It does not change, and may be shared.

    Of patterns that are equally specific, the one that names the deeper place holds.
    """

    __slots__ = (
        "_beneath", "_covering", "_ends", "_entries", "_names", "_open", "_places",
        "goes_on", "value",
    )  # fmt: skip

    def __init__(
        self, values: Mapping[Pattern, T], reach: Callable[[T], Reach] = lambda value: Reach.WHOLE
    ) -> None:
        # In an order of their own: the order in which they were written means nothing.
        patterns = sorted(values, key=_by_steps)
        self._entries = [
            _Entry.of(pattern, values[pattern], reach(values[pattern])) for pattern in patterns
        ]
        # Places at which the same patterns stand at the same steps are one.
        self._places: dict[_Place, Patterns[T]] = {}
        self._stand(frozenset((number, 0) for number in range(len(patterns))), ())

    def _stand(self, at: frozenset[tuple[int, int]], covering: tuple[int, ...]) -> None:
        entries = self._entries
        passed = {(i, step) for i, start in at for step in entries[i].passed(start)}
        matched = sorted(i for i, step in passed if step == len(entries[i].steps))
        ranked = [*matched, *(i for i in covering if i not in matched)]
        ranked.sort(key=lambda i: entries[i].specificity, reverse=True)
        # Past the first that reaches into lists none is needed.
        last = next((n for n, i in enumerate(ranked) if entries[i].reach is not Reach.LISTS), None)
        self._covering = tuple(ranked if last is None else ranked[: last + 1])
        self._open = frozenset((i, step) for i, step in passed if step < len(entries[i].steps))
        self._names = {entries[i].steps[step] for i, step in self._open}
        # Where this is all that can hold beneath.
        self._ends = not self._open and all(
            entries[i].reach is not Reach.LISTS for i in self._covering
        )
        self._beneath: dict[str | Wild, Patterns[T]] = {}
        best = entries[ranked[0]] if ranked else None
        self.value: T | None = None if best is None else best.value
        """What the most specific pattern that covers this place says."""
        least = () if best is None else best.specificity
        self.goes_on = (best is not None and best.reach is not Reach.WHOLE) or any(
            entries[i].specificity >= least for i, _ in self._open
        )
        """Whether the parts of an object here are looked at by themselves: beneath, a pattern
        may hold that is as specific or more, or the one that holds here wants it."""

    def beneath(self, step: Step) -> Patterns[T]:
        """What holds one step further."""
        if self._ends:
            return self
        kind: str | Wild
        if not isinstance(step, str):
            kind = Wild.ELEMENT
        else:
            kind = step if step in self._names else Wild.MEMBER
        found = self._beneath.get(kind)
        if found is None:
            found = self._beneath[kind] = self._next(kind)
        return found

    def at(self, path: Path) -> T | None:
        """What holds at a path from here."""
        node = self
        for step in path:
            node = node.beneath(step)
        return node.value

    def _next(self, kind: str | Wild) -> Patterns[T]:
        further = set[tuple[int, int]]()
        for i, step in self._open:
            wanted = self._entries[i].steps[step]
            if wanted is Wild.DEEP:
                further.add((i, step))
            elif (
                wanted is Wild.ANY
                or wanted == kind
                or (wanted is Wild.MEMBER and isinstance(kind, str))
            ):
                further.add((i, step + 1))
        covering = self._covering
        if kind is Wild.ELEMENT:
            covering = tuple(i for i in covering if self._entries[i].reach is not Reach.LISTS)
        place = frozenset(further), covering
        found = self._places.get(place)
        if found is None:
            found = object.__new__(Patterns)
            found._entries, found._places = self._entries, self._places
            found._stand(*place)
            self._places[place] = found
        return found


_Place: TypeAlias = tuple[frozenset[tuple[int, int]], tuple[int, ...]]
"""Which patterns stand at which of their steps, and which cover the place, the best first."""


def _by_steps(pattern: Pattern) -> list[tuple[int, str]]:
    return [
        (_NAME_RANK, step) if isinstance(step, str) else (_RANKS[step], "")
        for step in pattern.steps
    ]


@dataclass(frozen=True, slots=True)
class _Entry(Generic[T]):
    steps: tuple[str | Wild, ...]
    specificity: tuple[int, ...]
    value: T
    reach: Reach

    @classmethod
    def of(cls, pattern: Pattern, value: T, reach: Reach) -> _Entry[T]:
        steps = pattern.steps
        if steps[-1] is Wild.DEEP:  # at the end it stands for one step or more
            steps = (*steps[:-1], Wild.ANY, Wild.DEEP)
        return cls(steps, pattern.specificity, value, reach)

    def passed(self, step: int) -> Iterator[int]:
        """Where a pattern stands, also when each `**` from there on stands for nothing."""
        yield step
        while step < len(self.steps) and self.steps[step] is Wild.DEEP:
            step += 1
            yield step
