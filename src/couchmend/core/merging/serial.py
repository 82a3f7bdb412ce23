"""Decisions as JSON and back; `decision.schema.json` beside this module is their schema."""

from __future__ import annotations

import typing
from collections.abc import Iterable, Mapping

from couchmend.core.document import JSON, Doc
from couchmend.core.merging.decisions import Aspect, Decision, Kind
from couchmend.core.paths import Path, from_pointer, pointer
from couchmend.core.values import ABSENT, Value
from couchmend.errors import UsageError

_KINDS = typing.get_args(Kind)
_ASPECTS = typing.get_args(Aspect)
_FLAGS = ("metadata", "timed", "assumed")


def to_json(decisions: Iterable[Decision]) -> list[JSON]:
    """Decisions as JSON."""
    return [
        {
            "path": pointer(decision.path),
            "aspect": decision.aspect,
            "kind": decision.kind,
            "versions": {name: _shown(value) for name, value in decision.versions.items()},
            "base": _shown(decision.base),
            "taken": _shown(decision.taken),
            "competing": list(decision.competing),
            "resolver": decision.resolver,
            "reason": decision.reason,
            "metadata": decision.metadata,
            "timed": decision.timed,
            "assumed": decision.assumed,
        }
        for decision in decisions
    ]


def from_json(given: JSON) -> tuple[Decision, ...]:
    """Read what `to_json` wrote, edited or not.

    Raises:
        UsageError: it is no list of decisions; says which one and what of it is wrong.
    """
    if not isinstance(given, list):
        raise _wrong("decisions", given, "a list")
    return tuple(_decision(f"decision {number}", one) for number, one in enumerate(given, 1))


def _decision(where: str, given: JSON) -> Decision:
    if not isinstance(given, Mapping):
        raise _wrong(where, given, "an object")
    versions = _member(where, given, "versions", Mapping, "an object")
    competing = _member(where, given, "competing", list, "a list of versions")
    if not all(isinstance(name, str) for name in competing):
        raise _wrong(f"{where}, competing", competing, "a list of versions")
    return Decision(
        _path(where, given),
        _one_of(where, given, "kind", _KINDS),
        {name: _read(f"{where}, versions, {name}", value) for name, value in versions.items()},
        _read(f"{where}, base", given.get("base")),
        _read(f"{where}, taken", given.get("taken")),
        tuple(competing),
        _member(where, given, "resolver", str, "a text"),
        _member(where, given, "reason", str, "a text"),
        _one_of(where, given, "aspect", _ASPECTS),
        *(_member(where, given, name, bool, "true or false") for name in _FLAGS),
    )


def _path(where: str, given: Mapping[str, JSON]) -> Path:
    text = _member(where, given, "path", str, "a pointer")
    try:
        return from_pointer(text)
    except UsageError as problem:
        raise _wrong(f"{where}, path", text, f"a pointer: {problem.message}") from problem


def _member(
    where: str, given: Mapping[str, JSON], name: str, kind: type, allowed: str
) -> typing.Any:
    if not isinstance(given.get(name), kind):
        raise _wrong(f"{where}, {name}", given.get(name), allowed)
    return given[name]


def _one_of(
    where: str, given: Mapping[str, JSON], name: str, allowed: tuple[str, ...]
) -> typing.Any:
    if given.get(name) not in allowed:
        raise _wrong(f"{where}, {name}", given.get(name), f"one of {', '.join(allowed)}")
    return given[name]


def _shown(value: Value) -> Doc:
    return {"absent": True} if value is ABSENT else {"value": value}


def _read(where: str, given: JSON) -> Value:
    if isinstance(given, Mapping) and len(given) == 1:
        if given.get("absent") is True:
            return ABSENT
        if "value" in given:
            return given["value"]
    raise _wrong(where, given, '{"value": …} or {"absent": true}')


def _wrong(where: str, given: JSON, allowed: str) -> UsageError:
    shown = repr(given)
    shown = shown if len(shown) <= 60 else f"{shown[:59]}…"
    return UsageError(f"{where}: {shown} is not allowed", hint=f"it is {allowed}")
