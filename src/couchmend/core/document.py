"""JSON values, their one codec, and CouchDB's rules for a document's members.

The codec keeps what CouchDB keeps: the order of an object's members, integer against
float, integers of any size.  It refuses what CouchDB refuses: NaN, infinities, lone
surrogates.  orjson does the work wherever it gives the same answer as the standard
library; tests hold that it does.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any, TypeAlias

import orjson

from couchmend.errors import BadRequest, DocumentInvalid

JSON: TypeAlias = Any
"""None, bool, int, float, str, list of JSON, or dict from str to JSON."""

Doc: TypeAlias = dict[str, Any]
"""A document as CouchDB shows it: `_id`, `_rev`, its fields, and what was asked to be included."""

MAX_DEPTH = 500
"""Levels of lists and objects in one document; deeper ones are refused."""

DESIGN = "_design/"
BEYOND_DESIGN = "_design0"
"""The least id after all that begin with `_design/`."""
LOCAL = "_local/"

IGNORED_MEMBERS = frozenset({"_revs_info", "_local_seq", "_conflicts", "_deleted_conflicts"})
"""Members that CouchDB accepts in a document that is written, and drops."""

STRUCTURAL_MEMBERS = frozenset({"_id", "_rev", "_revisions", "_deleted", "_attachments"})
"""Members that are about the document and not in its body."""

STORED_MEMBERS = frozenset(
    {
        "_access",
        "_replication_id",
        "_replication_state",
        "_replication_state_reason",
        "_replication_state_time",
        "_replication_stats",
    }
)
"""Members with an underscore that CouchDB keeps in the body."""

# orjson reads integers of up to 64 bits exactly and turns larger ones into floats.  Looking
# for long numbers so is ten times as fast as a regular expression, and faster than reading.
_DIGITS_AS_ZERO = bytes(48 if chr(byte).isdecimal() and byte < 128 else 32 for byte in range(256))
_LONG_NUMBER = b"0" * 19
_SURROGATE = re.compile("[\ud800-\udfff]")
_ORJSON_OPTIONS = (
    orjson.OPT_PASSTHROUGH_DATETIME
    | orjson.OPT_PASSTHROUGH_DATACLASS
    | orjson.OPT_PASSTHROUGH_SUBCLASS
)


def loads(text: bytes) -> JSON:
    """Read one JSON value from UTF-8 bytes.

    Raises:
        BadRequest: not JSON, not UTF-8, or a number or string that JSON documents cannot
            hold (NaN, 1e400, a lone surrogate).
    """
    try:
        if _LONG_NUMBER not in text.translate(_DIGITS_AS_ZERO):
            return orjson.loads(text)
        return _loads_exactly(text)
    except (ValueError, RecursionError) as problem:
        raise BadRequest(
            "invalid UTF-8 JSON", hint=f"the text is not JSON as RFC 8259 has it: {problem}"
        ) from problem


def dumps(value: JSON) -> bytes:
    """Write one JSON value as compact UTF-8 bytes.

    Raises:
        DocumentInvalid: a value that JSON cannot hold; see `check`.
    """
    try:
        return orjson.dumps(value, option=_ORJSON_OPTIONS)
    except (TypeError, ValueError):
        check(value)
        return _dumps_slowly(value)


def dumps_checked(value: JSON, max_depth: int = MAX_DEPTH) -> bytes:
    """`check` and `dumps` at once, which is faster.

    Raises:
        DocumentInvalid: a value that JSON cannot hold; see `check`.
    """
    try:
        text = orjson.dumps(value, option=_ORJSON_OPTIONS)
    except (TypeError, ValueError):
        check(value, max_depth)
        return _dumps_slowly(value)
    if not _is_plain(value, max_depth):
        check(value, max_depth)  # which says what is wrong
    return text


def _dumps_slowly(value: JSON) -> bytes:
    # Large integers and deep nesting are beyond orjson, not beyond JSON.
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except ValueError as problem:  # Python writes no more than some thousand digits
        raise DocumentInvalid(f"a number cannot be written: {problem}") from problem
    return text.encode()


def _is_plain(value: JSON, max_depth: int) -> bool:
    """Whether a value that orjson has written passes `check`, too: orjson takes tuples, UUIDs,
    enumerations and NaN, and refuses keys and strings that JSON cannot hold."""
    kind = type(value)
    if (kind is not dict and kind is not list) or max_depth <= 0:
        return False
    for member in value.values() if kind is dict else value:
        kind = type(member)
        if kind is str or kind is int or kind is bool or member is None:
            continue
        if kind is float:
            if not math.isfinite(member):
                return False
        elif not _is_plain(member, max_depth - 1):
            return False
    return True


def check(value: JSON, max_depth: int = MAX_DEPTH) -> None:
    """Hold that a Python value is JSON that every replica stores alike.

    Raises:
        DocumentInvalid: a type that is not JSON's, a key that is no string, NaN or an
            infinity, a lone surrogate, or more than `max_depth` levels.
    """
    try:
        _check(value, max_depth)
    except RecursionError as problem:
        raise too_deep() from problem


def _check(value: JSON, max_depth: int) -> None:
    kind = type(value)
    if kind is str:
        _check_text(value)
    elif kind is dict:
        if max_depth <= 0:
            raise too_deep()
        for key, member in value.items():
            if type(key) is not str:
                raise DocumentInvalid(f"the key {key!r} is not a string")
            if not key.isascii():
                _check_text(key)
            if type(member) is not str:
                _check(member, max_depth - 1)
            elif not member.isascii():
                _check_text(member)
    elif kind is list:
        if max_depth <= 0:
            raise too_deep()
        for member in value:
            _check(member, max_depth - 1)
    elif kind is float:
        if not math.isfinite(value):
            raise DocumentInvalid(f"{value} is not a JSON number")
    elif kind is not int and kind is not bool and value is not None:
        raise DocumentInvalid(f"{kind.__name__} is not a JSON type: {str(value)[:40]!r}")


def _check_text(text: str) -> None:
    if _SURROGATE.search(text):
        raise DocumentInvalid(f"a string holds a lone surrogate: {text[:40]!r}")


def too_deep() -> DocumentInvalid:
    """The error for a document with more levels than `max_depth`."""
    return DocumentInvalid(
        "the document is nested too deeply", hint="flatten it, or raise the limit `max_depth`"
    )


def body_of(doc: Mapping[str, JSON]) -> Doc:
    """The document's own fields, in their order, without what CouchDB keeps beside them.

    Raises:
        DocumentInvalid: a member that begins with an underscore and is none of CouchDB's.
    """
    body = dict(doc)
    for name in doc:
        if name[:1] == "_":
            if name in STRUCTURAL_MEMBERS or name in IGNORED_MEMBERS:
                del body[name]
            elif name not in STORED_MEMBERS:
                raise DocumentInvalid(f"Bad special document member: {name}")
    return body


def check_id(id: JSON, max_bytes: int | None = None) -> str:
    """Hold that `id` can name a document, and return it.

    Raises:
        BadRequest: not a string, empty, reserved (an underscore that begins neither
            `_design/` nor `_local/`), or longer than `max_bytes` in UTF-8.
    """
    if type(id) is not str:
        raise BadRequest("Document id must be a string", error="illegal_docid")
    if not id:
        raise BadRequest("Document id must not be empty", error="illegal_docid")
    if id[0] == "_" and not (
        (id.startswith(DESIGN) and len(id) > len(DESIGN))
        or (id.startswith(LOCAL) and len(id) > len(LOCAL))
    ):
        raise BadRequest(
            "Only reserved document ids may start with underscore.", error="illegal_docid"
        )
    if max_bytes is not None and len(id) * 4 > max_bytes and len(id.encode()) > max_bytes:
        raise BadRequest(
            "Document id is too long",
            error="illegal_docid",
            hint=f"the limit `max_id_bytes` is {max_bytes}",
        )
    if not id.isascii() and _SURROGATE.search(id):
        raise BadRequest("Document id must be valid Unicode", error="illegal_docid")
    return id


def _loads_exactly(text: bytes) -> JSON:
    value = json.loads(text.decode(), parse_constant=_refuse_constant, parse_float=_finite)
    _refuse_surrogates(value)
    return value


def _refuse_constant(name: str) -> JSON:
    raise ValueError(f"{name} is not a JSON number")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is too large for a number")
    return number


def _refuse_surrogates(value: JSON) -> None:
    try:
        check(value, max_depth=10**6)
    except DocumentInvalid as problem:
        raise ValueError(problem.message) from problem
