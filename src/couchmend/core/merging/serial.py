"""Decisions as JSON and back; `decision.schema.json` beside this module is their schema."""

from __future__ import annotations

import typing
from collections.abc import Iterable, Mapping

from couchmend.core.document import JSON, Doc
from couchmend.core.merging.decisions import Aspect, Decision, Kind
from couchmend.core.merging.reading import Reader, wrong
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
        raise wrong("decisions", given, "a list")
    return tuple(_decision(f"decision {number}", one) for number, one in enumerate(given, 1))


def _decision(where: str, given: JSON) -> Decision:
    read = Reader(given, where)
    versions = read.member("versions", Mapping, "an object")
    competing = read.member("competing", list, "a list of versions")
    if not all(isinstance(name, str) for name in competing):
        raise wrong(read.at("competing"), competing, "a list of versions")
    return Decision(
        _path(read),
        typing.cast(Kind, read.one_of("kind", _KINDS)),
        {name: _read(f"{where}, versions, {name}", value) for name, value in versions.items()},
        _read(read.at("base"), given.get("base")),
        _read(read.at("taken"), given.get("taken")),
        tuple(competing),
        read.text("resolver"),
        read.text("reason"),
        typing.cast(Aspect, read.one_of("aspect", _ASPECTS)),
        *map(read.flag, _FLAGS),
    )


def _path(read: Reader) -> Path:
    text = read.member("path", str, "a pointer")
    try:
        return from_pointer(text)
    except UsageError as problem:
        raise wrong(read.at("path"), text, f"a pointer: {problem.message}") from problem


def _shown(value: Value) -> Doc:
    return {"absent": True} if value is ABSENT else {"value": value}


def _read(where: str, given: JSON) -> Value:
    if isinstance(given, Mapping) and len(given) == 1:
        if given.get("absent") is True:
            return ABSENT
        if "value" in given:
            return given["value"]
    raise wrong(where, given, '{"value": …} or {"absent": true}')
