"""The order of JSON values, as CouchDB's views and Mango have it.

null < false < true < numbers < strings < arrays < objects
(https://docs.couchdb.org/en/stable/ddocs/views/collation.html).  `sort_key` turns a value
into bytes whose order is that order, so that an ordinary B-tree can hold an index; keys of
equal values are equal, and no key is the beginning of another one, so keys can follow each
other in one string.

CouchDB compares strings by ICU's root collation: `a` before `A` before `á` before `b`,
punctuation before symbols before digits before letters, control characters ignored, `é`
the same in one character or two.  Here is an approximation of it that needs no ICU.  It
agrees with ICU for ASCII, the usual punctuation and symbols, Latin-1, modern Greek and
Cyrillic, Hebrew, Georgian and Korean.  It is rougher elsewhere: other scripts are ordered
by code point (after Latin, in about ICU's order), rare symbols by code point within their
group, and nothing is known of pairs of characters that ICU takes as one letter (Thai
vowels, Japanese length marks).  The order is total and stable all the same, and an index
and a comparison always agree with each other.
"""

from __future__ import annotations

import struct
import unicodedata
from itertools import chain
from math import inf, nextafter

from couchmend.core.collation_strings import string_key
from couchmend.core.document import JSON

ORDER_VERSION = f"1/{unicodedata.unidata_version}"
"""Changes whenever `sort_key` does, be it with Python's Unicode tables; an index that was
stored with another one is rebuilt."""

END = b"\x00"
"""Ends an array or object in a key; every value's key is greater."""

HIGHEST = b"\xff"
"""Greater than the key of any value."""

_NULL, _FALSE, _TRUE = b"\x10", b"\x18", b"\x20"
_NUMBER, _STRING, _OBJECT = b"\x30", b"\x40", b"\x60"

ARRAY = b"\x50"
"""Begins an array; the keys of its values and `END` follow."""

_pack, _unpack = struct.Struct(">d").pack, struct.Struct(">Q").unpack
_SIGN, _ALL = 1 << 63, (1 << 64) - 1
_EXACT = 1 << 53  # up to here every integer is a double


def sort_key(value: JSON) -> bytes:
    """The bytes by which `value` is sorted: `sort_key(a) < sort_key(b)` as CouchDB sorts."""
    kind = type(value)
    if kind is str:
        return _STRING + string_key(value)
    if kind is int or kind is float:
        return _number(value)
    if value is None:
        return _NULL
    if kind is bool:
        return _TRUE if value else _FALSE
    if kind is list or kind is tuple:
        return b"".join((ARRAY, *map(sort_key, value), END))
    members = chain.from_iterable(
        (_STRING, string_key(name), sort_key(member)) for name, member in value.items()
    )
    return b"".join((_OBJECT, *members, END))


def compare(a: JSON, b: JSON) -> int:
    """Negative, zero or positive as `a` sorts before, with or after `b`."""
    a_key, b_key = sort_key(a), sort_key(b)
    return (a_key > b_key) - (a_key < b_key)


def _number(value: float) -> bytes:
    """The code of a double, and what a large integer has beyond the double below it.

    Integers beyond all doubles follow the code of infinity with their size.
    """
    if type(value) is float or -_EXACT <= value <= _EXACT:
        return _double_code(value) + END
    try:
        below = float(value)
        if int(below) > value:
            below = nextafter(below, -inf)
        excess = int(value) - int(below)
    except OverflowError:
        below, excess = (inf, int(value)) if value > 0 else (-inf, int(value))
    if not excess:
        return _double_code(below) + END
    size = (abs(excess).bit_length() + 7) // 8
    tail = size.to_bytes(4) + abs(excess).to_bytes(size)
    if excess < 0:
        tail = bytes(255 - byte for byte in tail)
    return _double_code(below) + b"\x01" + tail


def _double_code(value: float) -> bytes:
    bits: int = _unpack(_pack(value + 0.0))[0]  # -0.0 + 0.0 is 0.0
    return _NUMBER + (bits ^ _ALL if bits & _SIGN else bits | _SIGN).to_bytes(8)
