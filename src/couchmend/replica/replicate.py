"""Replication between any two replicas, by CouchDB's protocol.

https://docs.couchdb.org/en/stable/replication/protocol.html: read the source's changes, ask
the target what it lacks, read that with its history, write it as it is, and note in a local
document on both sides how far it went.
"""

from __future__ import annotations

import hashlib
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from email.utils import formatdate

from couchmend.core.document import JSON, Doc, dumps
from couchmend.errors import (
    BadRequest,
    Conflict,
    Forbidden,
    NotFound,
    PreconditionFailed,
    TooLarge,
    Unauthorized,
)
from couchmend.replica.base import ChangeRow, ChangesQuery, Found, Refused, Replica

CHANGES_A_BATCH = 1000
BYTES_A_WRITE = 32 << 20
CHECKPOINT_SECONDS = 5.0
ID_VERSION = 4
_HISTORY = 50


@dataclass(slots=True)
class Progress:
    """How far a replication is; `pending` is what the source last said lies beyond."""

    docs_read: int = 0
    docs_written: int = 0
    missing_checked: int = 0
    missing_found: int = 0
    pending: int = 0
    refused: list[Refused] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Summary:
    """A replication that has ended.

    `refused` are the revisions that the target would not take, which did not stop the rest.
    `start_seq` is where it began, `last_seq` how far the source has been read.
    """

    session_id: str
    start_time: str
    end_time: str
    start_seq: str
    last_seq: str
    docs_read: int
    docs_written: int
    missing_checked: int
    missing_found: int
    refused: tuple[Refused, ...]

    def history_entry(self) -> Doc:
        """As CouchDB's replicator notes a session in its checkpoints."""
        return {
            "session_id": self.session_id,
            "start_time": self.start_time,
            "end_time": self.end_time,
            "start_last_seq": self.start_seq,
            "end_last_seq": self.last_seq,
            "recorded_seq": self.last_seq,
            "missing_checked": self.missing_checked,
            "missing_found": self.missing_found,
            "docs_read": self.docs_read,
            "docs_written": self.docs_written,
            "doc_write_failures": len(self.refused),
        }


def replicate(
    source: Replica,
    target: Replica,
    *,
    doc_ids: Sequence[str] | None = None,
    selector: Mapping[str, JSON] | None = None,
    since: str | None = None,
    on_progress: Callable[[Progress], None] | None = None,
) -> Summary:
    """Bring to `target` every revision of `source` that it lacks, once.

    It goes on from the checkpoint that both sides know, or from `since`.  `doc_ids` or a
    Mango `selector` limit it to some documents.  Killed at any point and run again, it ends
    in the same state: a checkpoint never runs ahead of what is stored.

    Raises:
        ReplicaError: either side failed; what was written until then stays.
    """
    return _Session(source, target, doc_ids, selector, since, on_progress).run()


class _Session:
    def __init__(
        self,
        source: Replica,
        target: Replica,
        doc_ids: Sequence[str] | None,
        selector: Mapping[str, JSON] | None,
        since: str | None,
        on_progress: Callable[[Progress], None] | None,
    ) -> None:
        self._source = source
        self._target = target
        self._doc_ids = doc_ids
        self._selector = selector
        self._on_progress = on_progress
        self._id = _replication_id(source, target, doc_ids, selector)
        self._session_id = uuid.uuid4().hex
        self._started = formatdate(usegmt=True)
        self._before = _checkpoint(source, self._id), _checkpoint(target, self._id)
        self._since = _common_seq(*self._before) if since is None else since
        self._progress = Progress()

    def run(self) -> Summary:
        seq = recorded = self._since
        checkpointed = time.monotonic()
        while True:
            page = self._source.changes(
                ChangesQuery(
                    since=seq,
                    limit=CHANGES_A_BATCH,
                    style="all_docs",
                    doc_ids=self._doc_ids,
                    selector=self._selector,
                    pending=self._on_progress is not None,
                )
            )
            self._bring(page.rows)
            finished = len(page.rows) < CHANGES_A_BATCH
            seq = page.last_seq
            self._progress.pending = page.pending
            if self._on_progress is not None:
                self._on_progress(self._progress)
            now = time.monotonic()
            if seq != recorded and (finished or now - checkpointed > CHECKPOINT_SECONDS):
                self._record(self._summary(seq))
                recorded, checkpointed = seq, now
            if finished:
                return self._summary(seq)

    def _summary(self, seq: str) -> Summary:
        progress = self._progress
        return Summary(
            session_id=self._session_id,
            start_time=self._started,
            end_time=formatdate(usegmt=True),
            start_seq=self._since,
            last_seq=seq,
            docs_read=progress.docs_read,
            docs_written=progress.docs_written,
            missing_checked=progress.missing_checked,
            missing_found=progress.missing_found,
            refused=tuple(progress.refused),
        )

    # --- one page of changes

    def _bring(self, rows: Sequence[ChangeRow]) -> None:
        known: dict[str, list[str]] = {}
        for row in rows:
            known.setdefault(row.id, []).extend(row.revs)
        lacking = self._target.revs_diff(known)
        wanted = [(id, rev) for id, diff in lacking.items() for rev in diff.missing]
        self._progress.missing_checked += sum(map(len, known.values()))
        self._progress.missing_found += len(wanted)
        if not wanted:
            return
        docs, size = [], 0
        for doc in self._read(wanted):
            docs.append(doc)
            size += sum(entry["length"] for entry in doc.get("_attachments", {}).values())
            if size > BYTES_A_WRITE:
                self._write(docs)
                docs, size = [], 0
        self._write(docs)

    def _read(self, wanted: Sequence[tuple[str, str]]) -> Iterator[Doc]:
        """The revisions with their histories, as far as the source still has their bodies."""
        for row in self._source.bulk_get(wanted, latest=True, revs=True):
            for outcome in row.outcomes:
                if isinstance(outcome, Found):
                    self._progress.docs_read += 1
                    yield outcome.doc

    def _write(self, docs: Sequence[Doc]) -> None:
        if not docs:
            return
        try:
            refused = self._target.bulk_docs(
                [self._with_content(doc) for doc in docs], new_edits=False
            )
        except (BadRequest, Conflict, PreconditionFailed, TooLarge) as problem:
            # Something in it refuses the whole batch: find out what.
            if len(docs) > 1:
                self._write(docs[: len(docs) // 2])
                self._write(docs[len(docs) // 2 :])
                return
            doc = docs[0]
            refused = [Refused(doc["_id"], doc["_rev"], problem.error, problem.reason)]
        failures = [row for row in refused if isinstance(row, Refused)]
        self._progress.refused += failures
        self._progress.docs_written += len(docs) - len(failures)

    def _with_content(self, doc: Doc) -> Doc:
        stubs = doc.get("_attachments")
        if not stubs:
            return doc
        return {
            **doc,
            "_attachments": {
                name: {
                    "content_type": stub["content_type"],
                    "revpos": stub["revpos"],
                    "data": _Content(self._source, doc["_id"], name, doc["_rev"]),
                }
                for name, stub in stubs.items()
            },
        }

    # --- checkpoints

    def _record(self, summary: Summary) -> None:
        """The target first: a source that is ahead of it would lose changes, not the reverse."""
        entry = summary.history_entry()
        for replica, before in zip(
            (self._target, self._source), reversed(self._before), strict=True
        ):
            history = [
                old
                for old in before.get("history", [])
                if isinstance(old, Mapping) and old.get("session_id") != self._session_id
            ]
            document = {
                "session_id": self._session_id,
                "source_last_seq": summary.last_seq,
                "replication_id_version": ID_VERSION,
                "history": [entry, *history][:_HISTORY],
            }
            if "_rev" in before:
                document["_rev"] = before["_rev"]
            try:
                before["_rev"] = replica.put_local(self._id, document)
            except (Forbidden, Unauthorized):
                if replica is self._target:
                    raise
                # A source that may only be read: next time, all its changes are compared.


class _Content:
    """An attachment of the source, read anew whenever somebody iterates."""

    def __init__(self, source: Replica, id: str, name: str, rev: str) -> None:
        self._where = source, id, name, rev

    def __iter__(self) -> Iterator[bytes]:
        source, id, name, rev = self._where
        return iter(source.attachment(id, name, rev=rev).chunks)


def _checkpoint(replica: Replica, id: str) -> Doc:
    try:
        return replica.get_local(id)
    except NotFound:
        return {}


def _common_seq(source: Doc, target: Doc) -> str:
    """Where both checkpoints agree that everything before has been replicated."""
    if source.get("session_id") is not None and source["session_id"] == target.get("session_id"):
        return str(source.get("source_last_seq", "0"))
    sessions = {
        entry.get("session_id"): entry
        for entry in source.get("history", ())
        if isinstance(entry, Mapping)
    }
    for entry in target.get("history", ()):
        if isinstance(entry, Mapping) and entry.get("session_id") in sessions:
            return str(entry.get("recorded_seq", "0"))
    return "0"


def _replication_id(
    source: Replica,
    target: Replica,
    doc_ids: Sequence[str] | None,
    selector: Mapping[str, JSON] | None,
) -> str:
    what = [
        "couchmend",
        source.url,
        source.name,
        target.url,
        target.name,
        None if doc_ids is None else sorted(doc_ids),
        selector,
    ]
    return hashlib.md5(dumps(what), usedforsecurity=False).hexdigest()
