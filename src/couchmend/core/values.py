"""What the merge works on: JSON values, and the lack of one."""

from __future__ import annotations

import json
from enum import Enum
from typing import Final, Literal, TypeAlias

import orjson

from couchmend.core.document import JSON


class Absent(Enum):
    """The type of `ABSENT`."""

    ABSENT = "absent"

    def __repr__(self) -> str:
        return "ABSENT"

    def __bool__(self) -> Literal[False]:
        return False


ABSENT: Final = Absent.ABSENT
"""No value: the member is not there.  Never null, which is a value."""

Value: TypeAlias = JSON
"""JSON, or `ABSENT`."""


def same(one: Value, other: Value) -> bool:
    """Whether two values are equal as JSON: `true` is not `1`, `1` equals `1.0`, and the order
    of an object's members is no difference."""
    if one is other:
        return True
    kind = type(one)
    if kind is not type(other):
        return _are_numbers(one, other) and bool(one == other)
    if one != other:
        return False
    if kind is str or (kind is not dict and kind is not list):
        return True
    # Equal for Python, to which True is 1: byte for byte equal is quickly seen.
    try:
        if orjson.dumps(one) == orjson.dumps(other):
            return True
    except TypeError:  # large integers, deep nesting
        pass
    return _same_parts(one, other)


def _are_numbers(one: Value, other: Value) -> bool:
    return {type(one), type(other)} == {int, float}


def _same_parts(one: JSON, other: JSON) -> bool:
    if type(one) is dict and type(other) is dict:
        return one.keys() == other.keys() and all(
            _same_parts(value, other[key]) for key, value in one.items()
        )
    if type(one) is list and type(other) is list:
        return len(one) == len(other) and all(map(_same_parts, one, other))
    if type(one) is not type(other):
        return _are_numbers(one, other) and bool(one == other)
    return bool(one == other)


def canonical(value: JSON) -> bytes:
    """The same bytes for values that are the `same`, other bytes for all others."""
    if type(value) is str:
        return orjson.dumps(value)
    plain = _whole_numbers(value)
    try:
        return orjson.dumps(plain, option=orjson.OPT_SORT_KEYS)
    except TypeError:
        return json.dumps(plain, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def _whole_numbers(value: JSON) -> JSON:
    kind = type(value)
    if kind is float and value.is_integer():
        return int(value)
    if kind is dict:
        return {key: _whole_numbers(member) for key, member in value.items()}
    if kind is list:
        return [_whole_numbers(member) for member in value]
    return value


def is_text(value: Value) -> bool:
    """Whether a value is a string of several lines."""
    return type(value) is str and ("\n" in value or "\r" in value)
