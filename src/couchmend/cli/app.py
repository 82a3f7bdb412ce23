"""The commands and how they hang together.

A command imports what it needs when it runs, here and in the modules of the commands:
`couchmend --help` and a shell's completion should not wait for databases and servers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import typer

import couchmend
from couchmend.cli import deciding_commands, demo, merge, replica, replicate, scan, serve, sweep
from couchmend.cli.config import config_app
from couchmend.cli.journal import journal_app
from couchmend.cli.policy import policy_app
from couchmend.cli.users import users_app

PROGRAM = "couchmend"
COMPLETE = "_COUCHMEND_COMPLETE"
"""The variable by which a shell asks for completions."""


@dataclass(slots=True)
class Verbosity:
    """How much is said: 0 as usual, 1 more, 2 tracebacks too."""

    level: int = 0


def build(verbosity: Verbosity) -> typer.Typer:
    """The whole command line as one Typer application."""
    # Rich makes the help prettier and its import doubles the time that help takes.
    app = typer.Typer(
        name=PROGRAM,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        invoke_without_command=True,
        context_settings={"help_option_names": ["-h", "--help"]},
    )

    @app.callback()
    def couchmend_command(
        context: typer.Context,
        verbose: Annotated[
            int,
            typer.Option("-v", "--verbose", count=True, help="Say more; twice: tracebacks too."),
        ] = 0,
        version: Annotated[
            bool,
            typer.Option("--version", is_eager=True, callback=_version, help="Say which this is."),
        ] = False,
    ) -> None:
        """Databases that replicate, and the conflicts that replication makes."""
        verbosity.level = verbose
        _help_when_alone(context)

    app.command("demo")(demo.demo)
    app.command("scan")(scan.scan)
    app.command("sweep")(sweep.sweep)
    deciding_commands.add_to(app)
    app.command("merge")(merge.merge)
    app.command("replicate")(replicate.replicate)
    app.add_typer(policy_app, name="policy")
    app.add_typer(_replica(), name="replica")
    app.add_typer(config_app, name="config")
    app.add_typer(journal_app, name="journal")
    return app


def _replica() -> typer.Typer:
    app = typer.Typer(
        rich_markup_mode=None,
        invoke_without_command=True,
        callback=_help_when_alone,
        help="One database: look, write, follow, serve.",
    )
    for command in (
        serve.serve,
        replica.info,
        replica.put,
        replica.get,
        replica.changes,
        replica.compact,
        replica.check,
    ):
        app.command()(command)
    app.add_typer(users_app, name="users")
    return app


def _help_when_alone(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
        raise typer.Exit(2)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"couchmend {couchmend.__version__}")
        raise typer.Exit
