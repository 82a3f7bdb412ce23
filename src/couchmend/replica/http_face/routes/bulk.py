"""Many documents at once: `_bulk_docs`, `_bulk_get`, `_revs_diff`, `_missing_revs`, `_purge`
(https://docs.couchdb.org/en/stable/api/database/bulk-api.html)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from couchmend.core.document import DESIGN, JSON, Doc, check_id, dumps
from couchmend.errors import BadRequest, ReplicaError
from couchmend.replica.base import BulkGetRow, Found, Include, Missing, Refused, Written
from couchmend.replica.embedded import EmbeddedReplica
from couchmend.replica.http_face.calls import (
    Action,
    Answer,
    Call,
    Endpoint,
    Right,
    take_typed_json,
)
from couchmend.replica.http_face.exchange import Stream, json_reply
from couchmend.replica.http_face.guards.access import design_refusal
from couchmend.replica.http_face.multipart import MixedWriter
from couchmend.replica.http_face.paging import PageSize
from couchmend.replica.http_face.parameters import include_of, revision, revisions


def bulk_docs(call: Call) -> Answer:
    """`POST /db/_bulk_docs`: not a transaction, each row says what became of its document."""
    body = call.json_object()
    docs, new_edits = body.get("docs"), body.get("new_edits", True)
    if "docs" not in body:
        raise BadRequest("POST body must include `docs` parameter.")
    if type(docs) is not list:
        raise BadRequest("`docs` parameter must be an array.")
    if type(new_edits) is not bool:
        raise BadRequest("`new_edits` parameter must be a boolean.")
    for doc in docs:
        if type(doc) is dict and doc.get("_id", "") is None:
            check_id(None)  # a member that says null is not one that is missing
    rows = _write(call, docs, new_edits)
    if any(map(_is_design, docs)):
        call.site.warn_about(call.replica, again=True)
    accepted = any(isinstance(row, Written) and row.accepted for row in rows)
    shown = [outcome(row, with_rev=not new_edits) for row in rows]
    return json_reply(shown, 202 if accepted else 201)


def _write(call: Call, docs: list[JSON], new_edits: bool) -> list[Written | Refused]:
    """Write them, but for the design documents of somebody who is no admin."""
    refusal = _refusal_of_designs(call, docs)
    if refusal is None:
        return call.replica.bulk_docs(docs, new_edits=new_edits)
    rest = iter(call.replica.bulk_docs([d for d in docs if not _is_design(d)], new_edits=new_edits))
    refused = [
        Refused(doc["_id"], doc.get("_rev"), refusal.error, refusal.reason)
        for doc in docs
        if _is_design(doc)
    ]
    if not new_edits:
        return [*rest, *refused]
    waiting = iter(refused)
    return [next(waiting) if _is_design(doc) else next(rest) for doc in docs]


def _refusal_of_designs(call: Call, docs: list[JSON]) -> ReplicaError | None:
    if any(_is_design(doc) for doc in docs):
        return design_refusal(call.actor, call.replica.security())
    return None


def _is_design(doc: JSON) -> bool:
    return type(doc) is dict and str(doc.get("_id")).startswith(DESIGN)


def outcome(row: Written | Refused, *, with_rev: bool = False) -> Doc:
    """A row of a bulk write's answer."""
    match row:
        case Written():
            shown: Doc = {"ok": True, "id": row.id, "rev": row.rev}
            if row.accepted:
                shown["accepted"] = True
            return shown
        case Refused():
            rev = {"rev": row.rev} if with_rev else {}
            return {"id": row.id, **rev, "error": row.error, "reason": row.reason}


# --- _bulk_get


class _Item(NamedTuple):
    """One revision that is wanted, or why it cannot be; `since` is of `atts_since`."""

    id: JSON
    rev: str | None
    since: tuple[str, ...]
    problem: Doc | None = None


def bulk_get(call: Call) -> Answer:
    """`POST /db/_bulk_get`"""
    for name in ("open_revs", "new_edits", "w", "rev", "atts_since"):
        if name in call.query:
            raise BadRequest(f'"{name}" query parameter is not acceptable')
    docs = call.json_object().get("docs")
    if type(docs) is not list:
        raise BadRequest("Missing JSON list of 'docs'.")
    items = [_item(doc) for doc in docs]
    include, latest = include_of(call.query), call.query.get("latest") == "true"
    request = call.request
    if request.accepts("application/json"):
        return Stream(_json_rows(call.replica, items, include, latest=latest))
    kind = next((k for k in ("mixed", "related") if request.accepts(f"multipart/{k}")), None)
    if kind is None:
        return Stream(_json_rows(call.replica, items, include, latest=latest))
    writer = MixedWriter(call.replica, include)
    headers = [(b"content-type", f'multipart/{kind}; boundary="{writer.boundary}"'.encode())]
    return Stream(_parts(writer, items, latest=latest), headers=headers)


def _item(doc: JSON) -> _Item:
    if type(doc) is not dict or not doc:
        return _bad_item(None, None, "document must be a JSON object")
    if "id" not in doc:
        return _bad_item(None, None, "document id missed")
    id, rev, since = doc["id"], doc.get("rev"), doc.get("atts_since", [])
    try:
        check_id(id)
    except BadRequest as problem:
        return _bad_item(id, None, problem.reason, problem.error)
    if "rev" in doc and type(rev) is not str:
        return _bad_item(id, rev, "Invalid rev format")
    if type(since) is not list:
        return _bad_item(id, since, "att_since value must be array of revs.")
    for ancestor in since:
        try:
            revision(ancestor)
        except BadRequest as problem:
            return _bad_item(id, ancestor, problem.reason)
    return _Item(id, rev, tuple(since))


def _bad_item(id: JSON, rev: JSON, reason: str, error: str = "bad_request") -> _Item:
    problem = {"id": id, "rev": rev, "error": error, "reason": reason}
    return _Item(id, None, (), problem)


def _json_rows(
    replica: EmbeddedReplica, items: list[_Item], include: Include, *, latest: bool
) -> Iterator[bytes]:
    before = b'{"results":['
    size = PageSize(50)
    while items:
        page, items = items[: size.rows], items[size.rows :]
        rows = b",".join(dumps(row) for row in _shown(replica, page, include, latest=latest))
        size.learn(len(page), len(rows))
        yield before + rows
        before = b","
    yield (before if before != b"," else b"") + b"]}\n"


def _shown(
    replica: EmbeddedReplica, items: list[_Item], include: Include, *, latest: bool
) -> Iterator[Doc]:
    for item, row in zip(items, _read(replica, items, include, latest=latest), strict=True):
        if row is None:
            yield {"id": item.id, "docs": [{"error": item.problem}]}
        else:
            yield {"id": row.id, "docs": [_shown_outcome(found) for found in row.outcomes]}


def _shown_outcome(found: Found | Missing) -> Doc:
    match found:
        case Found(doc):
            return {"ok": doc}
        case Missing():
            return {"error": missing(found)}


def missing(found: Missing) -> Doc:
    """What `_bulk_get` says of a revision that is not there."""
    rev = "undefined" if found.rev is None else found.rev
    return {"id": found.id, "rev": rev, "error": found.error, "reason": found.reason}


def _read(
    replica: EmbeddedReplica, items: list[_Item], include: Include, *, latest: bool
) -> list[BulkGetRow | None]:
    """A row for each item that makes sense: one read for all with the same `atts_since`."""
    rows: list[BulkGetRow | None] = [None] * len(items)
    groups: dict[tuple[str, ...], list[int]] = {}
    for place, item in enumerate(items):
        if item.problem is None:
            groups.setdefault(item.since, []).append(place)
    for since, places in groups.items():
        wanted = include.copy()
        if since:
            wanted["atts_since"] = since
        pairs = [(items[place].id, items[place].rev) for place in places]
        found = replica.bulk_get(pairs, latest=latest, **wanted)
        for place, row in zip(places, found, strict=True):
            rows[place] = row
    return rows


def _parts(writer: MixedWriter, items: list[_Item], *, latest: bool) -> Iterator[bytes]:
    plain = Include(revs=True)
    for start in range(0, len(items), 50):
        page = items[start : start + 50]
        for item, row in zip(page, _read(writer.replica, page, plain, latest=latest), strict=True):
            if row is None:
                yield from writer.error(item.problem)
                continue
            for found in row.outcomes:
                match found:
                    case Found(doc):
                        yield from writer.document(doc, item.since)
                    case Missing():
                        yield from writer.error(missing(found))
    if items:
        yield writer.end()


# --- revisions


def revs_diff(call: Call) -> Answer:
    """`POST /db/_revs_diff`"""
    shown: Doc = {}
    for id, diff in call.replica.revs_diff(_revisions_by_id(call.json_object())).items():
        shown[id] = {"missing": list(diff.missing)}
        if diff.possible_ancestors:
            shown[id]["possible_ancestors"] = list(diff.possible_ancestors)
    return json_reply(shown)


def missing_revs(call: Call) -> Answer:
    """`POST /db/_missing_revs`"""
    found = call.replica.revs_diff(_revisions_by_id(call.json_object()))
    return json_reply({"missing_revs": {id: list(diff.missing) for id, diff in found.items()}})


def purge(call: Call) -> Answer:
    """`POST /db/_purge`"""
    wanted = _revisions_by_id(call.json_object())
    purged = call.replica.purge(wanted)
    shown = {id: list(purged.get(id, ())) for id in wanted}
    return json_reply({"purge_seq": call.replica.info().purge_seq, "purged": shown}, 201)


def _revisions_by_id(body: Doc) -> dict[str, list[str]]:
    return {id: revisions(revs) for id, revs in body.items()}


def _post(action: Action) -> Endpoint:
    return Endpoint({"POST": action}, "POST")


ENDPOINTS = {
    "_bulk_docs": _post(Action(bulk_docs, intake=take_typed_json)),
    "_bulk_get": _post(Action(bulk_get, intake=take_typed_json)),
    "_revs_diff": _post(Action(revs_diff, intake=take_typed_json)),
    "_missing_revs": _post(Action(missing_revs, intake=take_typed_json)),
    "_purge": _post(Action(purge, Right.SERVER_ADMIN, intake=take_typed_json)),
}
