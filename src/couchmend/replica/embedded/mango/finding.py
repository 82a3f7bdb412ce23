"""Answering queries."""

from __future__ import annotations

import itertools
import sqlite3
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from couchmend.core.collation import ARRAY, HIGHEST, sort_key
from couchmend.core.document import BEYOND_DESIGN, DESIGN, Doc
from couchmend.core.fields import project
from couchmend.core.selector_ranges import LAST, Limit, Range
from couchmend.replica.base import FoundPage, Index, Query
from couchmend.replica.embedded.connections import Connections
from couchmend.replica.embedded.mango.definitions import read_definitions
from couchmend.replica.embedded.mango.explaining import covers, explanation
from couchmend.replica.embedded.mango.planning import Plan, Ranked, end_key, plan, start_key
from couchmend.replica.embedded.mango.requests import (
    Bookmark,
    Request,
    invalid_bookmark,
    request_of,
)
from couchmend.replica.embedded.mango.rows import DOCUMENT, current, document, refresh

_REFRESHES: Final = 3
_SCAN_WARNING_RATIO: Final = 10

Row = tuple[tuple[object, ...], bytes]
"""The columns of `DOCUMENT`, and the position of the row in its index."""


def indexes(connections: Connections) -> list[Index]:
    """See `Replica.indexes`."""
    with connections.read() as connection:
        return [definition.as_index() for definition in read_definitions(connection)]


def explain(connections: Connections, database: str, query: Query) -> Doc:
    """See `Replica.explain`."""
    request = request_of(query)
    with connections.read() as connection:
        definitions = read_definitions(connection)
    return explanation(database, plan(definitions, request, to_explain=True))


def find(connections: Connections, query: Query) -> FoundPage:
    """See `Replica.find`.

    The answer is of one state of the database, in which the index was up to date; only
    under writers that never pause may the index lag a little behind, never behind the call.
    """
    request = request_of(query)
    started = time.perf_counter()
    for refreshes in itertools.count():
        with connections.read() as connection:
            chosen = plan(read_definitions(connection), request)
            if chosen.is_empty or chosen.winner is None:
                return FoundPage((), query.bookmark or "nil")
            if chosen.winner.definition.is_special:
                return _Search(connection, chosen, chosen.winner).page(started)
            key, is_current = current(connection, chosen.winner.definition)
            if key is not None and (is_current or refreshes >= _REFRESHES):
                return _Search(connection, chosen, chosen.winner, key).page(started)
        refresh(connections, chosen.winner.definition)
    raise AssertionError  # the count has no end


@dataclass(slots=True)
class _Search:
    """One pass over an index, or over the documents by id."""

    connection: sqlite3.Connection
    plan: Plan
    winner: Ranked
    key: int = 0
    keys_examined: int = 0
    docs_examined: int = 0
    docs: list[Doc] = field(default_factory=list)

    def page(self, started: float) -> FoundPage:
        """Look until the page is full or the range is at its end."""
        request = self.plan.request
        bookmark = request.query.bookmark or "nil"
        position = self._read(request)
        if position is not None:
            bookmark = Bookmark(self.winner.definition.signature, position).encode()
        statistics: Doc | None = None
        if request.query.execution_stats:
            statistics = {
                "total_keys_examined": self.keys_examined,
                "total_docs_examined": self.docs_examined,
                "total_quorum_docs_examined": 0,
                "results_returned": len(self.docs),
                "execution_time_ms": round((time.perf_counter() - started) * 1000, 3),
            }
        return FoundPage(tuple(self.docs), bookmark, self._warning(request), statistics)

    def _read(self, request: Request) -> bytes | None:
        """Fill `docs`; returns the position of the last match, None if there was none."""
        limit, skip = request.query.limit, request.query.skip
        if not limit:
            return None
        reads_docs = not covers(self.winner.definition, request)
        matches = request.selector.matches
        last = None
        for row, position in self._rows(request):
            self.keys_examined += 1
            doc = document(self.connection, row, conflicts=request.query.conflicts)
            if doc is None:
                continue
            self.docs_examined += reads_docs
            if not matches(doc):
                continue
            last = position
            if skip:
                skip -= 1
                continue
            self.docs.append(doc if request.paths is None else project(doc, request.paths))
            if len(self.docs) == limit:
                break
        return last

    # --- rows

    def _rows(self, request: Request) -> Iterator[Row]:
        after = None
        if request.bookmark is not None:
            if request.bookmark.signature != self.winner.definition.signature:
                raise invalid_bookmark(
                    request.query.bookmark,
                    "it is of another query or index; start again without a bookmark",
                )
            after = request.bookmark.position
        if self.winner.definition.is_special:
            return self._by_id(request, after)
        return self._by_index(request, after)

    def _by_index(self, request: Request, after: bytes | None) -> Iterator[Row]:
        low, high = _bounds(self.winner)
        if after is not None:
            low, high = (low, after) if request.descending else (after, high)
        order = "DESC" if request.descending else "ASC"
        lower = ">" if after is not None and not request.descending else ">="
        rows = self.connection.execute(
            f"SELECT {DOCUMENT}, m.sort_key FROM mango_rows m"
            " CROSS JOIN documents d ON d.key = m.document"
            " CROSS JOIN revisions v ON v.document = d.key AND v.rev = d.winner"
            f" WHERE m.mango_index = ? AND m.sort_key {lower} ? AND m.sort_key < ?"
            f" AND d.deleted = 0 ORDER BY m.sort_key {order}",
            (self.key, low, high),
        )
        return ((row, row[10]) for row in rows)

    def _by_id(self, request: Request, after: bytes | None) -> Iterator[Row]:
        found = self.winner.ranges[0] or Range()
        conditions = ["d.deleted = 0", "NOT (d.id >= ? AND d.id < ?)"]
        values = [DESIGN, BEYOND_DESIGN]
        if isinstance(found.low, str):
            conditions.append("d.id >= ?")
            values.append(found.low)
        if isinstance(found.high, str):
            conditions.append("d.id <= ?")
            values.append(found.high.replace(LAST, "\U0010ffff"))
        if after is not None:
            conditions.append("d.id < ?" if request.descending else "d.id > ?")
            values.append(after.decode())
        order = "DESC" if request.descending else "ASC"
        rows = self.connection.execute(
            f"SELECT {DOCUMENT} FROM documents d"
            " CROSS JOIN revisions v ON v.document = d.key AND v.rev = d.winner"
            f" WHERE {' AND '.join(conditions)} ORDER BY d.id {order}",
            values,
        )
        return ((row, row[1].encode()) for row in rows)

    # --- warnings

    def _warning(self, request: Request) -> str | None:
        warnings = []
        definition = self.winner.definition
        if request.use_index:
            ddoc, *name = request.use_index
            ddoc = DESIGN + ddoc.removeprefix(DESIGN)
            if ddoc != definition.ddoc or (name and name[0] != definition.name):
                warnings.append(
                    f"{ddoc}, {name[0]} was not used because it is not a valid index for this"
                    " query."
                    if name
                    else f"{ddoc} was not used because it does not contain a valid index for"
                    " this query."
                )
        if definition.is_special:
            warnings.append("No matching index found, create an index to optimize query time.")
        if self.docs_examined > _SCAN_WARNING_RATIO * max(1, len(self.docs)):
            warnings.append(
                "The number of documents examined is high in proportion to the number of"
                " results returned. Consider adding a more specific index to improve this."
            )
        return "\n".join(warnings) or None


def _bounds(ranked: Ranked) -> tuple[bytes, bytes]:
    """The sort keys between which the rows lie: at least the first, less than the second.

    Ids are compared as bytes and indexed in the order of strings, so a range of `_id` says
    nothing about its place in an index, unless it is a single id.
    """
    ranges: list[Range] = []
    for column, found in zip(ranked.definition.columns, ranked.ranges, strict=False):
        if found is None or (column == "_id" and not found.is_one):
            break
        ranges.append(found)
    low = b"".join(map(sort_key, start_key(ranges)))
    high = b"".join(sort_key(value) for value in end_key(ranges) if value is not Limit.HIGHEST)
    return ARRAY + low, ARRAY + high + HIGHEST
