"""What a replication has done so far, and in the end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from couchmend.core.document import Doc
from couchmend.replica.base import Missing, Refused

LISTED = 1000
"""How many failures are listed one by one; all are counted."""


@dataclass(slots=True)
class Progress:
    """Counts, growing while a replication runs; the words are those of CouchDB's replicator.

    missing_checked: leaf revisions of the source that were compared.
    missing_found: those of them that the target lacked.
    docs_read, docs_written: revisions read from the source and stored at the target.
    documents: documents of which the target lacked something.
    attachments: attachments that were sent, rather than known to be there.
    bytes_written: of documents as JSON and of attachments.
    doc_write_failures: revisions that the target refused; the first of them in `refused`.
    unread: leaves that the source lists and cannot give; the first of them in `unreadable`.
    changes_read, pending: rows of the source's feed that were dealt with, and an estimate of
        those that lie beyond.
    start_seq, last_seq: where it began, and up to where everything is stored.
    notices: sentences an operator should read.
    """

    missing_checked: int = 0
    missing_found: int = 0
    docs_read: int = 0
    docs_written: int = 0
    documents: int = 0
    attachments: int = 0
    bytes_written: int = 0
    doc_write_failures: int = 0
    unread: int = 0
    changes_read: int = 0
    pending: int = 0
    start_seq: str = ""
    last_seq: str = ""
    refused: list[Refused] = field(default_factory=list)
    unreadable: list[Missing] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)

    def note_refused(self, rows: Sequence[Refused]) -> None:
        """Count what the target did not take."""
        self.doc_write_failures += len(rows)
        self.refused += rows[: LISTED - len(self.refused)]

    def note_unreadable(self, rows: Sequence[Missing]) -> None:
        """Count what the source did not give."""
        self.unread += len(rows)
        self.unreadable += rows[: LISTED - len(self.unreadable)]


@dataclass(frozen=True, slots=True)
class Summary:
    """A session of a replication, and what it has done."""

    session_id: str
    start_time: str
    end_time: str
    progress: Progress

    def history_entry(self) -> Doc:
        """As CouchDB's replicator notes a session in its checkpoints."""
        return {
            "session_id": self.session_id,
            "start_time": self.start_time,
            "end_time": self.end_time,
            "start_last_seq": self.progress.start_seq,
            "end_last_seq": self.progress.last_seq,
            "recorded_seq": self.progress.last_seq,
            "missing_checked": self.progress.missing_checked,
            "missing_found": self.progress.missing_found,
            "docs_read": self.progress.docs_read,
            "docs_written": self.progress.docs_written,
            "doc_write_failures": self.progress.doc_write_failures,
        }
