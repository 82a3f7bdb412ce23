"""Plain data, read and checked: what configuration files and programs write.

Everything that is wrong is found at once, each mistake with its key, its value, what is allowed,
and the nearest name where one was misspelt.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, TypeAlias

from couchmend.core.paths import Path
from couchmend.core.policy.patterns import Pattern
from couchmend.errors import UsageError

Key: TypeAlias = tuple[str, ...]

_NONE: Final[Mapping[str, str]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake: the key that it is at, and a sentence that names it."""

    key: Key
    message: str


class PolicyError(UsageError):
    """A policy's data is wrong; `problems` are the mistakes, all of them."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("; ".join(problem.message for problem in problems), operation="policy")
        self.problems = tuple(problems)

    @property
    def mistakes(self) -> tuple[str, ...]:
        """The problems in words."""
        return tuple(problem.message for problem in self.problems)


class Reader:
    """Reads values, and collects what is wrong with them; what is wrong is read as if it had
    not been given.

    prefix: the key of the table whose keys it is told.
    """

    def __init__(self, prefix: Key) -> None:
        self.prefix = prefix
        self.problems: list[Problem] = []

    def wrong(self, key: Key, value: object, why: str) -> None:
        """Note that a value is not allowed."""
        whole = (*self.prefix, *key)
        self.problems.append(
            Problem(whole, f"{dotted(whole)} = {_shown(value)} is not allowed: {why}")
        )

    def unknown(self, key: Key, known: Collection[str]) -> None:
        """Note that a key does not exist."""
        *table, name = whole = (*self.prefix, *key)
        found = nearest(name, known)
        meant = (
            f"did you mean {dotted((*table, found))}?"
            if found
            else f"{dotted(tuple(table))} has {', '.join(known)}"
        )
        self.problems.append(Problem(whole, f"there is no setting {dotted(whole)} ({meant})"))

    def finish(self) -> None:
        """Raise what was noted.

        Raises:
            PolicyError: anything was.
        """
        if self.problems:
            raise PolicyError(self.problems)

    # --- kinds of values

    def table(self, key: Key, value: object, known: Collection[str] = ()) -> Mapping[str, Any]:
        """A table; where `known` says which keys it may have, only those of them."""
        if not isinstance(value, Mapping) or not all(isinstance(name, str) for name in value):
            self.wrong(key, value, "it is a table")
            return {}
        if not known:
            return value
        for name in value:
            if name not in known:
                self.unknown((*key, name), known)
        return {name: value[name] for name in value if name in known}

    def choice(
        self,
        key: Key,
        value: object,
        choices: Sequence[str],
        default: str,
        aliases: Mapping[str, str] = _NONE,
    ) -> Any:
        """One of several words."""
        if isinstance(value, str):
            value = aliases.get(value, value)
            if value in choices:
                return value
        *others, last = (f'"{choice}"' for choice in choices)
        allowed = f"it is {', '.join(others)} or {last}"
        self.wrong(key, value, f"{allowed}{did_you_mean(value, [*choices, *aliases])}")
        return default

    def seconds(self, key: Key, value: object, default: float) -> float:
        """A number of seconds."""
        if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= 1e12:
            return value
        self.wrong(key, value, "it is a number of seconds, at least 0")
        return default

    def texts(self, key: Key, value: object) -> tuple[str, ...]:
        """A list of texts, none of them empty or there twice."""
        if isinstance(value, str) or not isinstance(value, Sequence):
            self.wrong(key, value, "it is a list of texts")
            return ()
        found: list[str] = []
        for text in value:
            if not isinstance(text, str) or not text:
                self.wrong(key, text, "it is a list of texts")
            elif text in found:
                self.wrong(key, text, "it is there twice")
            else:
                found.append(text)
        return tuple(found)

    def pattern(self, key: Key, text: str) -> Pattern | None:
        """A pattern of fields."""
        try:
            return Pattern.parse(text)
        except UsageError as problem:
            whole = (*self.prefix, *key)
            self.problems.append(
                Problem(whole, f"{dotted(whole)}: {problem.message} ({problem.hint})")
            )
            return None

    def patterns(self, key: Key, texts: Iterable[str]) -> tuple[Pattern, ...]:
        """Patterns, without those that are none."""
        found = (self.pattern(key, text) for text in texts)
        return tuple(pattern for pattern in found if pattern)

    def path(self, key: Key, value: object) -> Path:
        """The one place that a pattern of nothing but names names; the root where it is wrong."""
        if not isinstance(value, str) or not value:
            self.wrong(key, value, "it is the name of a member")
            return ()
        pattern = self.pattern(key, value)
        if pattern is None:
            return ()
        if not pattern.names:
            self.wrong(key, value, "it is the name of one member, without *, ** and []")
        return pattern.names


def dotted(key: Key) -> str:
    """A key as a configuration file writes it."""
    return ".".join(
        part if re.fullmatch(r"[\w-]+", part, re.ASCII) else json.dumps(part, ensure_ascii=False)
        for part in key
    )


def nearest(word: object, known: Iterable[str]) -> str:
    """The name that is most like a word; empty where none is."""
    found = difflib.get_close_matches(str(word), list(known), n=1, cutoff=0.5)
    return found[0] if found else ""


def did_you_mean(word: object, known: Iterable[str]) -> str:
    """What may have been meant, as the end of a sentence."""
    found = nearest(word, known)
    return f" (did you mean {found}?)" if found else ""


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:79]}…"
