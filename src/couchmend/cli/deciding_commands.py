"""The commands for people around the queue, as one."""

from __future__ import annotations

import typer

from couchmend.cli import doctor, history, pause, stats
from couchmend.cli.archive import archive_app
from couchmend.cli.conflicts import conflicts_app


def add_to(app: typer.Typer) -> None:
    """Add them to the command line."""
    app.add_typer(conflicts_app, name="conflicts")
    app.command("history")(history.history)
    app.command("undo")(history.undo)
    app.command("pause")(pause.pause)
    app.command("resume")(pause.resume)
    app.command("doctor")(doctor.doctor)
    app.command("stats")(stats.stats)
    app.add_typer(archive_app, name="archive")
