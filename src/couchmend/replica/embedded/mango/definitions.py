"""Index definitions, as design documents of the language `query` hold them."""

from __future__ import annotations

import hashlib
import sqlite3
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

from couchmend.core.collation import ORDER_VERSION
from couchmend.core.document import JSON, Doc, dumps, loads
from couchmend.core.fields import Path, parse_field
from couchmend.core.selector import Selector
from couchmend.errors import BadRequest
from couchmend.replica.base import Index
from couchmend.replica.embedded.records import design_bodies

LANGUAGE = "query"


@dataclass(frozen=True)
class Definition:
    """An index over `fields`, each with a direction that CouchDB keeps and never uses.

    `ddoc` is None for the documents by id, which need no index.  A document is in the index
    when it has every field and matches `partial_filter`, a normal selector.
    """

    ddoc: str | None
    name: str
    fields: tuple[tuple[str, str], ...]
    partial_filter: Doc | None = field(default=None, hash=False)

    @property
    def is_special(self) -> bool:
        """Whether these are the documents by id."""
        return self.ddoc is None

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """The names of the fields."""
        return tuple(name for name, _ in self.fields)

    @cached_property
    def paths(self) -> tuple[Path, ...]:
        """Where the fields are."""
        return tuple(parse_field(name) for name in self.columns)

    @cached_property
    def signature(self) -> str:
        """Names the contents: indexes that would hold the same rows have the same."""
        if self.is_special:
            return self.name
        contents = dumps([ORDER_VERSION, self.columns, self.partial_filter])
        return hashlib.sha256(contents).hexdigest()[:32]

    @property
    def sort_order(self) -> tuple[str, str]:
        """The order of lists of indexes."""
        return self.ddoc or "", self.name

    def as_index(self) -> Index:
        """What `Replica.indexes` tells of it."""
        return Index(
            self.ddoc,
            self.name,
            "special" if self.is_special else "json",
            self.fields,
            self.partial_filter,
        )

    def as_json(self) -> Doc:
        """What `_explain` tells of it."""
        return self.as_index().as_json()


ALL_DOCS: Final = Definition(None, "_all_docs", (("_id", "asc"),))


def definitions_of(ddoc: Doc) -> list[Definition]:
    """The indexes that a design document defines; views that are none are passed over."""
    views = ddoc.get("views")
    if ddoc.get("language") != LANGUAGE or type(views) is not dict:
        return []
    found = (_definition(ddoc["_id"], name, view) for name, view in sorted(views.items()))
    return [definition for definition in found if definition is not None]


def read_definitions(connection: sqlite3.Connection) -> list[Definition]:
    """All indexes of a database, the special one first, then by design document and name."""
    definitions = [ALL_DOCS]
    for id, body in design_bodies(connection):
        if b'"query"' in body:
            definitions += definitions_of({"_id": id, **loads(body)})
    return definitions


def _definition(ddoc: str, name: str, view: JSON) -> Definition | None:
    match view:
        case {"map": {"fields": dict(fields), **more}, "options": dict()}:
            pass
        case _:
            return None
    if not all(type(direction) is str for direction in fields.values()):
        return None
    partial_filter: JSON = more.get("partial_filter_selector") or more.get("selector") or {}
    try:
        for field in fields:
            parse_field(field)
        normal = Selector(partial_filter).normal
    except BadRequest:
        return None
    return Definition(ddoc, name, tuple(fields.items()), normal or None)
