"""`_local/couchmend`: by which installations of couchmend learn of each other.

It is no lock: a CouchDB takes any write of a local document.  Two installations that resolve the
same conflicts end in the same state, but for work that is done twice; an operator should know.
"""

from __future__ import annotations

import hashlib
import socket
from typing import Final

from couchmend import __version__
from couchmend.core.document import Doc
from couchmend.errors import NotFound, ReplicaError
from couchmend.journal.opening import Journal
from couchmend.replica.base import Replica

NAME: Final = "couchmend"
HOUR: Final = 3_600_000_000
FRESH: Final = 24 * HOUR
"""How long an announcement counts."""


def announce(replica: Replica, installation: str, now: int, *, write: bool) -> str:
    """Read who was here, and leave our name unless it is there; returns a notice or nothing.

    installation: which one this is: all that use one journal are one.
    write: whether the mode allows it; else only another's announcement is read.
    """
    try:
        found = _read(replica)
        other = str(found.get("installation", ""))
        at = found.get("at", 0)
        age = now - at if type(at) is int else FRESH
        if other == installation and age < HOUR and age > -HOUR:
            return ""
        if write:
            ours: Doc = {"installation": installation, "at": now, "version": __version__}
            replica.put_local(NAME, ours)
    except ReplicaError as problem:
        if problem.transient:
            raise
        return ""  # not every account may, and not every server can
    if other in ("", installation) or age >= FRESH:
        return ""
    return (
        "another couchmend resolves conflicts of this database, with a journal of its own:"
        " both end in the same state, but one would do"
    )


def _read(replica: Replica) -> Doc:
    try:
        return replica.get_local(NAME)
    except NotFound:
        return {}


def installation(journal: Journal) -> str:
    """By what installations tell each other apart: all that use one journal are one."""
    where = journal.url if not journal.is_sqlite else f"{socket.gethostname()} {journal.url}"
    return hashlib.sha256(where.encode()).hexdigest()[:16]
