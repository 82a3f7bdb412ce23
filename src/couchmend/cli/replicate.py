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
from couchmend.errors import BadRequest, CouchmendError, DatabaseNotFound, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import FrameType

    from couchmend.core.document import Doc
    from couchmend.errors import ReplicaError
    from couchmend.replica.base import Missing, Refused, Replica
    from couchmend.replica.couch.connection.servers import Servers
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
    if _place(source) == _place(target):
        raise UsageError("FROM and TO are the same database", target=target)
    with ExitStack() as stack:
        opened = stack.enter_context
        # Both sides may be on one server, and share its limits then.
        remote = any(local_path(address) is None for address in (source, target))
        servers = known_servers(config) if remote else None
        one = opened(_opened_source(source, servers))
        _try_out(one, doc_id, wanted, since)
        other = opened(_opened_target(target, servers, create=create_target))
        telling = _Telling(one, other, continuous=continuous, as_json=as_json)
        telling.gauge = opened(render.gauge(f"{one.name} → {other.name}"))
        run: Callable[..., Summary] = replication.replicate
        if continuous:
            signal.signal(signal.SIGTERM, _interrupt)
            telling.begun()
            run = partial(replication.keep_replicating, on_problem=telling.failed)
        try:
            run(
                one,
                other,
                doc_ids=doc_id or None,
                selector=wanted,
                since=since,
                on_progress=telling.progressed,
            )
        except KeyboardInterrupt:
            # What was brought is noted; for a continuous replication this is the usual end.
            telling.ended(None if continuous else "interrupted; the next run goes on from here")
            if not continuous:
                raise
        except CouchmendError:
            telling.ended("failed; the next run goes on from here")
            raise
        else:
            telling.ended()
    if telling.has_failures:
        raise typer.Exit(1)


def _opened_source(address: str, servers: Servers | None) -> Replica:
    try:
        return open_database(address, servers=servers)
    except DatabaseNotFound as problem:
        if local_path(address) is not None:
            problem.hint = "check the path"
        raise


def _opened_target(address: str, servers: Servers | None, *, create: bool) -> Replica:
    if create:
        return create_database(address, servers=servers)
    try:
        return open_database(address, create=True, servers=servers)
    except DatabaseNotFound as problem:
        problem.hint = f"{problem.hint}; --create-target makes it"
        raise


def _try_out(
    source: Replica, doc_ids: list[str] | None, selector: Doc | None, since: str | None
) -> None:
    """Have the source refuse what it does not understand, before a target is made."""
    from couchmend.replica.base import ChangesQuery

    if selector is None and since is None:
        return
    query = ChangesQuery(since=since or "0", limit=1, doc_ids=doc_ids or None, selector=selector)
    try:
        source.changes(query)
    except BadRequest as problem:
        problem.operation = "--since" if selector is None else "--selector"
        problem.target = problem.target or source.url
        raise


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


def _place(address: str) -> str:
    """Where an address leads, however it is spelt."""
    path = local_path(address)
    return address.rstrip("/") if path is None else str(path.resolve())


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
