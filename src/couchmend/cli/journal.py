"""`couchmend journal`: the version of the journal, whether it is sound, and what it holds."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

from couchmend.cli import output
from couchmend.cli.database import AsJson
from couchmend.errors import JournalError, UsageError

if TYPE_CHECKING:
    from couchmend.journal.opening import Journal
    from couchmend.journal.upgrading import Moved

journal_app = typer.Typer(rich_markup_mode=None)

Where = Annotated[
    str,
    typer.Option(
        "--journal",
        metavar="URL",
        help="The journal: sqlite:///here.db, sqlite:////absolute.db or postgresql://…; by default"
        " the one that is configured.",
    ),
]
To = Annotated[str, typer.Option("--to", metavar="VERSION", help="The version wanted.")]
WithoutCopy = Annotated[
    bool, typer.Option("--no-backup", help="Make no copy of the file beforehand.")
]


@journal_app.callback(invoke_without_command=True)
def journal_command(context: typer.Context) -> None:
    """What couchmend remembers: bring it up, check it, copy it."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
        raise typer.Exit(2)


@journal_app.command()
def upgrade(
    journal: Where = "",
    to: To = "",
    no_backup: WithoutCopy = False,
    as_json: AsJson = False,
) -> None:
    """Bring the journal up to what this couchmend needs.

    A SQLite file is copied beforehand; make a backup of a PostgreSQL with pg_dump.
    """
    from couchmend.journal import upgrading
    from couchmend.journal.tables import REVISION

    with _opened(journal, any_version=True) as opened:
        moved = upgrading.upgrade(opened, to or REVISION, backup=not no_backup)
        _tell_of_move(opened, moved, as_json=as_json)


@journal_app.command()
def downgrade(
    to: Annotated[str, typer.Argument(metavar="VERSION", help="The older version wanted.")],
    journal: Where = "",
    no_backup: WithoutCopy = False,
    as_json: AsJson = False,
) -> None:
    """Bring the journal down to what an older couchmend needs.

    What the older version cannot hold is lost; the copy that is made beforehand has it.
    """
    from couchmend.journal import upgrading

    with _opened(journal, any_version=True) as opened:
        moved = upgrading.downgrade(opened, to, backup=not no_backup)
        _tell_of_move(opened, moved, as_json=as_json)


@journal_app.command()
def check(journal: Where = "", as_json: AsJson = False) -> None:
    """Compare all that is archived with its digests.

    Exits with 1 if something is damaged.
    """
    from couchmend.cli import render
    from couchmend.journal.integrity import check as checked

    with _opened(journal) as opened, render.progress("checking") as progress:
        found = checked(opened, progress)
    if as_json:
        output.line(
            {
                "journal": opened.url,
                "sound": found.sound,
                "bodies": found.bodies,
                "contents": found.contents,
                "bytes": found.bytes,
                "problems": list(found.problems),
            }
        )
    else:
        looked = f"{found.bodies} bodies and {found.contents} contents, {found.bytes} bytes"
        output.text(f"{opened.url}: {'sound' if found.sound else 'damaged'} ({looked})")
        for problem in found.problems:
            output.complain(problem)
    if not found.sound:
        raise typer.Exit(1)


@journal_app.command()
def export(
    journal: Where = "",
    to: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FILE", help="Write to this new file."),
    ] = None,
    no_contents: Annotated[
        bool, typer.Option("--no-contents", help="Without the contents of attachments.")
    ] = False,
) -> None:
    """Write all that the journal holds as JSON lines.

    It holds what documents say: the file is readable by its owner only.
    """
    from couchmend.core.document import dumps
    from couchmend.journal.exporting import export as exported

    with _opened(journal) as opened, ExitStack() as resources:
        stream = sys.stdout.buffer if to is None else resources.enter_context(_new_file(to))
        for line in exported(opened, with_contents=not no_contents):
            stream.write(dumps(line) + b"\n")
        stream.flush()


@journal_app.command()
def copy(
    target: Annotated[str, typer.Argument(metavar="URL", help="An empty journal, or none yet.")],
    journal: Where = "",
    as_json: AsJson = False,
) -> None:
    """Put all that it holds into another one, like a PostgreSQL.

    Stop what writes to the journal beforehand; numbers of conflicts and resolutions stay.
    """
    from couchmend.cli import render
    from couchmend.journal.exporting import copy as copied

    with _opened(journal) as source, _opened(target, create=True) as opened:
        with render.progress("copying") as progress:
            counts = copied(source, opened, lambda _, rows: progress(rows))
        if as_json:
            output.line({"journal": source.url, "copy": opened.url, "rows": counts})
        else:
            output.text(f"copied {sum(counts.values())} rows from {source.url} to {opened.url}")


def _opened(url: str, *, create: bool = False, any_version: bool = False) -> Journal:
    from couchmend import settings
    from couchmend.journal.opening import open_journal
    from couchmend.settings.forms import as_journal_url

    if not url:
        url = settings.load().journal.address()
    elif url.startswith("sqlite:"):
        try:
            url = as_journal_url(url, None)  # as the configuration would read it
        except ValueError as problem:
            raise UsageError(str(problem), operation="journal", target=url) from problem
    return open_journal(url, create=create, any_version=any_version)


def _tell_of_move(opened: Journal, moved: Moved, *, as_json: bool) -> None:
    backup = None if moved.backup is None else str(moved.backup)
    if as_json:
        output.line(
            {
                "journal": opened.url,
                "before": moved.before,
                "version": moved.after,
                "backup": backup,
            }
        )
    elif moved.before == moved.after:
        output.text(f"{opened.url} is of version {moved.after} already")
    else:
        output.text(f"{opened.url} went from version {moved.before} to {moved.after}")
        if backup is not None:
            output.text(f"a copy of what it was is {backup}")


def _new_file(path: Path) -> BinaryIO:
    import os

    try:
        made = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except OSError as problem:
        raise JournalError(
            f"it cannot be made: {problem.strerror}",
            operation="export",
            target=str(path),
            hint="name a file that is not there, in a folder that is",
        ) from problem
    return os.fdopen(made, "wb")
