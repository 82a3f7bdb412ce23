"""The engine as a command needs it, and in whose name it works."""

from __future__ import annotations

import getpass
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from couchmend.errors import UsageError

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from couchmend.engine.engine import Engine
    from couchmend.journal.databases import Database

Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do it without asking.")]
DryRun = Annotated[
    bool, typer.Option("--preview", "--dry-run", help="Only show what would be done.")
]


@contextmanager
def opened(config: Path | None, *, create: bool = False) -> Iterator[Engine]:
    """The engine with the configuration in force, its hooks and its log file included.

    create: whether a journal may be made where there is none.

    Raises:
        UsageError: the configuration is wrong.
        JournalError: the journal cannot be opened, as soon as it is needed.
    """
    from couchmend.cli.logged import logged
    from couchmend.configuration import load_all
    from couchmend.engine.engine import Engine
    from couchmend.engine.hooks import installed

    known = load_all(config=config)
    with (
        Engine(
            known.settings,
            policies=known.policies,
            hooks=installed().and_then(known.hooks),
            create_journal=create,
        ) as engine,
        logged(engine.events, known.settings.logs),
    ):
        yield engine


def who() -> str:
    """Who decides: `cli:` and the user's name on this machine."""
    try:
        return f"cli:{getpass.getuser()}"
    except (KeyError, OSError):  # a user without a name
        return "cli:unknown"


def known_database(tx: Connection, given: str) -> Database:
    """The database of the journal that a person means, by its name or address.

    Raises:
        UsageError: the journal knows none of that name; says the nearest.
    """
    from couchmend.core.policy.data import did_you_mean
    from couchmend.errors import without_credentials
    from couchmend.journal import databases

    every = databases.every(tx)
    found = [one for one in every if given in (one.name, one.url)]
    # A single last part of an address is what people call a database.
    found = found or [one for one in every if one.name.rstrip("/").rpartition("/")[2] == given]
    if len(found) == 1:
        return found[0]
    names = ", ".join(one.name for one in found or every[:5])
    if found:
        raise UsageError(f"{given!r} is more than one database", hint=f"say which: {names}")
    hint = f"it knows {names}" if every else "`couchmend sweep` fills it"
    raise UsageError(
        f"the journal knows no database {without_credentials(given)!r}"
        f"{did_you_mean(given, [one.name for one in every])}",
        hint=hint,
    )


def one_of(given: str | None, known: tuple[str, ...], what: str) -> str | None:
    """A word that is one of a few, or None.

    Raises:
        UsageError: it is not; says the nearest.
    """
    from couchmend.core.policy.data import did_you_mean

    if given is None or given in known:
        return given
    raise UsageError(
        f"there is no {what} {given!r}{did_you_mean(given, known)}",
        hint=f"there are {', '.join(known)}",
    )


def confirmed(question: str, *, yes: bool, needed: bool = True) -> bool:
    """Whether to go on: asked at a terminal.

    yes: whether that was said on the command line.
    needed: whether it must be said there where nobody can be asked.

    Raises:
        UsageError: nobody can be asked, and it is needed.
    """
    if yes:
        return True
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        if needed:
            raise UsageError("nobody is here to say yes", hint="--yes says so beforehand")
        return True
    sys.stdout.flush()
    answer: bool = typer.confirm(question, err=True)
    return answer
