"""Where in a document something stands.

A path is a tuple of steps: the name of an object's member, the index of a list's element, or
an `Element` of a list whose elements have identities.  It is written in two ways, both without
ambiguity:

- as a pointer, for programs: RFC 6901, with one token that it leaves free for an element by its
  identity: `/subtasks/~[id="s1"]/done`;
- readably, for people: `subtasks[id="s1"].done`, names that are more than a word in quotes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from couchmend.core.document import JSON, dumps
from couchmend.core.values import ABSENT, Value, same
from couchmend.errors import UsageError


@dataclass(frozen=True, slots=True)
class Element:
    """The element of a list that has `value` (a string or a number) as its member `key`."""

    key: str
    value: str | int | float

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Element):
            return NotImplemented
        return self.key == other.key and same(self.value, other.value)

    def __hash__(self) -> int:
        return hash((self.key, self.value))


Step: TypeAlias = str | int | Element
Path: TypeAlias = tuple[Step, ...]

_WORD = re.compile(r"[A-Za-z_$][\w$-]*", re.ASCII)
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?")


def pointer(path: Path) -> str:
    """The path as a pointer; the root is the empty string."""
    return "".join(f"/{_token(step)}" for step in path)


def _token(step: Step) -> str:
    match step:
        case str():
            return step.replace("~", "~0").replace("/", "~1")
        case _:
            return "~" + _bracket(step).replace("~", "~0").replace("/", "~1")


def _bracket(step: int | Element) -> str:
    if isinstance(step, int):
        return f"[{step}]"
    return f"[{_name(step.key)}={_quoted(step.value)}]"


def from_pointer(text: str) -> Path:
    """Read what `pointer` wrote.

    Raises:
        UsageError: it is no pointer.
    """
    if not text:
        return ()
    if text[0] != "/":
        raise UsageError(f"{text!r} is not a pointer", hint="a pointer begins with /")
    return tuple(_from_token(token, text) for token in text[1:].split("/"))


def _from_token(token: str, whole: str) -> Step:
    by_identity = token.startswith("~[")
    rest = token[1:] if by_identity else token
    if re.search(r"~(?![01])", rest):
        raise UsageError(f"{whole!r} is not a pointer", hint="a ~ in a name is written ~0")
    plain = rest.replace("~1", "/").replace("~0", "~")
    if not by_identity:
        return plain
    reader = _Reader(plain, whole)
    step = reader.bracket()
    reader.end()
    return step


def readable(path: Path) -> str:
    """The path for people; the root is `.`."""
    if not path:
        return "."
    shown = ""
    for step in path:
        match step:
            case str():
                shown += ("." if shown else "") + _name(step)
            case _:
                shown += _bracket(step)
    return shown


def from_readable(text: str) -> Path:
    """Read what `readable` wrote.

    Raises:
        UsageError: it is no path; says where.
    """
    if text == ".":
        return ()
    reader = _Reader(text, text)
    steps: list[Step] = []
    while not steps or reader.left:
        if reader.left.startswith("["):
            steps.append(reader.bracket())
        else:
            if steps:
                reader.take(".")
            steps.append(reader.name())
    return tuple(steps)


def _name(name: str) -> str:
    return name if _WORD.fullmatch(name) else _quoted(name)


def _quoted(value: str | float) -> str:
    return (
        json.dumps(value, ensure_ascii=False) if isinstance(value, str) else dumps(value).decode()
    )


class _Reader:
    """Reads a path from left to right; `whole` is what its errors show."""

    def __init__(self, text: str, whole: str) -> None:
        self.left = text
        self._whole = whole

    def take(self, text: str) -> None:
        if not self.left.startswith(text):
            raise self._wrong(f"{text} is missing")
        self.left = self.left[len(text) :]

    def end(self) -> None:
        if self.left:
            raise self._wrong("it should end")

    def bracket(self) -> Step:
        self.take("[")
        index = re.match(r"\d+(?=])", self.left)
        if index:
            self.left = self.left[index.end() :]
            step: Step = int(index[0])
        else:
            key = self.name()
            self.take("=")
            step = Element(key, self._value())
        self.take("]")
        return step

    def name(self) -> str:
        return str(self._json(_QUOTED)) if self.left.startswith('"') else self._matched(_WORD)

    def _value(self) -> str | int | float:
        found = self._json(_QUOTED if self.left.startswith('"') else _NUMBER)
        if isinstance(found, (str, int, float)):
            return found
        raise self._wrong("an identity is a string or a number")

    def _json(self, pattern: re.Pattern[str]) -> JSON:
        text = self._matched(pattern)
        try:
            return json.loads(text)
        except ValueError as problem:
            raise self._wrong("this is not JSON") from problem

    def _matched(self, pattern: re.Pattern[str]) -> str:
        found = pattern.match(self.left)
        if not found:
            raise self._wrong("a name is missing")
        self.left = self.left[found.end() :]
        return found[0]

    def _wrong(self, why: str) -> UsageError:
        place = len(self._whole) - len(self.left)
        return UsageError(
            f"{self._whole!r} is not a path: {why} at character {place + 1}",
            hint='a path is written like subtasks[id="s1"].title, odd names in quotes: a."b.c"',
        )


# --- values at paths


def value_at(value: Value, path: Path) -> Value:
    """What stands at a path, or `ABSENT`."""
    for step in path:
        value = member(value, step)
        if value is ABSENT:
            return ABSENT
    return value


def member(value: Value, step: Step) -> Value:
    """What stands one step further, or `ABSENT`."""
    match step:
        case str():
            return value.get(step, ABSENT) if type(value) is dict else ABSENT
        case _ if type(value) is not list:
            return ABSENT
        case Element():
            place = place_of(value, step)
            return ABSENT if place is None else value[place]
        case _:
            return value[step] if 0 <= step < len(value) else ABSENT


def place_of(elements: Sequence[JSON], step: Element) -> int | None:
    """The index of an element by its identity."""
    for place, element in enumerate(elements):
        if type(element) is dict and step.key in element and same(element[step.key], step.value):
            return place
    return None


def covers(outer: Path, inner: Path) -> bool:
    """Whether `inner` is `outer` or lies beneath it."""
    return inner[: len(outer)] == outer
