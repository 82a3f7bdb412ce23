"""`couchmend stats`: how much is found and resolved, how fast, and how much without a person."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Annotated

import typer

from couchmend.cli import output
from couchmend.cli.database import AsJson, Config
from couchmend.cli.filters import DatabaseName
from couchmend.cli.opened import known_database, opened

if TYPE_CHECKING:
    from couchmend.core.document import Doc
    from couchmend.engine.statistics import Statistics


def stats(
    since: Annotated[
        str, typer.Option(metavar="TIME", help="From when on: 24h ago, 7d, 2026-11-24.")
    ] = "24h",
    database: DatabaseName = None,
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """Print how much was found, was resolved, and waits; how fast.

    Example: couchmend stats --since 7d --database notes
    """
    from couchmend.cli import moments

    with opened(config) as engine:
        from couchmend.engine.statistics import statistics

        now = engine.clock.now()
        first = moments.instant(since, now)
        with engine.journal.read() as tx:
            name = None if database is None else known_database(tx, database).name
            found = statistics(tx, first, now, name)
        if as_json:
            output.line(_as_json(found))
            return
        from couchmend.cli import render
        from couchmend.cli.drawing import figures

        with render.page() as where:
            figures.show(found, where)


def _as_json(found: Statistics) -> Doc:
    from couchmend.cli.moments import iso

    told = dataclasses.asdict(found)
    for key in ("since", "until", "oldest"):
        told[key] = iso(told[key])
    return {**told, "auto_rate": found.auto_rate}
