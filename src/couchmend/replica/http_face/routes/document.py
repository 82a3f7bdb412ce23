"""One document (https://docs.couchdb.org/en/stable/api/document/common.html)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

from couchmend.core.document import DESIGN, LOCAL, Doc, check_id
from couchmend.core.revtree import Leaf, Rev
from couchmend.errors import BadRequest, NotFound
from couchmend.replica.base import Found, Include, Missing, Refused, Written, error_of
from couchmend.replica.http_face.calls import (
    Action,
    Answer,
    Call,
    Endpoint,
    take_json,
    take_typed_json,
)
from couchmend.replica.http_face.exchange import (
    FRESH,
    Headers,
    Reply,
    Stream,
    json_reply,
    not_modified,
    quoted,
)
from couchmend.replica.http_face.multipart import MixedWriter, related
from couchmend.replica.http_face.parameters import DocumentOptions, document_options, revision
from couchmend.replica.http_face.related_reader import RelatedBody, take_related
from couchmend.replica.multipart import new_boundary

_META = ("_conflicts", "_deleted_conflicts", "_local_seq", "_revs_info")
"""Members that an entity tag does not cover: with one of them there is no tag."""


def check_readable(id: str) -> None:
    """Hold that a document can be called so; there is none of an illegal name (`NotFound`)."""
    if id.startswith("_") and not (id.startswith((DESIGN, LOCAL)) and id not in (DESIGN, LOCAL)):
        raise NotFound("missing", target=id)


def get(call: Call) -> Answer:
    """`GET /db/doc`"""
    (id,) = call.args
    check_readable(id)
    options = document_options(call.query)
    if options.open_revs is not None:
        return _open_revs(call, id, options)
    wants_parts = options.include.get("attachments") and call.request.accepts("multipart/related")
    doc = _read(call, id, options, as_parts=bool(wants_parts))
    headers: Headers = []
    if not any(member in doc for member in _META):
        etag = quoted(doc["_rev"])
        if call.request.matches(etag):
            return not_modified(etag)
        headers.append((b"etag", etag))
    if not wants_parts:
        return json_reply(doc, headers=headers)
    since = options.include.get("atts_since")
    part = related(call.replica, doc, since, options.include, new_boundary())
    headers += [(b"content-type", part.content_type.encode()), FRESH]
    return Stream(part.chunks, headers=headers, length=part.length)


def _read(call: Call, id: str, options: DocumentOptions, *, as_parts: bool) -> Doc:
    include = options.include
    if as_parts:
        include = _without_content(include)
    rev = options.rev
    try:
        return call.replica.get(id, rev=rev, latest=options.latest, **include)
    except NotFound as problem:
        if rev is None and options.deleted and problem.reason == "deleted":
            return _deleted_winner(call, id, include)
        raise


def _without_content(include: Include) -> Include:
    """The same with stubs instead of data, and the history that tells which are new."""
    bare = include.copy()
    bare.pop("attachments", None)
    bare.pop("atts_since", None)
    bare["revs"] = True
    return bare


def _deleted_winner(call: Call, id: str, include: Include) -> Doc:
    found = [leaf.doc for leaf in call.replica.open_revs(id, **include) if isinstance(leaf, Found)]
    if not found:
        raise NotFound("missing", target=id)
    return max(found, key=lambda doc: Leaf(Rev.parse(doc["_rev"]), deleted=True).precedence)


# --- several revisions at once


def _open_revs(call: Call, id: str, options: DocumentOptions) -> Answer:
    wanted = None if options.open_revs == "all" else options.open_revs
    as_parts = call.request.accepts("multipart/mixed")
    include = _without_content(options.include) if as_parts else options.include
    leaves = call.replica.open_revs(id, wanted, latest=options.latest, **include)
    if not as_parts:
        return json_reply([_shown(leaf) for leaf in leaves])
    writer = MixedWriter(call.replica, options.include)
    content_type = f'multipart/mixed; boundary="{writer.boundary}"'.encode()
    return Stream(_parts(writer, leaves), headers=[(b"content-type", content_type), FRESH])


def _shown(leaf: Found | Missing) -> Doc:
    match leaf:
        case Found(doc):
            return {"ok": doc}
        case Missing(rev=rev):
            return {"missing": rev}


def _parts(writer: MixedWriter, leaves: list[Found | Missing]) -> Iterator[bytes]:
    for leaf in leaves:
        match leaf:
            case Found(doc):
                yield from writer.document(doc, None)
            case Missing(rev=rev):
                yield from writer.error({"missing": rev})
    yield writer.end()


# --- writing


def put(call: Call) -> Answer:
    """`PUT /db/doc`"""
    (id,) = call.args
    call.check_design(id)
    options = document_options(call.query)
    check_id(id)
    doc = body_of(call)
    if "_id" in doc:
        check_id(doc["_id"])
    doc["_id"] = id
    settle_rev(call, doc, options.rev)
    rev = write(call, doc, new_edits=options.new_edits)
    if call.query.get("batch") == "ok":
        return json_reply({"ok": True, "id": id}, 202)
    headers = [(b"etag", quoted(rev)), (b"location", call.request.url_of(call.name, id))]
    return json_reply(
        {"ok": True, "id": id, "rev": rev}, 200 if doc.get("_deleted") else 201, headers
    )


def body_of(call: Call) -> Doc:
    """The document that was sent, as JSON or with its attachments in parts."""
    if isinstance(call.body, RelatedBody):
        return call.body.doc(call.replica.limits.max_attachment_bytes)
    doc = call.json()
    if type(doc) is not dict:
        raise BadRequest("Document must be a JSON object")
    return doc


def settle_rev(call: Call, doc: Doc, given: str | None) -> None:
    """Make `_rev` what body, query and `If-Match` agree on; raises `BadRequest` if they
    do not."""
    own = _own_rev(doc)
    if own is not None and given is not None and given != own:
        raise BadRequest("Document rev from request body and query string have different values")
    rev = header_rev(call, own if own is not None else given)
    if own is None and rev is not None:
        doc["_rev"] = rev


def _own_rev(doc: Doc) -> str | None:
    rev, revisions = doc.get("_rev"), doc.get("_revisions")
    if type(rev) is str:
        return rev
    if type(revisions) is dict and revisions.get("ids") and type(revisions["ids"]) is list:
        return f"{revisions.get('start')}-{revisions['ids'][0]}"
    return None


def header_rev(call: Call, given: str | None) -> str | None:
    """The revision of `If-Match` or the one given; raises `BadRequest` if both differ."""
    if given is not None:
        revision(given)
    matched = call.request.header(b"if-match")
    if matched is None:
        return given
    rev = revision(matched.strip().strip('"'))
    if given is not None and given != rev:
        raise BadRequest("Document rev and etag have different values")
    return rev


def write(call: Call, doc: Doc, *, new_edits: bool = True) -> str:
    """Write one document; returns its revision, or raises why not."""
    rows = call.replica.bulk_docs([doc], new_edits=new_edits)
    for row in rows:
        if isinstance(row, Refused):
            raise error_of(row)
    if doc["_id"].startswith(DESIGN):
        call.site.warn_about(call.replica, again=True)
    return rows[0].rev if rows and isinstance(rows[0], Written) else _own_rev(doc) or ""


def post(call: Call) -> Answer:
    """`POST /db`: a document that names itself, or gets a name."""
    doc = body_of(call)
    if "_id" not in doc:
        doc["_id"] = call.site.new_id()
    id = check_id(doc["_id"])
    call.check_design(id)
    rev = write(call, doc)
    if call.query.get("batch") == "ok":
        return json_reply({"ok": True, "id": id}, 202)
    headers = [(b"location", call.request.url_of(call.name, id))]
    return json_reply({"ok": True, "id": id, "rev": rev}, 201, headers)


def delete(call: Call) -> Answer:
    """`DELETE /db/doc`"""
    (id,) = call.args
    check_readable(id)
    call.check_design(id)
    call.replica.get(id)  # 404 before 409
    doc: Doc = {"_id": id, "_deleted": True}
    settle_rev(call, doc, call.query.get("rev"))
    rev = write(call, doc)
    return json_reply({"ok": True, "id": id, "rev": rev}, headers=[(b"etag", quoted(rev))])


def copy(call: Call) -> Answer:
    """`COPY /db/doc`, to the document that the header `Destination` names."""
    (id,) = call.args
    check_readable(id)
    rev = header_rev(call, call.query.get("rev"))
    target, target_rev = _destination(call)
    check_id(target)
    call.check_design(target)
    doc = _read_for_copy(call, id, rev)
    if target.startswith(LOCAL):
        doc.pop("_attachments", None)
    doc["_id"] = target
    if target_rev is not None:
        doc["_rev"] = revision(target_rev)
    new = write(call, doc)
    headers = [(b"etag", quoted(new)), (b"location", call.request.url_of(call.name, target))]
    return json_reply({"ok": True, "id": target, "rev": new}, 201, headers)


def _destination(call: Call) -> tuple[str, str | None]:
    header = call.request.header(b"destination")
    if header is None:
        raise BadRequest("Destination header is mandatory for COPY.")
    if header.startswith(("http://", "https://")):
        raise BadRequest("Destination URL must be relative.")
    name, _, query = header.partition("?")
    try:
        target = unquote(name, encoding="utf-8", errors="strict")
    except UnicodeDecodeError as problem:
        raise BadRequest("Document id must be valid UTF-8", error="illegal_docid") from problem
    return target, query.partition("=")[2] or None


def _read_for_copy(call: Call, id: str, rev: str | None) -> Doc:
    if id.startswith(LOCAL):
        doc = call.replica.get_local(id.removeprefix(LOCAL))
    else:
        doc = call.replica.get(id, rev=rev)
    del doc["_rev"]
    for name, entry in doc.get("_attachments", {}).items():
        content = call.replica.attachment(id, name, rev=rev).chunks
        doc["_attachments"][name] = {"content_type": entry["content_type"], "data": content}
    return doc


def post_form(call: Call) -> Answer:
    """`POST /db/doc`, what a browser's form sends: not offered."""
    raise BadRequest("Referer header required.", hint="use PUT to write a document")


async def take_document(call: Call) -> Any:
    """The body of a `PUT`: JSON, or `multipart/related`."""
    content_type = call.request.header(b"content-type") or ""
    if content_type.startswith("multipart/related"):
        return await take_related(call)
    return await take_json(call)


def redirect_design(call: Call) -> Answer:
    """`GET /db/_design%2Fname…`: the same with a plain slash."""
    path = call.request.scope["raw_path"]
    plain = path.replace(b"_design%2F", b"_design/").replace(b"_design%2f", b"_design/")
    base = call.request.url_of("").removesuffix(b"/")
    search = call.request.scope["query_string"]
    location = base + plain + (b"?" + search if search else b"")
    return Reply(301, b"", [(b"location", location)])


ALLOWED = "DELETE,GET,HEAD,POST,PUT,COPY"
_WRITING = {
    "PUT": Action(put, intake=take_document),
    "DELETE": Action(delete),
    "COPY": Action(copy),
    "POST": Action(post_form),
}
DOCUMENT = Endpoint({"GET": Action(get), **_WRITING}, ALLOWED)
ENCODED_DESIGN = Endpoint({"GET": Action(redirect_design), **_WRITING}, ALLOWED)
POST_DOCUMENT = Action(post, intake=take_typed_json)
