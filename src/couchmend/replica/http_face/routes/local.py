"""Local documents: one revision, not replicated, and the last write stands
(https://docs.couchdb.org/en/stable/api/local.html)."""

from __future__ import annotations

import hashlib

from couchmend.core.document import LOCAL, Doc, dumps
from couchmend.errors import NotFound
from couchmend.replica.embedded.local import GONE
from couchmend.replica.http_face.calls import Action, Answer, Call, Endpoint, take_json
from couchmend.replica.http_face.exchange import json_reply, not_modified, quoted
from couchmend.replica.http_face.parameters import document_options
from couchmend.replica.http_face.routes.document import (
    ALLOWED,
    body_of,
    copy,
    post_form,
    settle_rev,
    write,
)


def get_local(call: Call) -> Answer:
    """`GET /db/_local/name`"""
    (id,) = call.args
    options = document_options(call.query)
    doc = call.replica.get_local(id.removeprefix(LOCAL))
    if options.rev is not None and options.rev != doc["_rev"]:
        raise NotFound("missing", target=id)
    etag = _local_etag(doc, doc["_rev"])
    if call.request.matches(etag):
        return not_modified(etag)
    if options.include.get("revs"):
        doc["_revisions"] = {"start": 0, "ids": [doc["_rev"].removeprefix("0-")]}
    return json_reply(doc, headers=[(b"etag", etag)])


def put_local(call: Call) -> Answer:
    """`PUT /db/_local/name`: the last write stands, whatever `_rev` says."""
    (id,) = call.args
    doc = body_of(call)
    doc["_id"] = id
    settle_rev(call, doc, call.query.get("rev"))
    rev = write(call, doc)
    headers = [
        (b"etag", _local_etag(doc, rev)),
        (b"location", call.request.url_of(call.name, id)),
    ]
    return json_reply({"ok": True, "id": id, "rev": rev}, 200 if rev == GONE else 201, headers)


def delete_local(call: Call) -> Answer:
    """`DELETE /db/_local/name`"""
    (id,) = call.args
    call.replica.delete_local(id.removeprefix(LOCAL))
    headers = [(b"etag", _local_etag({}, GONE))]
    return json_reply({"ok": True, "id": id, "rev": GONE}, headers=headers)


def _local_etag(doc: Doc, rev: str) -> bytes:
    body = dumps([rev, {name: value for name, value in doc.items() if name[:1] != "_"}])
    return quoted(hashlib.md5(body, usedforsecurity=False).hexdigest().upper())


LOCAL_DOCUMENT = Endpoint(
    {
        "GET": Action(get_local),
        "PUT": Action(put_local, intake=take_json),
        "DELETE": Action(delete_local),
        "COPY": Action(copy),
        "POST": Action(post_form),
    },
    ALLOWED,
)
