"""The commands and how they hang together.

A command imports what it needs when it runs, here and in the modules of the commands:
`couchmend --help` and a shell's completion should not wait for databases and servers, and a
command that is named should not wait for the others.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated

import typer

import couchmend

PROGRAM = "couchmend"
COMPLETE = "_COUCHMEND_COMPLETE"
"""The variable by which a shell asks for completions."""


@dataclass(slots=True)
class Verbosity:
    """How much is said: 0 as usual, 1 more, 2 tracebacks too."""

    level: int = 0


def build(verbosity: Verbosity, wanted: str = "") -> typer.Typer:
    """The command line as one Typer application.

    wanted: the command that is going to run; the others may be left out then.
    """
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

    for name, add in _COMMANDS.items():
        if not wanted or wanted not in _COMMANDS or name == wanted:
            add(app)
    return app


def _demo(app: typer.Typer) -> None:
    from couchmend.cli.demo import demo

    app.command("demo")(demo)


def _scan(app: typer.Typer) -> None:
    from couchmend.cli.scan import scan

    app.command("scan")(scan)


def _sweep(app: typer.Typer) -> None:
    from couchmend.cli.sweep import sweep

    app.command("sweep")(sweep)


def _deciding(app: typer.Typer) -> None:
    from couchmend.cli import deciding_commands

    deciding_commands.add_to(app)


def _merge(app: typer.Typer) -> None:
    from couchmend.cli.merge import merge

    app.command("merge")(merge)


def _replicate(app: typer.Typer) -> None:
    from couchmend.cli.replicate import replicate

    app.command("replicate")(replicate)


def _policy(app: typer.Typer) -> None:
    from couchmend.cli.policy import policy_app

    app.add_typer(policy_app, name="policy")


def _config(app: typer.Typer) -> None:
    from couchmend.cli.config import config_app

    app.add_typer(config_app, name="config")


def _journal(app: typer.Typer) -> None:
    from couchmend.cli.journal import journal_app

    app.add_typer(journal_app, name="journal")


def _replica(whole: typer.Typer) -> None:
    from couchmend.cli import replica, serve
    from couchmend.cli.users import users_app

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
    whole.add_typer(app, name="replica")


_COMMANDS: Mapping[str, Callable[[typer.Typer], None]] = {
    "demo": _demo,
    "scan": _scan,
    "sweep": _sweep,
    "": _deciding,
    "merge": _merge,
    "replicate": _replicate,
    "policy": _policy,
    "replica": _replica,
    "config": _config,
    "journal": _journal,
}
"""In the order of the help; what stands under no name are several."""


def _help_when_alone(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
        raise typer.Exit(2)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"couchmend {couchmend.__version__}")
        raise typer.Exit
