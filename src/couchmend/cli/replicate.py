"""`couchmend replicate`: from one database to another, once or for as long as it runs."""

from __future__ import annotations

import json
import signal
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from couchmend.cli.database import (
    AsJson,
    Config,
    create_database,
    known_servers,
    local_path,
    open_database,
)
from couchmend.cli.replication_told import Telling
from couchmend.errors import BadRequest, CouchmendError, DatabaseNotFound, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    from couchmend.core.document import Doc
    from couchmend.replica.base import Replica
    from couchmend.replica.couch.connection.servers import Servers
    from couchmend.replica.replicate import Summary


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
        telling = Telling(one, other, continuous=continuous, as_json=as_json)
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


def _place(address: str) -> str:
    """Where an address leads, however it is spelt."""
    path = local_path(address)
    return address.rstrip("/") if path is None else str(path.resolve())


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
