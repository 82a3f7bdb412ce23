"""`couchmend replicate`: from one database to another, once or for as long as it runs."""

from __future__ import annotations

import json
import signal
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from couchmend.cli import output
from couchmend.cli.database import (
    AsJson,
    Config,
    create_database,
    known_servers,
    local_path,
    open_database,
)
from couchmend.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    from couchmend.core.document import Doc
    from couchmend.errors import ReplicaError
    from couchmend.replica.base import Replica
    from couchmend.replica.replicate import Progress, Summary

FAILURES_SHOWN = 20


def replicate(
    source: Annotated[
        str, typer.Argument(metavar="FROM", help="file:PATH or http(s)://HOST/NAME.")
    ],
    target: Annotated[str, typer.Argument(metavar="TO", help="The same; a new file is made.")],
    continuous: Annotated[
        bool,
        typer.Option("--continuous", help="Go on with what changes, until Ctrl-C or SIGTERM."),
    ] = False,
    create_target: Annotated[
        bool, typer.Option("--create-target", help="Make the database TO on its server.")
    ] = False,
    doc_id: Annotated[
        list[str] | None,
        typer.Option(metavar="ID", help="Only this document; repeatable."),
    ] = None,
    selector: Annotated[
        str | None,
        typer.Option(metavar="JSON", help="Only documents that match this Mango selector."),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(
            metavar="SEQ", help="Begin at this sequence of FROM, whatever was replicated before."
        ),
    ] = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Bring to TO every revision that FROM has and TO lacks.

    Conflicts, tombstones, attachments and the history of every revision come along.  It goes on
    where the last run ended: both databases keep a checkpoint.  A document that TO refuses is
    reported, and the others are brought all the same.

    For both directions, run it a second time with FROM and TO exchanged.
    """
    from couchmend.cli import render
    from couchmend.replica import replicate as replication

    wanted = _selector(selector)
    if doc_id and wanted is not None:
        raise UsageError("--doc-id and --selector do not go together")
    if source.rstrip("/") == target.rstrip("/"):
        raise UsageError("FROM and TO are the same database", target=target)
    with ExitStack() as stack:
        opened = stack.enter_context
        # Both sides may be on one server, and share its limits then.
        remote = any(local_path(address) is None for address in (source, target))
        servers = known_servers(config) if remote else None
        one = opened(open_database(source, servers=servers))
        if create_target:
            other = opened(create_database(target, servers=servers))
        else:
            other = opened(open_database(target, create=True, servers=servers))
        telling = _Telling(one, other, continuous=continuous, as_json=as_json)
        telling.gauge = opened(render.gauge(f"{one.name} → {other.name}"))
        summary = None
        try:
            run: Callable[..., Summary] = replication.replicate
            if continuous:
                signal.signal(signal.SIGTERM, _interrupt)
                telling.begun()
                run = partial(replication.keep_replicating, on_problem=telling.failed)
            summary = run(
                one,
                other,
                doc_ids=doc_id or None,
                selector=wanted,
                since=since,
                on_progress=telling.progressed,
            )
        except KeyboardInterrupt:
            # What was brought is noted; for a continuous replication this is the usual end.
            if not continuous:
                telling.interrupted()
                raise
    telling.ended(summary)


class _Telling:
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
        self._told: tuple[int, int] = (0, 0)

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
        now = (progress.docs_written, progress.doc_write_failures)
        if self._continuous and self._as_json and now != self._told:
            self._told = now
            output.line(counts(progress))
            output.flush()

    def failed(self, problem: ReplicaError, pause_seconds: float) -> None:
        """A side failed; it is tried again."""
        output.complain(f"{problem}; trying again in {pause_seconds:.0f} s")

    def interrupted(self) -> None:
        """It was ended before its end."""
        if self._progress is not None and not self._as_json:
            output.text(f"{brought(self._progress)}; the next run goes on from here")

    def ended(self, summary: Summary | None) -> None:
        """It has ended; without a summary, by an interruption."""
        progress = self._progress if summary is None else summary.progress
        if self._as_json:
            output.line(
                {
                    "source": self._source.url,
                    "target": self._target.url,
                    **({} if progress is None else counts(progress)),
                    **({} if summary is None else _session(summary)),
                }
            )
        elif progress is not None:
            output.text(brought(progress))
            _complain_of(progress)
        for notice in () if summary is None else summary.notices:
            output.complain(notice)
        if progress is not None and (progress.doc_write_failures or progress.unread):
            raise typer.Exit(1)


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


def _session(summary: Summary) -> Doc:
    return {
        "session_id": summary.session_id,
        "start_seq": summary.start_seq,
        "last_seq": summary.last_seq,
        "refused": [
            {"id": row.id, "rev": row.rev, "error": row.error, "reason": row.reason}
            for row in summary.progress.refused
        ],
        "lost": [
            {"id": row.id, "rev": row.rev, "reason": row.reason}
            for row in summary.progress.unreadable
        ],
        "notices": list(summary.notices),
    }


def _complain_of(progress: Progress) -> None:
    for row in progress.refused[:FAILURES_SHOWN]:
        output.complain(f"{row.id} {row.rev}: refused, {row.error}: {row.reason}")
    for gone in progress.unreadable[:FAILURES_SHOWN]:
        output.complain(f"{gone.id} {gone.rev}: FROM lists it and does not give it: {gone.reason}")
    listed = min(len(progress.refused), FAILURES_SHOWN) + min(
        len(progress.unreadable), FAILURES_SHOWN
    )
    more = progress.doc_write_failures + progress.unread - listed
    if more:
        output.complain(f"and {more} more; --json lists up to 1000 of each kind")


def _many(count: int, what: str) -> str:
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"


def _selector(text: str | None) -> Doc | None:
    if text is None:
        return None
    hint = """a Mango selector is a JSON object: '{"type": "task"}'"""
    try:
        value = json.loads(text)
    except ValueError as problem:
        raise UsageError(f"--selector is not JSON: {problem}", hint=hint) from problem
    if not isinstance(value, dict):
        raise UsageError("--selector is no JSON object", hint=hint)
    return value


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
