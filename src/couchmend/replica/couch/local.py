"""Local documents: one revision each, not replicated, the last write stands."""

from __future__ import annotations

from collections.abc import Mapping

from couchmend.core.document import JSON, LOCAL, Doc, dumps_checked
from couchmend.errors import Conflict
from couchmend.replica.couch.connection import Connection
from couchmend.replica.couch.connection.address import document_path
from couchmend.replica.couch.connection.answers import Answer
from couchmend.replica.couch.express import may_lack


def get_local(connection: Connection, name: str) -> Doc:
    """See `Replica.get_local`."""
    id = LOCAL + name
    answer = connection.answer("GET", document_path(id))
    return answer.document(answer.json, id)


def put_local(connection: Connection, name: str, doc: Mapping[str, JSON]) -> str:
    """See `Replica.put_local`."""
    id = LOCAL + name
    try:
        return _put(connection, {**doc, "_id": id})
    except Conflict:  # not CouchDB's way, but pouchdb-server's: it wants the present revision
        present = get_local(connection, name)["_rev"]
        return _put(connection, {**doc, "_id": id, "_rev": present})


def delete_local(connection: Connection, name: str) -> None:
    """See `Replica.delete_local`."""
    id = LOCAL + name
    _done(connection.answer("DELETE", document_path(id)), id)


def local_docs(connection: Connection) -> list[Doc]:
    """See `Replica.local_docs`."""
    with may_lack(connection, "_local_docs"):
        answer = connection.answer("GET", "_local_docs", params={"include_docs": True})
    docs = [
        answer.document(answer.member(row, "doc"), answer.text(row, "id"))
        for row in answer.rows("rows")
    ]
    ids = {str(doc["_id"]) for doc in docs}
    if len(ids) < len(docs):
        raise answer.bad("a local document is there twice")
    if not all(id.startswith(LOCAL) for id in ids):
        raise answer.bad("a document that is no local one")
    return docs


def _put(connection: Connection, doc: Doc) -> str:
    path = document_path(doc["_id"])
    answer = connection.answer("PUT", path, body=dumps_checked(doc), repeatable=True)
    rev = answer.text(_done(answer, doc["_id"]), "rev")
    if not rev.startswith("0-"):
        raise answer.bad(f"{rev!r} is no revision of a local document")
    return rev


def _done(answer: Answer, id: str) -> Doc:
    """What is told about a write, which must be that of this document."""
    told = answer.confirmed
    if answer.text(told, "id") != id:
        raise answer.bad(f"an answer about another document than {id}")
    return told
