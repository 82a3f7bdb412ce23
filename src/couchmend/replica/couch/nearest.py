"""Which database may have been meant, where there is none of the name."""

from __future__ import annotations

import difflib

from couchmend.errors import DatabaseNotFound, ReplicaError
from couchmend.replica.couch.connection import Connection


def name_the_nearest(missing: DatabaseNotFound, connection: Connection, name: str) -> None:
    """Put into the hint which name the server has that is most like `name`.

    That the server does not tell its names (only admins may see them) is no further error.
    """
    try:
        answer = connection.server.answer("GET", "_all_dbs")
        names = answer.texts(answer.json_list)
    except ReplicaError:
        return
    if near := difflib.get_close_matches(name, names, n=1, cutoff=0.6):
        missing.hint = f"did you mean {near[0]}?"
