"""Mango selectors: which documents match.

The language is CouchDB 3.5's
(https://docs.couchdb.org/en/stable/api/database/find.html#selector-syntax), except for
`$text`, which needs an index that only CouchDB has.  Databases, feeds of changes and
policies use the same one.  How strings are compared: `collation`; regular expressions:
`patterns`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from couchmend.core.document import JSON, Doc
from couchmend.core.selector_match import compile_selector
from couchmend.core.selector_normal import normalise
from couchmend.core.selector_ranges import (
    Range,
    all_fields,
    field_ranges,
    indexable_fields,
    is_constant,
    requires,
)


class Selector:
    """A selector, checked and compiled once; it does not change and may be shared."""

    __slots__ = ("_matches", "normal")

    def __init__(self, selector: Mapping[str, JSON]) -> None:
        """Check and compile.

        Raises:
            BadRequest: `error` and `reason` are CouchDB's, for instance `invalid_operator` and
                `Invalid operator: $bad`.
        """
        self.normal: Doc = normalise(selector)
        """The selector as CouchDB's `_explain` shows it."""
        self._matches = compile_selector(self.normal)

    def matches(self, doc: Mapping[str, JSON]) -> bool:
        """Whether a document, with `_id` and `_rev`, matches."""
        return self._matches(doc if type(doc) is dict else dict(doc))

    def __repr__(self) -> str:
        return f"Selector({self.normal!r})"

    # --- for planners

    def fields(self) -> list[str]:
        """Every field with a condition."""
        return all_fields(self.normal)

    def indexable_fields(self) -> list[str]:
        """Those with a condition that an index can serve, sorted."""
        return indexable_fields(self.normal)

    def ranges(self) -> list[tuple[str, Range | None]]:
        """For each of those the range of values that can match; see `field_ranges`."""
        return field_ranges(self.normal)

    def requires(self, fields: Sequence[str]) -> bool:
        """Whether no document matches that lacks one of these fields."""
        return requires(self.normal, fields)

    def is_constant(self, field: str) -> bool:
        """Whether the field has one value in all documents that match."""
        return is_constant(self.normal, field)
