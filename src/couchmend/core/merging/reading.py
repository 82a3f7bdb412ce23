"""Reads the JSON of decisions and plans; what is wrong is told with its place."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from couchmend.core.document import JSON
from couchmend.core.revtree import Rev
from couchmend.errors import BadRequest, UsageError

T = TypeVar("T")


class Reader:
    """Reads the members of an object; `where` is what its errors show.

    Every method raises `UsageError` for what is not allowed.
    """

    def __init__(self, given: JSON, where: str) -> None:
        if not isinstance(given, Mapping):
            raise wrong(where, given, "an object")
        self._given = given
        self._where = where

    def member(self, name: str, kind: type, allowed: str) -> Any:
        """A member of one type."""
        found = self._given.get(name)
        if not isinstance(found, kind):
            raise wrong(self.at(name), found, allowed)
        return found

    def at(self, name: str) -> str:
        """Where a member is."""
        return f"{self._where}, {name}"

    def text(self, name: str) -> str:
        """A text."""
        return str(self.member(name, str, "a text"))

    def flag(self, name: str) -> bool:
        """True or false."""
        return bool(self.member(name, bool, "true or false"))

    def one_of(self, name: str, allowed: Iterable[str]) -> str:
        """One of several words."""
        words = tuple(allowed)
        found = self._given.get(name)
        if found not in words:
            raise wrong(self.at(name), found, f"one of {', '.join(words)}")
        return str(found)

    def rev(self, name: str) -> Rev:
        """A revision."""
        return as_rev(self._given.get(name), self.at(name))

    def revs(self, name: str) -> tuple[Rev, ...]:
        """A list of revisions."""
        return self.each(name, as_rev)

    def each(self, name: str, one: Callable[[JSON, str], T]) -> tuple[T, ...]:
        """A list of what `one` reads."""
        found = self.member(name, list, "a list")
        where = self.at(name)
        return tuple(one(given, f"{where} {number}") for number, given in enumerate(found, 1))

    def maybe(self, name: str, one: Callable[[JSON, str], T]) -> T | None:
        """What `one` reads, or null."""
        found = self._given.get(name)
        return None if found is None else one(found, self.at(name))


def as_rev(given: JSON, where: str) -> Rev:
    """A revision."""
    try:
        return Rev.parse(given)
    except BadRequest as problem:
        raise wrong(where, given, "a revision, like 3-9f1c…") from problem


def as_text(given: JSON, where: str) -> str:
    """A text."""
    if not isinstance(given, str):
        raise wrong(where, given, "a text")
    return given


def wrong(where: str, given: JSON, allowed: str) -> UsageError:
    """The error for what is not allowed."""
    shown = repr(given)
    shown = shown if len(shown) <= 60 else f"{shown[:59]}…"
    return UsageError(f"{where}: {shown} is not allowed", hint=f"it is {allowed}")
