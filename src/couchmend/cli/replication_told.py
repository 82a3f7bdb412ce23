"""What `couchmend replicate` tells a person or a program."""

from __future__ import annotations

from typing import TYPE_CHECKING

from couchmend.cli import output

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from couchmend.core.document import Doc
    from couchmend.errors import ReplicaError
    from couchmend.replica.base import Missing, Refused, Replica
    from couchmend.replica.replicate import Progress

FAILURES_SHOWN = 20


class Telling:
    """What a person or a program is told on the way and in the end."""

    def __init__(
        self, source: Replica, target: Replica, *, continuous: bool, as_json: bool
    ) -> None:
        self.gauge: Callable[[int, int | None], None] = lambda done, total: None
        self._source = source
        self._target = target
        self._continuous = continuous
        self._as_json = as_json
        self._progress: Progress | None = None
        self._written = 0
        self._refused = 0
        self._unreadable = 0

    @property
    def has_failures(self) -> bool:
        """Whether something was not brought."""
        progress = self._progress
        return progress is not None and bool(progress.doc_write_failures or progress.unread)

    def begun(self) -> None:
        """A replication without an end has begun."""
        if not self._as_json:
            output.text(f"{self._source.url} → {self._target.url} (Ctrl-C ends it)")
            output.flush()

    def progressed(self, progress: Progress) -> None:
        """Some of it is done."""
        self._progress = progress
        done = progress.changes_read
        self.gauge(done, done + progress.pending)
        news = self._news(progress)
        if self._continuous and self._as_json and (news or progress.docs_written > self._written):
            output.line({**counts(progress), **news})
            output.flush()
        self._written = progress.docs_written

    def failed(self, problem: ReplicaError, pause_seconds: float) -> None:
        """A side failed; it is tried again."""
        output.complain(f"{problem}; trying again in {pause_seconds:.0f} s")

    def ended(self, how: str | None = None) -> None:
        """It has ended; `how`, if not well."""
        progress = self._progress
        if self._as_json:
            sides = {"source": self._source.url, "target": self._target.url}
            told = {} if progress is None else {**counts(progress), **details(progress)}
            output.line({**sides, **told, "ended": how or "done"})
        elif progress is not None:
            output.text("; ".join(part for part in (brought(progress), how) if part))
            listed = min(self._refused, FAILURES_SHOWN) + min(self._unreadable, FAILURES_SHOWN)
            more = progress.doc_write_failures + progress.unread - listed
            if more and not self._continuous:
                output.complain(f"and {more} more; --json lists up to 1000 of each kind")
        for notice in () if progress is None else progress.notices:
            output.complain(notice)

    def _news(self, progress: Progress) -> Doc:
        """Failures that were not told yet: a person is told at once, a program gets them."""
        refused = progress.refused[self._refused :]
        lost = progress.unreadable[self._unreadable :]
        shown = None if self._continuous else FAILURES_SHOWN
        if not self._as_json:
            for row in progress.refused[self._refused : shown]:
                output.complain(f"{row.id} {row.rev}: refused, {row.error}: {row.reason}")
            for gone in progress.unreadable[self._unreadable : shown]:
                what = "FROM lists it and does not give it"
                output.complain(f"{gone.id} {gone.rev}: {what}: {gone.reason}")
        self._refused, self._unreadable = len(progress.refused), len(progress.unreadable)
        return _failures(refused, lost) if refused or lost else {}


def brought(progress: Progress) -> str:
    """What a replication did, as a sentence."""
    from couchmend.cli import render

    if not progress.missing_found:
        return f"nothing was lacking ({progress.missing_checked} revisions compared)"
    revisions = _many(progress.docs_written, "revision")
    documents = _many(progress.documents, "document")
    parts = [f"{revisions} of {documents} brought", render.size(progress.bytes_written)]
    if progress.attachments:
        parts.append(_many(progress.attachments, "attachment"))
    if progress.doc_write_failures:
        parts.append(f"{progress.doc_write_failures} refused")
    if progress.unread:
        parts.append(f"{progress.unread} unreadable")
    return ", ".join(parts)


def counts(progress: Progress) -> Doc:
    """What a replication did, for programs."""
    return {
        "documents": progress.documents,
        "docs_read": progress.docs_read,
        "docs_written": progress.docs_written,
        "attachments": progress.attachments,
        "bytes_written": progress.bytes_written,
        "missing_checked": progress.missing_checked,
        "missing_found": progress.missing_found,
        "doc_write_failures": progress.doc_write_failures,
        "unreadable": progress.unread,
    }


def details(progress: Progress) -> Doc:
    """Where it began and ended, and what was not brought."""
    return {
        "start_seq": progress.start_seq,
        "last_seq": progress.last_seq,
        **_failures(progress.refused, progress.unreadable),
        "notices": list(progress.notices),
    }


def _failures(refused: Sequence[Refused], lost: Sequence[Missing]) -> Doc:
    return {
        "refused": [
            {"id": row.id, "rev": row.rev, "error": row.error, "reason": row.reason}
            for row in refused
        ],
        "lost": [{"id": row.id, "rev": row.rev, "reason": row.reason} for row in lost],
    }


def _many(count: int, what: str) -> str:
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"
