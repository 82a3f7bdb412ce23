"""The resolvers that every policy can name."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from types import MappingProxyType
from typing import Final, TypeAlias

from couchmend.core.document import JSON
from couchmend.core.policy.resolvers import Context, Form, Resolve, Resolver, Unresolved
from couchmend.core.policy.timestamps import time_of
from couchmend.core.policy.versions import Version
from couchmend.core.values import ABSENT, Value, same

Found: TypeAlias = Value | Unresolved


# --- whose value


def _current(base: Value, current: Value, other: Value, context: Context) -> Found:
    return current


def _other(base: Value, current: Value, other: Value, context: Context) -> Found:
    return other


def _latest(base: Value, current: Value, other: Value, context: Context) -> Found:
    return other if _age(context.other) > _age(context.current) else current


def _earliest(base: Value, current: Value, other: Value, context: Context) -> Found:
    return other if _age(context.other) < _age(context.current) else current


def _age(version: Version) -> float:
    return float("-inf") if version.timestamp is None else version.timestamp


# --- the greater, the longer, the one that says something


def _max(base: Value, current: Value, other: Value, context: Context) -> Found:
    return _compared(current, other, lambda mine, theirs: bool(theirs > mine))


def _min(base: Value, current: Value, other: Value, context: Context) -> Found:
    return _compared(current, other, lambda mine, theirs: bool(theirs < mine))


def _compared(current: Value, other: Value, other_wins: Callable[[JSON, JSON], bool]) -> Found:
    kinds = _kind(current), _kind(other)
    if kinds[0] != kinds[1]:
        return Unresolved(f"it compares like with like, not {kinds[0]} with {kinds[1]}")
    if kinds[0] not in (_NUMBER, _TIME, _STRING):
        return Unresolved(f"it compares numbers, times and strings, not {kinds[0]}")
    pair = (time_of(current), time_of(other)) if kinds[0] == _TIME else (current, other)
    return other if other_wins(*pair) else current


_NUMBER, _TIME, _STRING, _LIST, _OBJECT = "a number", "a time", "a string", "a list", "an object"
_NAMES: Mapping[type, str] = {int: _NUMBER, float: _NUMBER, list: _LIST, dict: _OBJECT}


def _kind(value: Value) -> str:
    """What a value is, in words; a string that is a date or a time of ISO 8601 is a time."""
    if value is ABSENT:
        return "a value that was removed"
    if value is None:
        return "null"
    if type(value) is str:
        return _STRING if time_of(value) is None else _TIME
    return _NAMES.get(type(value), "true or false")


def _longest(base: Value, current: Value, other: Value, context: Context) -> Found:
    kind = type(current)
    if kind is not type(other):
        return Unresolved(f"it compares like with like, not {_kind(current)} with {_kind(other)}")
    if kind is not str and kind is not list and kind is not dict:
        return Unresolved(f"{_kind(current)} has no length")
    return other if len(other) > len(current) else current


def _non_empty(base: Value, current: Value, other: Value, context: Context) -> Found:
    if _is_empty(other):
        return current
    if _is_empty(current):
        return other
    return Unresolved("neither side is empty")


def _is_empty(value: Value) -> bool:
    return value is ABSENT or value is None or value == "" or value == [] or value == {}


def prefer(values: Sequence[JSON]) -> Resolver:
    """The resolver that takes the value that stands first in a list."""
    ranked = tuple(values)

    def resolve(base: Value, current: Value, other: Value, context: Context) -> Found:
        for value in ranked:
            for mine in (current, other):
                if same(mine, value):
                    return mine
        return Unresolved("neither value is in its list")

    shown = json.dumps(list(ranked), ensure_ascii=False)
    return Resolver(f"prefer:{shown}", resolve, about=_PREFER, trusted=True)


_PREFER = "the value that stands first in the list"


# --- what both sides added


def _counter(base: Value, current: Value, other: Value, context: Context) -> Found:
    if not context.base_exact:
        return Unresolved("what was counted since is not known without the exact common ancestor")
    before = 0 if base is ABSENT else base
    for value in (before, current, other):
        if _kind(value) != _NUMBER:
            return Unresolved(f"it counts numbers, not {_kind(value)}")
    if isinstance(before, int) and isinstance(current, int) and isinstance(other, int):
        return current + other - before
    # Exact, so that 0.1 and 0.2 over 0.0 are 0.3.
    total = sum(map(_exact, (current, other))) - _exact(before)
    if isinstance(current, int) and isinstance(other, int) and total.denominator == 1:
        return int(total)
    try:
        return float(total)
    except OverflowError:
        return Unresolved("the sum is too large for a number with a fraction")


def _exact(number: float) -> Fraction:
    return Fraction(number) if isinstance(number, int) else Fraction(repr(number))


def _append(base: Value, current: Value, other: Value, context: Context) -> Found:
    if not context.base_exact:
        return Unresolved("what was appended is not known without the exact common ancestor")
    if type(current) is str and type(other) is str:
        before = "" if base is ABSENT else base
        if type(before) is str and current.startswith(before) and other.startswith(before):
            return current + other[len(before) :]
    elif type(current) is list and type(other) is list:
        before = [] if base is ABSENT else base
        if type(before) is list and _begins(current, before) and _begins(other, before):
            return current + other[len(before) :]
    else:
        return Unresolved(
            f"it appends to lists and to strings, not {_kind(current)} and {_kind(other)}"
        )
    return Unresolved("one side did more than append")


def _begins(whole: list[JSON], part: list[JSON]) -> bool:
    return len(whole) >= len(part) and all(map(same, whole, part))


def _drop(base: Value, current: Value, other: Value, context: Context) -> Found:
    return ABSENT


def _manual(base: Value, current: Value, other: Value, context: Context) -> Found:
    return Unresolved("the policy leaves it to a person")


# --- by name


def _named(
    name: str, resolve: Resolve, about: str, *, idempotent: bool = True, timed: bool = False
) -> Resolver:
    return Resolver(name, resolve, idempotent=idempotent, timed=timed, about=about, trusted=True)


def _form(form: Form, about: str) -> Resolver:
    return Resolver(form.value, form=form, about=about, trusted=True)


BUILTIN: Final[Mapping[str, Resolver]] = MappingProxyType(
    {
        resolver.name: resolver
        for resolver in (
            _named("current", _current, "the value of the current side, which is the winner"),
            _named("other", _other, "the value of the other side"),
            _named(
                "latest", _latest, "the value of the version with the newest timestamp", timed=True
            ),
            _named(
                "earliest",
                _earliest,
                "the value of the version with the oldest timestamp",
                timed=True,
            ),
            _named("max", _max, "the greater of two numbers, ISO 8601 times or strings"),
            _named("min", _min, "the lesser of two numbers, ISO 8601 times or strings"),
            _named(
                "counter", _counter, "the base, and what both sides added to it", idempotent=False
            ),
            _form(Form.SET, "a list without order: what either removed is gone, what either"
                  " added stays"),
            _form(Form.KEYED, "a list of objects with identities, element by element"),
            _form(Form.SEQUENCE, "a list whose order matters, piece by piece"),
            _form(Form.TEXT, "strings, by lines and then by words; also those of one line"),
            _named(
                "append",
                _append,
                "a list or a string that only grows: the base, what current appended, what other"
                " appended",
                idempotent=False,
            ),
            _named("longest", _longest, "the longer of two strings, lists or objects"),
            _named(
                "non-empty",
                _non_empty,
                'the value that is not empty: null, "", [], {} and nothing at all are',
            ),
            _form(Form.ATOMIC, "the value as a whole: changed on both sides it is a conflict"),
            _named("drop", _drop, "neither: the member is left out"),
            _named("manual", _manual, "nothing: a person decides"),
        )
    }
)  # fmt: skip

ALIASES: Final[Mapping[str, str]] = MappingProxyType({"local": "current", "remote": "other"})
