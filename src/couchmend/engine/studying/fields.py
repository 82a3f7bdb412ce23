"""What the values of one field are like, in bounded memory."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from couchmend.core.document import JSON
from couchmend.core.policy.timestamps import SECOND, instant
from couchmend.core.values import canonical, is_text

MAX_DISTINCT: Final = 256
MAX_VALUE_BYTES: Final = 200
MAX_MEMBERS: Final = 60
MAX_DEPTH: Final = 8
MAX_FIELDS: Final = 3_000
DIGESTS: Final = {32: "md5", 40: "sha1", 64: "sha256", 128: "sha512"}
YEAR: Final = 365 * 86_400 * SECOND
_DAY = 86_400 * SECOND
_LONG_AGO: Final = 20 * YEAR
_HEX = re.compile(r"[0-9A-Fa-f]+")
_KINDS: Final = {
    type(None): "null", bool: "boolean", int: "integer", float: "number", str: "string",
    list: "list", dict: "object",
}  # fmt: skip


@dataclass(slots=True)
class Texts:
    """Strings: how long, of several lines, of several words, and whether they are digests."""

    longest: int = 0
    characters: int = 0
    several_lines: int = 0
    with_spaces: int = 0
    digests: Counter[int] = field(default_factory=Counter)

    def add(self, value: str) -> None:
        """Count one more."""
        self.longest = max(self.longest, len(value))
        self.characters += len(value)
        self.several_lines += is_text(value)
        self.with_spaces += " " in value
        if len(value) in DIGESTS and _HEX.fullmatch(value):
            self.digests[len(value)] += 1


@dataclass(slots=True)
class Times:
    """Values that are instants of the last twenty years, or of the next."""

    count: int = 0
    ahead: int = 0

    def add(self, value: JSON, now: int) -> None:
        """Count one, if it is."""
        at = instant(value)
        if at is None or not now - _LONG_AGO <= at <= now + YEAR:
            return
        self.count += 1
        self.ahead += at > now + _DAY


@dataclass(slots=True)
class Lists:
    """Lists: what their elements are, and by what they know each other.

    identities: by member, in how many of the `of_objects` every element has a value of its own.
    several: how many of those have two or more elements.
    """

    filled: int = 0
    of_strings: int = 0
    with_repeats: int = 0
    of_objects: int = 0
    several: int = 0
    identities: Counter[str] = field(default_factory=Counter)

    def add(self, value: list[JSON]) -> None:
        """Count one more."""
        if not value:
            return
        self.filled += 1
        if all(type(one) is str for one in value):
            self.of_strings += 1
            self.with_repeats += len(set(value)) < len(value)
        elif all(type(one) is dict for one in value):
            self.of_objects += 1
            self.several += len(value) > 1
            for name in list(value[0])[:MAX_MEMBERS]:
                if name in self.identities or len(self.identities) < MAX_MEMBERS:
                    self.identities[name] += identifies(name, value)


def identifies(name: str, elements: list[JSON]) -> bool:
    """Whether every element has a string or a whole number under this name, each another."""
    values = [element.get(name) for element in elements]
    known = {value for value in values if type(value) is str or type(value) is int}
    return len(known) == len(values)


@dataclass(slots=True)
class Edits:
    """What became of the field when documents were edited.

    compared: edits of documents that had it before and after; changed: in how many it changed.
    later: in how many it became a later instant; up, down: a greater or smaller whole number;
    ones: greater by one; furthest: the greatest difference; reordered: a list whose elements only
    moved; kept: by member, in how many an element of a changed list was known again by it.
    """

    compared: int = 0
    changed: int = 0
    later: int = 0
    up: int = 0
    down: int = 0
    ones: int = 0
    furthest: int = 0
    reordered: int = 0
    kept: Counter[str] = field(default_factory=Counter)


@dataclass(slots=True)
class Collisions:
    """What became of the field where versions compete.

    compared, differs: versions beside the winner that have the field, and those in which it is
    another value; contested: conflicts in which several versions changed it in different ways;
    open: in how many of these the default rules leave that open; both_up: in how many two or more
    versions have a greater whole number than what they come from.
    """

    compared: int = 0
    differs: int = 0
    contested: int = 0
    open: int = 0
    both_up: int = 0


@dataclass(slots=True)
class Field:
    """One field, of all documents of one type.

    seen: how often it is there; values: how often each value comes, of those that were counted
    before there were too many different ones; counted: how many those are.
    """

    seen: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    values: Counter[bytes] = field(default_factory=Counter)
    counted: int = 0
    is_full: bool = False
    smallest: int | None = None
    greatest: int | None = None
    texts: Texts = field(default_factory=Texts)
    times: Times = field(default_factory=Times)
    lists: Lists = field(default_factory=Lists)
    edits: Edits = field(default_factory=Edits)
    collisions: Collisions = field(default_factory=Collisions)
    members: dict[str, Field] = field(default_factory=dict)
    has_any_members: bool = False
    """Whether its members are so many that their names must be data."""

    def add(self, value: JSON, now: int) -> None:
        """Count one more value, not what is in it."""
        self.seen += 1
        self.kinds[_KINDS[type(value)]] += 1
        match value:
            case str():
                self.texts.add(value)
                self.times.add(value, now)
            case bool() | None:
                pass
            case int() | float():
                self.times.add(value, now)
                if isinstance(value, int):
                    self.smallest = value if self.smallest is None else min(self.smallest, value)
                    self.greatest = value if self.greatest is None else max(self.greatest, value)
            case list():
                self.lists.add(value)
                return
            case dict():
                return
        self._count(value)

    def _count(self, value: JSON) -> None:
        if self.is_full:
            return
        key = canonical(value)[:MAX_VALUE_BYTES]
        if key not in self.values and len(self.values) >= MAX_DISTINCT:
            self.is_full = True
            return
        self.values[key] += 1
        self.counted += 1

    @property
    def kind(self) -> str:
        """The one kind of its values that are not null; empty where there are several."""
        kinds = [kind for kind in self.kinds if kind != "null"]
        return kinds[0] if len(kinds) == 1 else ""

    @property
    def said(self) -> int:
        """How many of its values are not null."""
        return self.seen - self.kinds["null"]

    @property
    def is_unique(self) -> bool:
        """Whether no value that was counted came twice."""
        return self.counted > 1 and len(self.values) == self.counted


class Fields:
    """The fields of all documents of one type.

    now: in microseconds since 1970.
    """

    def __init__(self, now: int) -> None:
        self.now = now
        self.documents = 0
        self.edits = 0
        self.conflicts = 0
        self.with_base = 0
        self.left_out = 0
        self.root = Field()
        self._known = 0

    def add(self, body: JSON) -> None:
        """Look at one more document."""
        self.documents += 1
        self._members(self.root, body, 0)

    def _members(self, at: Field, value: dict[str, JSON], depth: int) -> None:
        if at.has_any_members:
            return
        for name, member in value.items():
            if depth == 0 and name.startswith("_"):
                continue
            known = at.members.get(name)
            if known is None:
                if depth and len(at.members) >= MAX_MEMBERS:
                    at.has_any_members = True
                    at.members.clear()
                    return
                if self._known >= MAX_FIELDS:
                    self.left_out += 1
                    continue
                known = at.members[name] = Field()
                self._known += 1
            known.add(member, self.now)
            if type(member) is dict and depth < MAX_DEPTH:
                self._members(known, member, depth + 1)

    def at(self, path: tuple[str, ...]) -> Field | None:
        """The field at a path of members."""
        found: Field | None = self.root
        for name in path:
            found = None if found is None else found.members.get(name)
        return found

    def each(self) -> Iterator[tuple[tuple[str, ...], Field]]:
        """Every field with its path, an object before its members."""
        yield from _each((), self.root)


def _each(path: tuple[str, ...], at: Field) -> Iterator[tuple[tuple[str, ...], Field]]:
    for name, member in at.members.items():
        yield (*path, name), member
        yield from _each((*path, name), member)
