"""`couchmend pause` and `couchmend resume`: stop writing now; everything else goes on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from couchmend.cli import output
from couchmend.cli.database import AsJson, Config
from couchmend.cli.opened import opened, who
from couchmend.errors import UsageError

Names = Annotated[
    list[str] | None,
    typer.Argument(metavar="DB…", help="Databases, as configured or by address."),
]


def pause(
    databases: Names = None,
    everything: Annotated[bool, typer.Option("--all", help="All databases.")] = False,
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """Stop resolving; conflicts are still found and explained.

    It holds for every process with this journal, before its next write, until `resume`.

    Example: couchmend pause notes
    """
    _do(databases, everything, config, stop=True, as_json=as_json)


def resume(
    databases: Names = None,
    everything: Annotated[
        bool, typer.Option("--all", help="All databases that are paused.")
    ] = False,
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """Go on with resolving.

    Example: couchmend resume --all
    """
    _do(databases, everything, config, stop=False, as_json=as_json)


def _do(
    databases: list[str] | None, everything: bool, config: Path | None, *, stop: bool, as_json: bool
) -> None:
    names = list(dict.fromkeys(databases or []))
    if bool(names) == everything:
        raise UsageError(
            "which databases?" if not names else "names and --all exclude each other",
            hint="name them, or say --all",
        )
    with opened(config, create=stop) as engine:
        from couchmend.journal.databases import EVERYWHERE, pauses

        change = engine.pause if stop else engine.resume
        with engine.journal.read() as tx:
            before = pauses(tx)
        if everything and not stop:
            names = [one.name for one in before]
        for name in names or ([EVERYWHERE] if stop else []):
            change(None if name == EVERYWHERE else name, by=who())
        with engine.journal.read() as tx:
            now = pauses(tx)
        if as_json:
            from couchmend.cli.moments import iso

            for one in now:
                output.line({"database": one.name, "by": one.by, "at": iso(one.at)})
            return
        left = {one.name for one in now}
        ended = [one.name for one in before if one.name not in left]
        for name in ended:
            where = "all databases" if name == EVERYWHERE else name
            output.text(f"resolving goes on in {where}")
        for one in now:
            which = "all databases are" if one.name == EVERYWHERE else f"{one.name} is"
            output.text(f"{which} paused, by {one.by}")
        if not now and not ended:
            output.text("nothing is paused")
