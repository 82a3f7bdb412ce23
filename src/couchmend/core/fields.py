"""Field names that lead into a document: `address.city`, `tags.0`, `a\\.b` for a dot in a name.

They are those of Mango's selectors, sorts, projections and indexes
(https://docs.couchdb.org/en/stable/api/database/find.html#find-selectors).
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterable

from couchmend.core.document import JSON, Doc
from couchmend.errors import BadRequest

Path = tuple[str, ...]

_DOT = re.compile(r"(?<!\\)\.")
_POSITION = re.compile(r"[+-]?[0-9]+\Z", re.ASCII)


class Absent(enum.Enum):
    """Why there is nothing at the end of a path."""

    MISSING = "an object on the way has no such member"
    NO_WAY = "something on the way is no object, or a list without that position"


def parse_field(field: str) -> Path:
    """The names along a field's path.

    Raises:
        BadRequest: one of them is empty.
    """
    raw = _DOT.split(field) if "\\" in field else field.split(".")
    if "" in raw:
        raise BadRequest(
            f"Invalid field name: {field}",
            error="invalid_field_name",
            hint="no name between two dots may be empty; write a dot within a name as \\.",
        )
    return tuple(part.replace("\\", "") for part in raw)


def get_field(value: JSON, path: Path) -> JSON | Absent:
    """What lies at the end of `path`; a number is also a position in a list."""
    for name in path:
        if type(value) is dict:
            if name not in value:
                return Absent.MISSING
            value = value[name]
        elif type(value) is list and _POSITION.match(name):
            position = int(name)
            if not 0 <= position < len(value):
                return Absent.NO_WAY
            value = value[position]
        else:
            return Absent.NO_WAY
    return value


def project(doc: Doc, paths: Iterable[Path]) -> Doc:
    """The document with nothing but these fields; those that it lacks are left out."""
    shown: Doc = {}
    for path in paths:
        value = get_field(doc, path)
        if not isinstance(value, Absent):
            _set_field(shown, path, value)
    return shown


def _set_field(doc: Doc, path: Path, value: JSON) -> None:
    *way, last = path
    for name in way:
        doc = doc.setdefault(name, {})
        if type(doc) is not dict:
            return  # the whole of it is shown already
    doc[last] = value
