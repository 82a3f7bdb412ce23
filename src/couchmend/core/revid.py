"""Revision hashes as Apache CouchDB computes them.

A hash is the MD5 of the Erlang external term (minor version 1) of
`[deleted, parent generation, parent hash or 0, body, attachments]`
(`couch_db:new_revid/1`; the format: https://www.erlang.org/doc/apps/erts/erl_ext_dist).
So the same edit of the same parent is the same revision on every replica that hashes alike.
"""

from __future__ import annotations

import functools
import hashlib
import math
import struct
from collections.abc import Sequence
from typing import NamedTuple

from couchmend.core.document import JSON, MAX_DEPTH, Doc, too_deep
from couchmend.core.revtree import Rev, hash_bytes
from couchmend.errors import DocumentInvalid

_u32 = struct.Struct(">I").pack
_binary = functools.partial(struct.Struct(">cI").pack, b"m")
_i32 = struct.Struct(">i").pack
_f64 = struct.Struct(">d").pack
_LIST, _NIL = b"l", b"j"
_TRUE, _FALSE, _NULL = (b"d" + len(a).to_bytes(2) + a for a in (b"true", b"false", b"null"))
_SMALL_INTS = tuple(b"a" + bytes((n,)) for n in range(256))
_OBJECT, _EMPTY_OBJECT = b"h\x01l", b"h\x01j"
_HEADER = b"\x83l\x00\x00\x00\x05"
_DEAD, _LIVE = _HEADER + _TRUE, _HEADER + _FALSE
_NO_PARENT = b"a\x00a\x00"


class HashedAttachment(NamedTuple):
    """What of an attachment enters the hash: `md5` is the digest of its bytes, 16 bytes."""

    name: str
    content_type: str
    md5: bytes


def new_rev(
    parent: Rev | None,
    deleted: bool,
    body: Doc,
    attachments: Sequence[HashedAttachment] = (),
    *,
    max_depth: int = MAX_DEPTH,
) -> Rev:
    """The revision that extends `parent` with `body`, attachments in the document's order.

    Raises:
        DocumentInvalid: `body` is not JSON, or nested more than `max_depth` levels.
    """
    out = [_DEAD if deleted else _LIVE]
    if parent is None:
        out.append(_NO_PARENT)
    else:
        parent_hash = hash_bytes(parent.hash)
        out += (_integer(parent.generation), _binary(len(parent_hash)), parent_hash)
    try:
        _append_object(out, body, max_depth)
    except UnicodeEncodeError as problem:
        text = problem.object[:40]
        raise DocumentInvalid(f"a string holds a lone surrogate: {text!r}") from problem
    if attachments:
        out += (_LIST, _u32(len(attachments)))
        for name, content_type, md5 in reversed(attachments):
            out.append(b"h\x03")
            for part in (name.encode(), content_type.encode(), md5):
                out += (_binary(len(part)), part)
    out += (_NIL, _NIL)
    digest = hashlib.md5(b"".join(out), usedforsecurity=False).hexdigest()
    return Rev(1 if parent is None else parent.generation + 1, digest)


def _append(out: list[bytes], value: JSON, depth: int) -> None:
    """Append the external term of a JSON value, which is checked on the way."""
    kind = type(value)
    if kind is str:
        text = value.encode()
        out += (_binary(len(text)), text)
    elif kind is int:
        out.append(_SMALL_INTS[value] if 0 <= value < 256 else _integer(value))
    elif kind is dict:
        _append_object(out, value, depth)
    elif kind is list:
        _append_list(out, value, depth)
    elif kind is bool:
        out.append(_TRUE if value else _FALSE)
    elif value is None:
        out.append(_NULL)
    elif kind is float:
        if not math.isfinite(value):
            raise DocumentInvalid(f"{value} is not a JSON number")
        out.append(b"F" + _f64(value))
    else:
        raise DocumentInvalid(f"{kind.__name__} is not a JSON type: {str(value)[:40]!r}")


def _append_object(out: list[bytes], value: dict[str, JSON], depth: int) -> None:
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
        if type(member) is str:
            text = member.encode()
            append(_binary(len(text)))
            append(text)
        else:
            _append(out, member, depth - 1)
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
            _append(out, member, depth - 1)
        out.append(_NIL)


def _is_string(value: list[JSON]) -> bool:
    return len(value) <= 0xFFFF and all(type(n) is int and 0 <= n < 256 for n in value)


def _integer(value: int) -> bytes:
    if 0 <= value < 256:
        return _SMALL_INTS[value]
    if -(2**31) <= value < 2**31:
        return b"b" + _i32(value)
    magnitude = abs(value).to_bytes((abs(value).bit_length() + 7) // 8, "little")
    sign = b"\x01" if value < 0 else b"\x00"
    if len(magnitude) < 256:
        return b"n" + bytes((len(magnitude),)) + sign + magnitude
    return b"o" + _u32(len(magnitude)) + sign + magnitude
