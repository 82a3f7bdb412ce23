"""The names of indexes that were given none.

CouchDB takes the SHA-1 of the request as an Erlang term.  Deriving the same name makes the
same index, created on two replicas, one design document with one revision.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from couchmend.core.document import JSON
from couchmend.core.erlang_term import atom, json_term, list_of, tuple_of


def automatic_name(definition: Mapping[str, JSON]) -> str:
    """The name that CouchDB gives to an index, and to its design document.

    `definition` is what was posted to `_index`.
    """
    index = json_term(definition["index"])
    partitioned = definition.get("partitioned")
    options = {
        "ddoc": _given(definition, "ddoc"),
        "def": index,
        "name": _given(definition, "name"),
        "partitioned": atom("db_default") if partitioned is None else json_term(partitioned),
        "type": json_term(definition.get("type", "json")),
        "w": json_term(definition.get("w", 2)),
    }
    pairs = [tuple_of(atom(name), value) for name, value in options.items()]
    term = b"\x83" + tuple_of(index, list_of(pairs))
    return hashlib.sha1(term, usedforsecurity=False).hexdigest()


def _given(definition: Mapping[str, JSON], name: str) -> bytes:
    return json_term(definition[name]) if name in definition else atom("auto_name")
