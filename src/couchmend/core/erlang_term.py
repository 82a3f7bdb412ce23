"""JSON values in the Erlang external term format, minor version 1, as CouchDB hashes them.

https://www.erlang.org/doc/apps/erts/erl_ext_dist; an object is jiffy's `{[{Key, Value}, …]}`.
"""

from __future__ import annotations

import functools
import math
import struct
from collections.abc import Sequence

from couchmend.core.document import JSON, MAX_DEPTH, too_deep
from couchmend.errors import DocumentInvalid

_u32 = struct.Struct(">I").pack
_binary = functools.partial(struct.Struct(">cI").pack, b"m")
_i32 = struct.Struct(">i").pack
_f64 = struct.Struct(">d").pack
_LIST, _NIL = b"l", b"j"
_SMALL_INTS = tuple(b"a" + bytes((n,)) for n in range(256))
_OBJECT, _EMPTY_OBJECT = b"h\x01l", b"h\x01j"


def atom(name: str) -> bytes:
    """The term of an atom."""
    return b"d" + len(name).to_bytes(2) + name.encode()


TRUE, FALSE, _NULL = atom("true"), atom("false"), atom("null")


def binary(text: bytes) -> bytes:
    """The term of a binary."""
    return _binary(len(text)) + text


def tuple_of(*terms: bytes) -> bytes:
    """The term of a tuple of at most 255 terms."""
    return b"h" + bytes((len(terms),)) + b"".join(terms)


def list_of(terms: Sequence[bytes]) -> bytes:
    """The term of a list."""
    return b"".join((_LIST, _u32(len(terms)), *terms, _NIL)) if terms else _NIL


def json_term(value: JSON, max_depth: int = MAX_DEPTH) -> bytes:
    """The term of a JSON value, which is checked on the way.

    Raises:
        DocumentInvalid: it is not JSON, or nested more than `max_depth` levels.
    """
    out: list[bytes] = []
    try:
        _append(out, value, max_depth)
    except UnicodeEncodeError as problem:
        text = problem.object[:40]
        raise DocumentInvalid(f"a string holds a lone surrogate: {text!r}") from problem
    except RecursionError as problem:
        raise too_deep() from problem
    return b"".join(out)


def _append(out: list[bytes], value: JSON, depth: int) -> None:
    kind = type(value)
    if kind is dict:
        _append_object(out, value, depth)
    elif kind is list:
        _append_list(out, value, depth)
    else:
        out.append(_scalar(value))


def _scalar(value: JSON) -> bytes:
    kind = type(value)
    if kind is str:
        return binary(value.encode())
    if kind is int:
        return _SMALL_INTS[value] if 0 <= value < 256 else integer(value)
    if kind is bool:
        return TRUE if value else FALSE
    if value is None:
        return _NULL
    if kind is not float:
        raise DocumentInvalid(f"{kind.__name__} is not a JSON type: {str(value)[:40]!r}")
    if not math.isfinite(value):
        raise DocumentInvalid(f"{value} is not a JSON number")
    return b"F" + _f64(value)


def _append_object(out: list[bytes], value: dict[str, JSON], depth: int) -> None:
    # One frame a level, and no call for a string: documents are mostly that.
    if depth <= 0:
        raise too_deep()
    if not value:
        out.append(_EMPTY_OBJECT)
        return
    append = out.append
    append(_OBJECT + _u32(len(value)))
    for key, member in value.items():
        if type(key) is not str:
            raise DocumentInvalid(f"the key {key!r} is not a string")
        append(_member(key) if len(key) < 64 else _member_of(key))
        kind = type(member)
        if kind is str:
            text = member.encode()
            append(_binary(len(text)))
            append(text)
        elif kind is dict:
            _append_object(out, member, depth - 1)
        elif kind is list:
            _append_list(out, member, depth - 1)
        else:
            append(_scalar(member))
    append(_NIL)


def _member_of(key: str) -> bytes:
    """What stands before a member's value."""
    text = key.encode()
    return b"".join((b"h\x02", _binary(len(text)), text))


_member = functools.lru_cache(maxsize=4096)(_member_of)  # documents of one kind share keys


def _append_list(out: list[bytes], value: list[JSON], depth: int) -> None:
    if depth <= 0:
        raise too_deep()
    if not value:
        out.append(_NIL)
    elif type(value[0]) is int and _is_string(value):  # what Erlang takes for one
        out += (b"k", len(value).to_bytes(2), bytes(value))
    else:
        out += (_LIST, _u32(len(value)))
        for member in value:
            kind = type(member)
            if kind is dict:
                _append_object(out, member, depth - 1)
            elif kind is list:
                _append_list(out, member, depth - 1)
            else:
                out.append(_scalar(member))
        out.append(_NIL)


def _is_string(value: list[JSON]) -> bool:
    return len(value) <= 0xFFFF and all(type(n) is int and 0 <= n < 256 for n in value)


def integer(value: int) -> bytes:
    """The term of an integer of any size."""
    if 0 <= value < 256:
        return _SMALL_INTS[value]
    if -(2**31) <= value < 2**31:
        return b"b" + _i32(value)
    magnitude = abs(value).to_bytes((abs(value).bit_length() + 7) // 8, "little")
    sign = b"\x01" if value < 0 else b"\x00"
    if len(magnitude) < 256:
        return b"n" + bytes((len(magnitude),)) + sign + magnitude
    return b"o" + _u32(len(magnitude)) + sign + magnitude
