"""How far a replication has come: its log, kept as a local document on both sides.

The form is that of CouchDB's and PouchDB's replicators
(https://docs.couchdb.org/en/stable/replication/protocol.html#retrieve-replication-logs-from-source-and-target).
A checkpoint counts only where both sides remember the same session: a database that was made
anew, or put back from an older copy, is replicated from where the two last agreed.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from couchmend.core.document import JSON, Doc, dumps
from couchmend.errors import DatabaseNotFound, Forbidden, NotFound, Unauthorized
from couchmend.replica.base import ChangesQuery, Replica

BEGINNING = "0"
ID_VERSION = 4
_SESSIONS_KEPT = 50
_UNKNOWN_INSTANCE = "0"
_SOURCE_INSTANCE = "source_instance"
"""In the target's log, while the source may only be read: which database that was."""


def replication_id(source: Replica, target: Replica, query: ChangesQuery) -> str:
    """The same for every run of one replication, and different for any other."""
    what = [
        "couchmend",
        _place(source),
        source.name,
        _place(target),
        target.name,
        None if query.doc_ids is None else sorted(query.doc_ids),
        query.selector,
    ]
    return hashlib.md5(dumps(what), usedforsecurity=False).hexdigest()


class Log:
    """Both sides' logs of one replication, as a session finds them and goes on with them."""

    def __init__(self, source: Replica, target: Replica, id: str) -> None:
        self._source = source
        self._target = target
        self._id = id
        ours, theirs = _read(source, id), _read(target, id)
        self._instance: str | None = None
        """Set while only the target keeps the log."""
        if not ours and _SOURCE_INSTANCE in theirs:
            self._instance = source.info().instance_start_time
            if theirs[_SOURCE_INSTANCE] == self._instance != _UNKNOWN_INSTANCE:
                ours = theirs
        self.start_seq, self._earlier = last_agreed(ours, theirs)
        self.recorded = self.start_seq
        """Up to where the logs say that everything is stored."""

    @property
    def notice(self) -> str | None:
        """What an operator should know about the logs."""
        if self._instance is None:
            return None
        return "the source may only be read: the checkpoint is kept at the target alone"

    def record(self, seq: str, session: Doc) -> None:
        """Note that everything up to `seq` is stored at the target.

        `session` is the entry of the history.

        Raises:
            ReplicaError: the target takes no log, or a side cannot be reached.
        """
        if seq == self.recorded:
            return
        log: Doc = {
            "session_id": session["session_id"],
            "source_last_seq": seq,
            "replication_id_version": ID_VERSION,
            "history": [session, *self._earlier][:_SESSIONS_KEPT],
        }
        if self._instance is None:
            self._target.put_local(self._id, log)
            try:
                self._source.put_local(self._id, log)
            except (Forbidden, Unauthorized):
                self._instance = self._source.info().instance_start_time
        if self._instance is not None:
            self._target.put_local(self._id, {**log, _SOURCE_INSTANCE: self._instance})
        self.recorded = seq


def last_agreed(source: Doc, target: Doc) -> tuple[str, list[Doc]]:
    """Where two logs last agree: the sequence, and the sessions up to there, newest first.

    The two may have been written one after the other, or one be an older copy that was put
    back: of what they say about a session the lower sequence counts.
    """
    sessions = _history(source)
    known = {entry["session_id"]: entry for entry in _history(target)}
    for place, entry in enumerate(sessions):
        if entry["session_id"] in known:
            theirs = known[entry["session_id"]]
            seq = _lower(entry.get("recorded_seq"), theirs.get("recorded_seq"))
            if seq is not None:
                return seq, sessions[place:]
    return BEGINNING, []


def _history(log: Doc) -> list[Doc]:
    history = log.get("history")
    if not isinstance(history, list):
        return []
    return [e for e in history if isinstance(e, dict) and isinstance(e.get("session_id"), str)]


def _lower(one: JSON, other: JSON) -> str | None:
    """The lower of two sequences; None when it cannot be told."""
    if one == other and isinstance(one, str):
        return one
    numbered = [(_number(seq), str(seq)) for seq in (one, other)]
    if any(number is None for number, _ in numbered):
        return None
    return min(numbered, key=lambda pair: pair[0] or 0)[1]


def _number(seq: JSON) -> int | None:
    """How many changes a sequence has seen: an integer, or what CouchDB writes before a dash."""
    digits = str(seq).partition("-")[0]
    return int(digits) if digits.isascii() and digits.isdigit() else None


def _place(replica: Replica) -> str:
    """Where a replica is, however its address was spelt."""
    scheme, _, path = replica.url.partition(":")
    return f"file:{Path(path).resolve()}" if scheme == "file" else replica.url


def _read(replica: Replica, id: str) -> Doc:
    try:
        return replica.get_local(id)
    except DatabaseNotFound:
        raise
    except NotFound:
        return {}
