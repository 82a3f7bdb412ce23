"""The leaves of one document, or one revision of it, in an answer of their own."""

from __future__ import annotations

from couchmend.core.document import dumps
from couchmend.replica.base import Found, Include, Missing
from couchmend.replica.couch.connection import Connection
from couchmend.replica.couch.connection.address import document_path
from couchmend.replica.couch.reading.outcomes import flags, outcomes, since_parameter


def leaves(
    connection: Connection, id: str, rev: str | None, include: Include
) -> tuple[Found | Missing, ...]:
    """All leaves, in one answer, which is the fastest way for many; or the revision `rev`.

    Raises:
        NotFound: all leaves of a document that does not exist.
    """
    wanted = "all" if rev is None else dumps([rev]).decode()
    params = {"open_revs": wanted, **flags(include), **since_parameter(include)}
    answer = connection.answer("GET", document_path(id), params=params)
    if not answer.json_list:
        raise answer.bad(f"a document without leaves: {id}")
    return outcomes(answer, answer.json_list, id, rev, include=include)
