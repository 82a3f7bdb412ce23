"""`couchmend archive`: what the journal keeps of a document, putting a version back, erasing it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from couchmend.cli import output
from couchmend.cli.database import AsJson, Config
from couchmend.cli.opened import DryRun, Yes, confirmed, known_database, opened, who
from couchmend.errors import NotFound, UsageError

if TYPE_CHECKING:
    from couchmend.core.document import Doc
    from couchmend.core.revtree import Rev
    from couchmend.engine.deciding.restoring import Restored
    from couchmend.engine.engine import Engine
    from couchmend.journal.archive import Archived, KeptAttachment
    from couchmend.journal.databases import Database

archive_app = typer.Typer(rich_markup_mode=None)

DatabaseArgument = Annotated[
    str, typer.Argument(metavar="DB", help="The database, by name or address.")
]
Document = Annotated[str, typer.Argument(metavar="DOC", help="The document's id.")]


@archive_app.callback(invoke_without_command=True)
def archive_command(context: typer.Context) -> None:
    """What the journal keeps: every version that was replaced."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
        raise typer.Exit(2)


@archive_app.command()
def show(
    database: DatabaseArgument,
    document: Document,
    rev: Annotated[
        str | None, typer.Option(metavar="REV", help="Print this version as JSON.")
    ] = None,
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """List what is kept of a document, or print one version.

    Example: couchmend archive show notes groceries --rev 3-9f1c
    """
    with opened(config) as engine:
        where, kept, attachments = _kept(engine, database, document)
        if rev is not None:
            body = _body(kept[_named(rev, kept)], rev)
            output.value({"_id": document, **body}, as_line=as_json)
            return
        if as_json:
            for one in kept.values():
                output.line(_as_json(one))
            for attached in attachments:
                output.line(_attachment_as_json(attached))
            return
        from couchmend.cli import render
        from couchmend.cli.drawing import kept as drawing

        with render.page() as paper:
            drawing.show(where.name, document, kept, attachments, paper)


def _kept(
    engine: Engine, database: str, document: str
) -> tuple[Database, dict[Rev, Archived], list[KeptAttachment]]:
    """What is kept of a document, the newest generation first.

    Raises:
        NotFound: nothing is.
    """
    from couchmend.journal import archive

    with engine.journal.read() as tx:
        where = known_database(tx, database)
        found = archive.kept(tx, where.id, [document]).get(document, {})
        attachments = archive.attachments(tx, where.id, document)
    if not found:
        raise NotFound(
            "the journal keeps nothing of this document",
            operation="archive",
            target=f"{where.name}/{document}",
            hint="versions are kept when a conflict is found; `couchmend history` shows what was"
            " done",
        )
    return where, dict(sorted(found.items(), reverse=True)), attachments


def _named(given: str, kept: Mapping[Rev, Archived]) -> Rev:
    """The revision that a text begins.

    Raises:
        UsageError: none does, or several do.
    """
    from couchmend.cli.drawing.roles import shortened

    found = [rev for rev in kept if str(rev) == given]
    found = found or [rev for rev in kept if "-" in given and str(rev).startswith(given)]
    if len(found) == 1:
        return found[0]
    there = ", ".join(shortened(rev, 8) for rev in list(kept)[:10])
    what = "is more than one version" if found else "is not kept"
    raise UsageError(f"{given!r} {what}", hint=f"there are {there}")


def _body(one: Archived, given: str) -> Doc:
    if one.body is None:
        raise NotFound(
            "only its name is known, not what it says", operation="archive", target=given
        )
    return one.body


def _as_json(one: Archived) -> dict[str, Any]:
    return {
        "rev": str(one.rev),
        "deleted": one.deleted,
        "revisions": [str(rev) for rev in one.chain],
        "body": one.body,
    }


def _attachment_as_json(one: KeptAttachment) -> dict[str, Any]:
    return {
        "rev": str(one.rev),
        "attachment": one.name,
        "content_type": one.content_type,
        "digest": one.server_digest,
        "length": one.content.length,
    }


@archive_app.command()
def restore(
    database: DatabaseArgument,
    document: Document,
    rev: Annotated[
        str, typer.Argument(metavar="REV", help="The version, or the beginning of its revision.")
    ],
    preview: DryRun = False,
    yes: Yes = False,
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """Put a kept version back, as a new revision.

    Example: couchmend archive restore notes groceries 3-9f1c
    """
    with opened(config) as engine:
        where, kept, _ = _kept(engine, database, document)
        chosen = _named(rev, kept)
        body = _body(kept[chosen], rev)
        if preview and as_json:
            output.line({"id": document, "restored": str(chosen), "body": body, "preview": True})
            return
        if preview or not (yes or as_json):
            _show_restoring(engine, where.name, document, chosen, body)
        if preview:
            return
        if not confirmed("Put it back?", yes=yes or as_json, needed=False):
            output.complain("nothing was done")
            raise typer.Exit(1)
        _tell(document, chosen, engine.restore(where.name, document, chosen, by=who()), as_json)


def _tell(document: str, rev: Rev, done: Restored, as_json: bool) -> None:
    """Say what came of putting a version back."""
    from couchmend.cli.drawing.roles import shortened
    from couchmend.cli.outcomes import is_resolved, word_for

    outcome = done.outcome
    well = outcome is not None and is_resolved(outcome)
    if as_json:
        told = {"id": document, "restored": str(rev), "resolution": done.number}
        outcome_told = "none" if outcome is None else word_for(outcome).replace(" ", "_")
        output.line({**told, "outcome": outcome_told})
    elif well:
        output.text(f"{document} says what {shortened(rev)} said")
        output.text(f"take it back: couchmend undo {done.number}")
    else:
        output.complain(f"{document}: {'' if outcome is None else outcome.sentence}")
    if not well:
        raise typer.Exit(1)


def _show_restoring(engine: Engine, database: str, document: str, rev: Rev, body: Doc) -> None:
    from couchmend.cli import render
    from couchmend.cli.drawing import kept
    from couchmend.core.merging.attachments import version_body

    try:
        found = engine.replica(database).get(document)
        now: Doc | None = version_body(found)
        present = str(found["_rev"])
    except NotFound:
        now, present = None, ""
    with render.page() as paper:
        kept.restoring(document, present, now, rev, body, paper)


@archive_app.command()
def forget(
    database: DatabaseArgument,
    document: Document,
    yes: Yes = False,
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """Erase all that the journal keeps of a document, for good.

    That it was done is recorded.  What the database has stays there.  What was resolved cannot
    be undone any more.

    Example: couchmend archive forget people ann@example.org
    """
    with opened(config) as engine:
        from couchmend.journal.forgetting import forget as erase

        where, kept, attachments = _kept(engine, database, document)
        if not (yes or as_json):
            told = f"{len(kept)} versions and {len(attachments)} attachments are kept"
            output.text(f"{where.name}/{document}: {told}")
        if not confirmed("Erase them for good?", yes=yes):
            output.complain("nothing was done")
            raise typer.Exit(1)
        with engine.journal.write() as tx:
            done = erase(tx, where.id, document, who(), engine.clock.now())
        if as_json:
            import dataclasses

            output.line({"database": where.name, "id": document, **dataclasses.asdict(done)})
        else:
            output.text(
                f"erased {done.revisions} versions, {done.attachments} attachments and"
                f" {done.plans} plans of {document}; that this was done is recorded"
            )
