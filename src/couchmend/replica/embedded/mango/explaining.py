"""The answer of `_explain`: the plan, and what speaks against every other index."""

from __future__ import annotations

from collections.abc import Iterable

from couchmend.core.document import JSON, Doc
from couchmend.core.selector_ranges import Limit
from couchmend.replica.embedded.mango.definitions import Definition
from couchmend.replica.embedded.mango.planning import Plan, Ranked, end_key, start_key
from couchmend.replica.embedded.mango.requests import Request, options_of

_MAX = "<MAX>"


def explanation(database: str, plan: Plan) -> Doc:
    """The plan in CouchDB's words."""
    request, winner = plan.request, plan.winner
    shown: Doc = {
        "dbname": database,
        "index": None if winner is None else winner.definition.as_json(),
        "partitioned": False,
        "selector": request.selector.normal,
        "opts": options_of(request),
        "limit": request.query.limit,
        "skip": request.query.skip,
        "fields": list(request.fields or ()),
        "index_candidates": _candidates(plan),
        "selector_hints": [_hints(request)],
    }
    if winner is not None:
        covering = covers(winner.definition, request)
        shown |= {"mrargs": _view_arguments(plan, winner, covering), "covering": covering}
    return shown


def covers(definition: Definition, request: Request) -> bool:
    """Whether the index itself holds every field that the query needs."""
    if request.fields is None:
        return False
    return _holds(definition, (*request.fields, *request.selector.fields()))


def _holds(definition: Definition, fields: Iterable[str] | None) -> bool:
    if fields is None or definition.is_special:
        return False
    return {"_id", *definition.columns}.issuperset(fields)


def _view_arguments(plan: Plan, winner: Ranked, covering: bool) -> Doc:
    start, end = _keys(plan, winner)
    descending = plan.request.descending
    if descending:
        start, end = end, start
    return {
        "include_docs": not covering,
        "view_type": "map",
        "reduce": False,
        "partition": None,
        "start_key": start,
        "end_key": end,
        "direction": "rev" if descending else "fwd",
        "stable": False,
        "update": True,
        "conflicts": True if plan.request.query.conflicts else "undefined",
    }


def _keys(plan: Plan, winner: Ranked) -> tuple[JSON, JSON]:
    if plan.is_empty:
        return None, None
    if winner.definition.is_special:
        found = winner.ranges[0]
        if found is None:
            return None, None
        return (
            "" if found.low is Limit.LOWEST else found.low,
            _MAX if found.high is Limit.HIGHEST else found.high,
        )
    end = [_MAX if value is Limit.HIGHEST else value for value in end_key(winner.ranges)]
    return start_key(winner.ranges), end


def _hints(request: Request) -> Doc:
    indexable = {field.partition(":")[0] for field in request.selector.indexable_fields()}
    return {
        "type": "json",
        "indexable_fields": sorted(indexable),
        "unindexable_fields": sorted(set(request.selector.fields()) - indexable),
    }


def _candidates(plan: Plan) -> list[Doc]:
    """Every other index, how it ranks and the first thing that speaks against it.

    Indexes drop out in stages: partial ones that were not named, those that cannot be used,
    those that `use_index` excludes, those of the lesser kind; the rest is ranked.
    """
    winner = plan.winner
    of_type = {ranked.definition for ranked in plan.ranked}
    unfavored = set(plan.allowed) - of_type
    excluded = set(plan.usable) - set(plan.allowed)
    unusable = {found.definition: found.reasons for found in plan.unusable}
    partial = {d for d in plan.existing if d.partial_filter is not None}
    unfavored_rank = max(1, len(plan.ranked))
    excluded_rank = unfavored_rank + bool(unfavored)
    unusable_rank = excluded_rank + bool(excluded)
    partial_rank = unusable_rank + bool(unusable)
    places = {ranked.definition: place for place, ranked in enumerate(plan.ranked)}
    shown = []
    for definition in sorted(plan.existing, key=lambda d: d.sort_order, reverse=True):
        if winner is not None and definition == winner.definition:
            continue
        reasons: list[str] = []
        usable, ranking = True, 0
        if definition in partial:
            usable, ranking, reasons = False, partial_rank, ["is_partial"]
        if definition in unusable:
            usable, ranking = False, ranking + unusable_rank
            reasons += unusable[definition]
        if definition in excluded:
            ranking += excluded_rank
            reasons.append("excluded_by_user")
        if definition in unfavored:
            ranking += unfavored_rank
            reasons.append("unfavored_type")
        if winner is not None and definition in places:
            ranking += places[definition]
            reasons.append(_why_second(plan.ranked[places[definition]], winner))
        shown.append(
            {
                "index": definition.as_json(),
                "analysis": {
                    "usable": usable,
                    "reasons": [{"name": reasons[0]}],
                    "ranking": ranking,
                    "covering": (
                        None if definition.is_special else _holds(definition, plan.request.fields)
                    ),
                },
            }
        )
    return shown


def _why_second(ranked: Ranked, winner: Ranked) -> str:
    if ranked.distance > 0:
        return "less_overlap"
    if len(ranked.definition.columns) > len(winner.definition.columns):
        return "too_many_fields"
    return "alphabetically_comes_after"
