"""Which index answers a query, by CouchDB's rules
(https://docs.couchdb.org/en/stable/api/database/find.html#explain-plans)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from couchmend.core.document import DESIGN
from couchmend.core.selector import Selector
from couchmend.core.selector_normal import only
from couchmend.core.selector_ranges import Limit, Range
from couchmend.errors import BadRequest
from couchmend.replica.embedded.mango.definitions import ALL_DOCS, Definition
from couchmend.replica.embedded.mango.requests import Request

_NOTHING: Final = frozenset({"$all", "$and", "$or", "$in"})
_EVERY_ID: Final = Range(low=None, low_included=False)


@dataclass(frozen=True, slots=True)
class Unusable:
    """Why an index cannot answer a query."""

    definition: Definition
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Ranked:
    """An index that can answer a query, the ranges of its first fields, and how many of the
    selector's fields these leave out.  A range is None where nothing can match."""

    definition: Definition
    ranges: tuple[Range | None, ...]
    distance: int


@dataclass(frozen=True, slots=True)
class Plan:
    """The choice: the first of `ranked`; the other lists say how it came about."""

    request: Request
    existing: tuple[Definition, ...]
    considered: tuple[Definition, ...]
    unusable: tuple[Unusable, ...]
    usable: tuple[Definition, ...]
    allowed: tuple[Definition, ...]
    ranked: tuple[Ranked, ...]

    @property
    def winner(self) -> Ranked | None:
        """The index that answers; None when there is none for the sort."""
        return self.ranked[0] if self.ranked else None

    @property
    def is_empty(self) -> bool:
        """Whether nothing can match, so that no index need be looked at."""
        normal = self.request.selector.normal
        if normal:
            name, argument = only(normal)
            if name in _NOTHING and argument == []:
                return True  # CouchDB finds nothing, though such a selector matches everything
        return self.winner is not None and None in self.winner.ranges


def plan(definitions: Sequence[Definition], request: Request, *, to_explain: bool = False) -> Plan:
    """Choose the index for a query.

    Raises:
        BadRequest: no index has the order that is asked for (unless `to_explain`), or
            `use_index` names none that can be used and `allow_fallback` is off.
    """
    named = _named(definitions, request.use_index)
    considered = sorted(
        {
            definition.sort_order: definition
            for definition in (*(d for d in definitions if d.partial_filter is None), *named)
        }.values(),
        key=lambda definition: definition.sort_order,
    )
    reasons = {d: _reasons_against(d, request) for d in considered}
    usable = [d for d in considered if not reasons[d]]
    if not usable and not to_explain:
        raise BadRequest(
            "No index exists for this sort, try indexing by the sort fields.",
            error="no_usable_index",
            hint=f"create one with the fields {', '.join(request.sort_fields)}",
        )
    allowed = _named(usable, request.use_index) or _fallback(usable, request)
    of_type = [d for d in allowed if not d.is_special] or allowed
    return Plan(
        request=request,
        existing=tuple(definitions),
        considered=tuple(considered),
        unusable=tuple(Unusable(d, found) for d, found in reasons.items() if found),
        usable=tuple(usable),
        allowed=tuple(allowed),
        ranked=tuple(_ranked(_pinned(of_type, request, allowed), request.selector)),
    )


def _named(definitions: Iterable[Definition], use_index: tuple[str, ...]) -> list[Definition]:
    if not use_index:
        return []
    ddoc, *name = use_index
    ddoc = ddoc if ddoc.startswith(DESIGN) else DESIGN + ddoc
    return [d for d in definitions if d.ddoc == ddoc and (not name or d.name == name[0])]


def _fallback(usable: list[Definition], request: Request) -> list[Definition]:
    """What may be used when no index was named, or none that can be used."""
    if request.query.allow_fallback or (not request.use_index and len(usable) > 1):
        return usable
    if not request.use_index:
        reason = "You must specify an index with the `use_index` parameter."
    else:
        ddoc, *name = request.use_index
        where = ", ".join([f"_design/{ddoc.removeprefix(DESIGN)}", *name])
        reason = f"{where} specified by `use_index` could not be found or it is not suitable."
    raise BadRequest(reason, error="invalid_index", hint="or leave out `allow_fallback: false`")


def _pinned(
    of_type: list[Definition], request: Request, allowed: list[Definition]
) -> list[Definition]:
    """A page goes on in the index of the page before, even if a better one came up since."""
    if request.bookmark is None:
        return of_type
    wanted = request.bookmark.signature
    return [d for d in allowed if d.signature == wanted][:1] or of_type


# --- whether an index can be used


def _reasons_against(definition: Definition, request: Request) -> tuple[str, ...]:
    selector, sort = request.selector, request.sort_fields
    if definition.is_special:
        if not sort:
            return ()
        has_fields = "_id" in selector.indexable_fields()
        sorts = sort == ALL_DOCS.columns
    else:
        # A document that lacks a field of the index is not in it.
        required = set(definition.columns) - set(sort) - {"_id", "_rev"}
        has_fields = selector.requires(sorted(required))
        sorts = _sorts(definition.columns, sort, selector)
    found = [] if has_fields else ["field_mismatch"]
    return tuple(found if sorts else [*found, "sort_order_mismatch"])


def _sorts(columns: Sequence[str], sort: Sequence[str], selector: Selector) -> bool:
    """Whether the index is in this order, but for leading fields with a single value."""
    if not sort:
        return True
    for place, column in enumerate(columns):
        if column == sort[0]:
            return tuple(columns[place : place + len(sort)]) == tuple(sort)
        if not selector.is_constant(column):
            return False
    return False


# --- which one is the best


def _ranked(definitions: list[Definition], selector: Selector) -> list[Ranked]:
    ranges = selector.ranges()
    if definitions and definitions[0].is_special:
        ranges = [*ranges, ("_id", _EVERY_ID)]
    by_field = dict(reversed(ranges))
    found = []
    for definition in definitions:
        prefix: list[Range | None] = []
        for column in definition.columns:
            if column not in by_field:
                break
            prefix.append(by_field[column])
        found.append(Ranked(definition, tuple(prefix), len(ranges) - len(prefix)))
    return sorted(
        found, key=lambda r: (r.distance, len(r.definition.columns), r.definition.sort_order)
    )


# --- where to look in it


def start_key(ranges: Sequence[Range | None]) -> list[object]:
    """The values from which an index has to be read, as `_explain` shows them."""
    key: list[object] = []
    for found in ranges:
        if found is None or found.low is Limit.LOWEST:
            break
        key.append(found.low)
    return key


def end_key(ranges: Sequence[Range | None]) -> list[object]:
    """The values up to which it has to be read, `Limit.HIGHEST` last."""
    key: list[object] = []
    for found in ranges:
        if found is None or found.high is Limit.HIGHEST:
            break
        key.append(found.high)
    return [*key, Limit.HIGHEST]
