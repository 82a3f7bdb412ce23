"""Values of documents as text."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Final

from couchmend.cli.drawing.pieces import Cut, json_tokens
from couchmend.cli.render import size
from couchmend.core.document import JSON, dumps
from couchmend.core.sequences.words import words
from couchmend.core.values import ABSENT, Value

ABSENT_SIGN: Final = "–"
ONE_LINE: Final = 56
_LIKE_JSON = re.compile(r'-?\d+(\.\d+)?([eE][+-]?\d+)?$|true$|false$|null$|["\[{]')


def needs_quotes(values: Iterable[Value]) -> bool:
    """Whether texts among values are to be quoted, so that nobody takes them for another kind
    of value, or overlooks them."""
    found = [value for value in values if value is not ABSENT]
    texts = [value for value in found if type(value) is str]
    return len(texts) < len(found) or any(
        text != text.strip(" ") or not text or _LIKE_JSON.match(text) for text in texts
    )


def written(value: Value, *, quoted: bool = True, one_line: int = ONE_LINE) -> str:
    """A value as people read it; lists and objects that are long take several lines.

    quoted: whether texts of one line are quoted; those of several never are.
    """
    if value is ABSENT:
        return ABSENT_SIGN
    if type(value) is str:
        several = "\n" in value.rstrip("\n")
        return value if several or not quoted else json.dumps(value, ensure_ascii=False)
    if type(value) is dict or type(value) is list:
        short = spaced(value)
        return short if len(short) <= one_line else _in_lines(value, one_line, 0)
    return dumps(value).decode()


def how_to_cut(*values: Value) -> Cut:
    """How values are cut into what is compared."""
    return words if all(type(value) is str for value in values) else json_tokens


def spaced(value: JSON) -> str:
    """JSON on one line, with a space after commas and colons."""
    return json.dumps(value, ensure_ascii=False)


def _in_lines(value: JSON, one_line: int, depth: int) -> str:
    """JSON in lines, where what fits on one is on one."""
    short = spaced(value)
    if len(short) + 2 * depth <= one_line or not value or type(value) not in (dict, list):
        return short
    pad = "  " * (depth + 1)
    if type(value) is dict:
        parts = [
            f"{pad}{json.dumps(key, ensure_ascii=False)}: {_in_lines(part, one_line, depth + 1)}"
            for key, part in value.items()
        ]
        first, last = "{}"
    else:
        parts = [f"{pad}{_in_lines(part, one_line, depth + 1)}" for part in value]
        first, last = "[]"
    return f"{first}\n" + ",\n".join(parts) + f"\n{'  ' * depth}{last}"


def attachment(entry: Value, bytes_known: int | None = None) -> str:
    """An attachment in a few words: what kind it is, how large, and which content."""
    if type(entry) is not dict:
        return ABSENT_SIGN if entry is ABSENT else written(entry)
    digest = str(entry.get("digest", ""))
    kind, _, rest = digest.partition("-")
    shown = f"{kind}-{rest[:10]}" if rest else digest[:14]
    length = entry.get("length", bytes_known)
    known = [size(length)] if isinstance(length, int) else []
    return ", ".join([str(entry.get("content_type", "")), *known, shown])
