"""The normal form of Mango selectors.

In it every object has one member; a combination (`$and`, `$or`) holds selectors, a field's
whole path holds one condition, and negations are pushed down to conditions.  It is the form
that CouchDB's `_explain` shows, and normalising it again changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from couchmend.core.document import JSON, Doc
from couchmend.core.erlang_text import erlang_text
from couchmend.core.fields import parse_field
from couchmend.core.patterns import UnsupportedPattern, compile_pattern
from couchmend.errors import BadRequest

MAX_DEPTH = 100
"""Levels of objects and lists in a selector; deeper ones are refused."""


def normalise(selector: Mapping[str, JSON]) -> Doc:
    """The normal form of a selector.

    Raises:
        BadRequest: `error` and `reason` are CouchDB's: an unknown operator, a bad argument,
            a condition without a field.
    """
    if not isinstance(selector, Mapping):
        raise BadRequest(
            f"Selector must be a JSON object, not: {erlang_text(selector)}",
            error="invalid_selector_json",
        )
    if not selector:
        return {}
    if not _shallow(selector, MAX_DEPTH):
        raise BadRequest(
            "Selector is nested too deeply",
            error="invalid_selector",
            hint=f"at most {MAX_DEPTH} levels of objects and lists",
        )
    normal = _negations(_fields(_operators(dict(selector)), ""))
    if "" in normal:
        raise BadRequest(
            "One or more conditions is missing a field name.",
            error="invalid_selector",
            hint='write {"field": {"$operator": argument}}',
        )
    return normal


def only(selector: Doc) -> tuple[str, JSON]:
    """The one member of an object of the normal form."""
    ((name, argument),) = selector.items()
    return name, argument


def _shallow(value: JSON, levels: int) -> bool:
    if isinstance(value, Mapping):
        return levels > 0 and all(_shallow(member, levels - 1) for member in value.values())
    if isinstance(value, list):
        return levels > 0 and all(_shallow(member, levels - 1) for member in value)
    return True


# --- first: every operator explicit, and its argument checked


def _operators(value: JSON) -> Doc:
    if type(value) is not dict or not value:
        return {"$eq": value}
    if len(value) > 1:
        return {"$and": [_operators({name: member}) for name, member in value.items()]}
    name, argument = only(value)
    if name[:1] != "$":
        return {name: _operators(argument)}
    if name in _NOT_SUPPORTED:
        raise BadRequest(
            f"Unsupported operator: {name}",
            error="not_supported",
            hint="there are no text indexes here" if name == "$text" else "",
        )
    if name == "$default":  # CouchDB's own word for what `$text` asks
        raise BadRequest(
            f"Invalid field normalization on selector: {erlang_text(value)}", error="bad_field"
        )
    check = _CHECKS.get(name)
    if check is None or (name in _STRINGS and type(argument) is not str):
        raise BadRequest(f"Invalid operator: {name}", error="invalid_operator")
    if not check(argument):
        raise bad_argument(name, argument)
    if name in _COMBINATIONS:
        return {name: [_operators(part) for part in argument]}
    if name in _WITH_SELECTOR:
        return {name: _operators(argument)}
    if name == "$regex":
        try:
            compile_pattern(argument)
        except UnsupportedPattern as problem:
            raise bad_argument(name, argument, hint=str(problem)) from problem
    return {name: argument}


def bad_argument(operator: str, argument: JSON, hint: str = "") -> BadRequest:
    """The error for an argument that an operator does not take."""
    return BadRequest(
        f"Bad argument for operator {operator}: {erlang_text(argument)}",
        error="bad_arg",
        hint=hint or _TAKES.get(operator, ""),
    )


def _is_divisor(value: JSON) -> bool:
    # CouchDB accepts a divisor of 0 and fails on the first document.
    match value:
        case [int(divisor), int(remainder)]:
            return type(divisor) is not bool and type(remainder) is not bool and divisor != 0
    return False


def _anything(value: JSON) -> bool:
    return True


def _is(kind: type) -> Callable[[JSON], bool]:
    return lambda value: type(value) is kind


_COMBINATIONS: Final = frozenset({"$and", "$or", "$nor"})
_WITH_SELECTOR: Final = frozenset({"$not", "$elemMatch", "$allMatch", "$keyMapMatch"})
_STRINGS: Final = frozenset({"$regex", "$beginsWith"})
_NOT_SUPPORTED: Final = frozenset(
    {"$where", "$geoWithin", "$geoIntersects", "$near", "$nearSphere", "$text"}
)
_CHECKS: Final[Mapping[str, Callable[[JSON], bool]]] = {
    **dict.fromkeys(("$lt", "$lte", "$eq", "$ne", "$gte", "$gt"), _anything),
    **dict.fromkeys(("$and", "$or", "$nor", "$in", "$nin", "$all"), _is(list)),
    **dict.fromkeys(_WITH_SELECTOR, _is(dict)),
    **dict.fromkeys(("$type", "$regex", "$beginsWith"), _is(str)),
    "$exists": _is(bool),
    "$size": lambda value: type(value) is int and value >= 0,
    "$mod": _is_divisor,
}
_TAKES: Final = {
    **dict.fromkeys(("$and", "$or", "$nor"), "it takes a list of selectors"),
    **dict.fromkeys(("$in", "$nin", "$all"), "it takes a list of values"),
    **dict.fromkeys(_WITH_SELECTOR, "it takes a selector"),
    "$exists": "it takes true or false",
    "$type": 'it takes "null", "boolean", "number", "string", "array" or "object"',
    "$size": "it takes a whole number",
    "$mod": "it takes [divisor, remainder], two integers, the divisor not 0",
}


# --- second: fields outside, conditions inside


def _fields(selector: Doc, path: str) -> Doc:
    if not selector:
        return {path: selector}
    name, argument = only(selector)
    if name in _COMBINATIONS:
        return {name: [_fields(part, path) for part in argument]}
    if name == "$not":
        return {name: _fields(argument, path)}
    if name in _WITH_SELECTOR:
        return _at(path, {name: _fields(argument, "")})
    if name[:1] == "$":
        return _at(path, selector)
    return _fields(argument, f"{path}.{name}" if path else name)


def _at(path: str, condition: Doc) -> Doc:
    if path:
        parse_field(path)
    return {path: condition}


# --- third: negations pushed down, as far as an operator has an opposite

_OPPOSITE: Final = {
    "$lt": "$gte", "$gte": "$lt", "$gt": "$lte", "$lte": "$gt",
    "$eq": "$ne", "$ne": "$eq", "$in": "$nin", "$nin": "$in",
}  # fmt: skip


def _negations(selector: Doc) -> Doc:
    name, argument = only(selector)
    if name == "$not":
        return _negated(argument)
    if name == "$nor":
        return {"$and": [_negated(part) for part in argument]}
    if name in _COMBINATIONS:
        return {name: [_negations(part) for part in argument]}
    return selector


def _negated(selector: Doc) -> Doc:
    name, argument = only(selector)
    match name:
        case "$not":
            return _negations(argument)
        case "$nor":
            return {"$or": [_negations(part) for part in argument]}
        case "$and":
            return {"$or": [_negated(part) for part in argument]}
        case "$or":
            return {"$and": [_negated(part) for part in argument]}
        case "$exists":
            return {name: not argument}
    if name in _OPPOSITE:
        return {_OPPOSITE[name]: argument}
    if name[:1] == "$":
        return {"$not": selector}
    return {name: _negated(argument)}
