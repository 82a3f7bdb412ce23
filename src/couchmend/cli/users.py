"""`couchmend replica users`: who may use a folder of databases that is served."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from couchmend.cli import output
from couchmend.cli.database import AsJson
from couchmend.errors import UsageError

if TYPE_CHECKING:
    from couchmend.replica.http_face.guards.users import Users

users_app = typer.Typer(rich_markup_mode=None)

Dir = Annotated[str, typer.Argument(metavar="DIR", help="The folder of databases.")]
Name = Annotated[str, typer.Argument(metavar="NAME", help="The user's name.")]
PasswordFile = Annotated[
    Path | None,
    typer.Option(help="Read the password from this file instead of asking for it."),
]


@users_app.callback(invoke_without_command=True)
def users_command(context: typer.Context) -> None:
    """Who may use a folder of databases that is served."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
        raise typer.Exit(2)


@users_app.command()
def add(
    dir: Dir,
    name: Name,
    admin: Annotated[bool, typer.Option("--admin", help="A server admin: may do all.")] = False,
    role: Annotated[
        list[str] | None,
        typer.Option(metavar="ROLE", help="A role, as security objects name it; repeatable."),
    ] = None,
    password_file: PasswordFile = None,
) -> None:
    """Add a user.  The password is asked for, or read from standard input."""
    from couchmend.replica.http_face.guards.access import ADMIN

    users = _users(dir)
    user = users.add(name, _password(password_file), [*(role or ()), *([ADMIN] if admin else ())])
    output.text(f"added {user.name}" + (f" ({', '.join(user.roles)})" if user.roles else ""))
    _tell_who_is_admin(users)


@users_app.command("list")
def list_users(dir: Dir, as_json: AsJson = False) -> None:
    """Print the users and their roles."""
    everybody = _users(dir).list()
    if as_json:
        for user in everybody:
            output.line({"name": user.name, "roles": list(user.roles)})
    elif everybody:
        from couchmend.cli import render

        render.table(["name", "roles"], [[user.name, ", ".join(user.roles)] for user in everybody])
    else:
        output.text("no users: whoever uses this machine is server admin")


@users_app.command()
def remove(dir: Dir, name: Name) -> None:
    """Remove a user and end the user's sessions."""
    users = _users(dir)
    users.remove(name)
    output.text(f"removed {name}")
    _tell_who_is_admin(users)


@users_app.command()
def passwd(dir: Dir, name: Name, password_file: PasswordFile = None) -> None:
    """Set another password and end the user's sessions."""
    users = _users(dir)
    users.require(name)
    users.set_password(name, _password(password_file))
    output.text(f"set the password of {name}")


def _users(dir: str) -> Users:
    from couchmend.replica.http_face.guards.users import Users

    folder = Path(dir.removeprefix("dir:"))
    if not folder.is_dir():
        raise UsageError(
            "there is no such folder",
            target=str(folder),
            hint="name the folder that `couchmend replica serve` serves, or make it first",
        )
    return Users(folder)


def _password(file: Path | None) -> str:
    """The password: from a file, from standard input, or from whoever sits at the terminal."""
    if file is None and sys.stdin.isatty():
        typed: str = typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
        return typed
    try:
        text = (file.read_bytes() if file else sys.stdin.buffer.read()).decode()
    except (OSError, UnicodeDecodeError) as problem:
        raise UsageError(
            f"the password cannot be read: {problem}", hint="give it as UTF-8 on one line"
        ) from problem
    password = text.removesuffix("\n").removesuffix("\r")
    if "\n" in password:
        raise UsageError("the password has several lines", hint="give it as UTF-8 on one line")
    return password


def _tell_who_is_admin(users: Users) -> None:
    """Say it when users and admins have run out."""
    from couchmend.replica.http_face.guards.access import ADMIN

    everybody = users.list()
    if not everybody:
        output.complain("no users are left: whoever uses this machine is server admin")
    elif not any(ADMIN in user.roles for user in everybody):
        output.complain(
            "there is no server admin: nobody can create databases (add one with --admin)"
        )
