"""`couchmend replica …`: one database by itself."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from couchmend.cli import output
from couchmend.cli.database import (
    AsJson,
    Database,
    Databases,
    embedded_only,
    open_database,
    open_databases,
)
from couchmend.errors import UsageError

if TYPE_CHECKING:
    from couchmend.replica.base import Include, Replica

POLL_SECONDS = 0.5


def info(database: Databases, as_json: AsJson = False) -> None:
    """Print how many documents there are, and their size."""
    from couchmend.cli import reading, render

    known = []
    for replica in open_databases(database):
        told = replica.info()
        if as_json:
            output.line(reading.info_as_json(told, replica))
        else:
            known.append((replica.url, told))
    if len(known) == 1:
        render.database(*known[0])
    elif known:
        render.databases([told for _, told in known])
    for _, told in known:
        for notice in told.notices:
            output.complain(f"{told.name}: {notice}")


def put(
    database: Database,
    file: Annotated[
        str,
        typer.Argument(
            metavar="FILE", help="One JSON document, or one a line; - for the standard input."
        ),
    ] = "-",
    new_edits: Annotated[
        bool,
        typer.Option(
            "--new-edits/--no-new-edits",
            help="Edit as a user does, or store revisions with their history as replication does.",
        ),
    ] = True,
    as_json: AsJson = False,
) -> None:
    """Write documents.  An embedded database that does not exist is made.

    Every document that is refused is reported, and the others are stored all the same.
    """
    from couchmend.cli import render, writing

    with ExitStack() as stack:
        source, size = writing.open_source(file, stack)
        replica = stack.enter_context(open_database(database, create=True))
        outcome = writing.put_documents(
            replica,
            source,
            new_edits=new_edits,
            as_json=as_json,
            advance=stack.enter_context(render.progress(f"writing to {replica.name}", size)),
        )
    if not as_json:
        refused = f", {outcome.refused} refused" if outcome.refused else ""
        output.text(f"{outcome.stored} stored{refused}")
    if outcome.refused:
        raise typer.Exit(1)


def get(
    database: Database,
    id: Annotated[str, typer.Argument(metavar="ID", help="The document's _id.")],
    rev: Annotated[str | None, typer.Option(help="This revision instead of the winner.")] = None,
    revs: Annotated[bool, typer.Option("--revs", help="Add its ancestors: _revisions.")] = False,
    conflicts: Annotated[
        bool,
        typer.Option("--conflicts", help="Add the other leaves: _conflicts, _deleted_conflicts."),
    ] = False,
    all_leaves: Annotated[
        bool, typer.Option("--all-leaves", help="Every leaf, tombstones too, winner first.")
    ] = False,
    attachments: Annotated[
        bool, typer.Option("--attachments", help="Add the attachments as base64.")
    ] = False,
    tree: Annotated[bool, typer.Option("--tree", help="Draw the revision tree.")] = False,
    as_json: AsJson = False,
) -> None:
    """Print a document, all its leaves, or its revision tree."""
    from couchmend.cli import reading

    if sum((rev is not None, all_leaves, tree)) > 1:
        raise UsageError("--rev, --all-leaves and --tree do not go together")
    with open_database(database) as replica:
        if tree:
            docs = reading.leaves_of(replica, id, {"revs": True})
            if as_json:
                output.line(reading.tree_as_json(docs))
            else:
                from couchmend.cli import render

                render.history(reading.tree_of(docs))
        elif all_leaves:
            for doc in reading.leaves_of(replica, id, {"revs": revs, "attachments": attachments}):
                output.value(doc, as_line=as_json)
        else:
            include: Include = {"revs": revs, "attachments": attachments}
            if conflicts:
                include["conflicts"] = include["deleted_conflicts"] = True
            output.value(reading.document(replica, id, rev, include), as_line=as_json)


def changes(
    database: Database,
    since: Annotated[str, typer.Option(help="A sequence, 0 or now.")] = "0",
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Wait for further changes until Ctrl-C.")
    ] = False,
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many rows.")] = None,
    style: Annotated[
        Literal["main_only", "all_docs"],
        typer.Option(help="The winner's revision, or those of all leaves."),
    ] = "main_only",
    include_docs: Annotated[
        bool, typer.Option("--include-docs", help="Add the documents.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="As always here: one JSON object a line.")
    ] = True,
) -> None:
    """Print what changed, oldest change first.

    One JSON object a line, as in CouchDB's feed; `seq` continues it with `--since`.
    """
    from couchmend.cli import reading
    from couchmend.replica.base import ChangesQuery

    query = ChangesQuery(since=since, limit=limit, style=style, include_docs=include_docs)
    with open_database(database) as replica:
        for row in reading.changes(replica, query, follow=follow):
            output.line(row.as_json())
            if follow:
                sys.stdout.flush()


def compact(database: Databases, as_json: AsJson = False) -> None:
    """Give back room.

    The bodies of revisions that are no leaves are forgotten, as CouchDB's compaction does.
    """
    from couchmend.cli import render

    for replica in open_databases(database):
        before = replica.info().sizes.file
        with render.progress(f"compacting {replica.name}"):
            replica.compact()
            _wait_for_compaction(replica)
        after = replica.info().sizes.file
        if as_json:
            output.line({"db_name": replica.name, "before": before, "after": after})
        else:
            output.text(f"{replica.name}: {render.size(before)} before, {render.size(after)} after")


def _wait_for_compaction(replica: Replica) -> None:
    import time

    while replica.info().compact_running:
        time.sleep(POLL_SECONDS)


def check(database: Databases, as_json: AsJson = False) -> None:
    """Look through a database's file for damage."""
    from couchmend.cli import render
    from couchmend.replica.embedded.database import EmbeddedReplica

    damaged = False
    for replica in open_databases(database):
        if not isinstance(replica, EmbeddedReplica):
            raise embedded_only(replica, "check")
        with render.progress(f"checking {replica.name}"):
            problems = replica.check()
        damaged = damaged or bool(problems)
        if as_json:
            output.line({"db_name": replica.name, "problems": problems})
        elif problems:
            for problem in problems:
                output.text(f"{replica.name}: {problem}")
        else:
            output.text(f"{replica.name}: sound")
    if damaged:
        raise typer.Exit(1)
