"""Queries, checked and prepared."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from couchmend.core.document import JSON, Doc, dumps, loads
from couchmend.core.erlang_text import erlang_text
from couchmend.core.fields import Path, parse_field
from couchmend.core.selector import Selector
from couchmend.errors import BadRequest
from couchmend.replica.base import Query

Sort = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Bookmark:
    """Where a page ended: in which index, by its signature, and at which of its rows."""

    signature: str
    position: bytes

    def encode(self) -> str:
        """The bookmark as clients see it."""
        position = base64.b85encode(self.position).decode()
        return base64.urlsafe_b64encode(dumps([self.signature, position])).rstrip(b"=").decode()

    @classmethod
    def decode(cls, text: str) -> Bookmark:
        """What `encode` wrote; raises `BadRequest`."""
        try:
            padded = text + "=" * (-len(text) % 4)
            match loads(base64.b64decode(padded, altchars=b"-_", validate=True)):
                case [str(signature), str(position)]:
                    return cls(signature, base64.b85decode(position))
        except (binascii.Error, BadRequest, ValueError):
            pass
        raise invalid_bookmark(text)


def invalid_bookmark(bookmark: JSON, hint: str = "") -> BadRequest:
    """The error for a bookmark that cannot be used."""
    return BadRequest(
        f"Invalid bookmark value: {dumps(bookmark).decode()}",
        error="invalid_bookmark",
        hint=hint or "give the bookmark of the page before, or none for the first page",
    )


@dataclass(frozen=True, slots=True)
class Request:
    """A query whose every part is known to make sense."""

    query: Query
    selector: Selector
    sort: Sort
    fields: tuple[str, ...] | None
    paths: tuple[Path, ...] | None
    use_index: tuple[str, ...]
    bookmark: Bookmark | None

    @property
    def descending(self) -> bool:
        """Whether the last comes first."""
        return bool(self.sort) and self.sort[0][1] == "desc"

    @property
    def sort_fields(self) -> tuple[str, ...]:
        """The fields of the sort."""
        return tuple(name for name, _ in self.sort)


def request_of(query: Query) -> Request:
    """A query as a request.

    Raises:
        BadRequest: with CouchDB's `error` and `reason`.
    """
    for number in (query.limit, query.skip):
        if type(number) is not int or number < 0:
            raise BadRequest(
                f"{erlang_text(number)} is not an integer greater than or equal to zero",
                error="invalid_non_neg_integer",
            )
    selector = Selector(query.selector)
    fields = _fields(query.fields)
    return Request(
        query=query,
        selector=selector,
        sort=sort_of(query.sort),
        fields=fields,
        paths=None if fields is None else tuple(map(parse_field, fields)),
        use_index=_use_index(query.use_index),
        bookmark=_bookmark(query.bookmark),
    )


def _fields(fields: JSON) -> tuple[str, ...] | None:
    if fields is None or fields == []:
        return None
    if not isinstance(fields, list | tuple):
        raise BadRequest(
            f"Fields must be an array of strings, not: {erlang_text(fields)}",
            error="invalid_fields",
        )
    for field in fields:
        if type(field) is not str:
            raise BadRequest(
                f"Invalid JSON for field spec: {erlang_text(field)}", error="invalid_field"
            )
    return tuple(fields) or None


def sort_of(sort: JSON) -> Sort:
    """The fields of a sort or an index, each with its direction.

    Raises:
        BadRequest: no list of names and `{name: "asc" | "desc"}`, or both directions.
    """
    if not isinstance(sort, list | tuple):
        raise BadRequest(
            f"Sort must be an array of sort specs, not: {erlang_text(sort, readable=True)}",
            error="invalid_sort_json",
        )
    fields = tuple(map(_sort_field, sort))
    if len({direction for _, direction in fields}) > 1:
        raise BadRequest(
            "Sorts currently only support a single direction for all fields.",
            error="unsupported_mixed_sort",
        )
    return fields


def _sort_field(field: JSON) -> tuple[str, str]:
    if type(field) is str and field:
        return field, "asc"
    if isinstance(field, Mapping) and len(field) == 1:
        ((name, direction),) = field.items()
        if direction in ("asc", "desc"):
            return name, direction
    raise BadRequest(
        f"Invalid sort field: {erlang_text(field, readable=True)}",
        error="invalid_sort_field",
        hint='a name, or {"name": "asc"} or {"name": "desc"}',
    )


def _use_index(index: str | Sequence[str] | None) -> tuple[str, ...]:
    """The design document, and the name of the index if it is given."""
    if index is None:
        return ()
    if type(index) is str:
        parts = index.split("/")
        if len(parts) > 1 and parts[0] == "_design":
            parts = parts[1:]
    else:
        parts = list(index) if isinstance(index, list | tuple) else [""] * 3
    if len(parts) > 2 or not all(type(part) is str for part in parts):
        raise BadRequest(
            f"Invalid index name: {erlang_text(index)}",
            error="invalid_index_name",
            hint='"design-document", "design-document/name" or ["design-document", "name"]',
        )
    return tuple(parts)


def _bookmark(bookmark: JSON) -> Bookmark | None:
    if bookmark in (None, "", "nil"):
        return None
    if type(bookmark) is not str:
        raise invalid_bookmark(bookmark)
    return Bookmark.decode(bookmark)


def options_of(request: Request) -> Doc:
    """The options as `_explain` repeats them."""
    query = request.query
    return {
        "use_index": list(request.use_index),
        "bookmark": query.bookmark or "nil",
        "limit": query.limit,
        "skip": query.skip,
        "sort": dict(request.sort),
        "fields": list(request.fields or ()),
        "partition": "",
        "r": 1,
        "conflicts": query.conflicts,
        "stale": False,
        "update": True,
        "stable": False,
        "execution_stats": query.execution_stats,
        "allow_fallback": query.allow_fallback,
    }
