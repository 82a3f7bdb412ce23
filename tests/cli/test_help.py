"""What `--help` says: a person reads it on 80 columns."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import typer

from couchmend.cli.app import Verbosity, build


def _groups() -> Iterator[tuple[str, ...]]:
    """The command line and each of its groups, as they are typed."""

    def beneath(command: object, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
        commands = getattr(command, "commands", None)
        if commands is not None:
            yield path
            for name, each in commands.items():
                yield from beneath(each, (*path, name))

    return beneath(typer.main.get_command(build(Verbosity())), ())


GROUPS = list(_groups())


def test_there_are_groups() -> None:
    assert {(), ("conflicts",), ("replica", "users")} <= set(GROUPS)


@pytest.mark.parametrize("path", GROUPS, ids=" ".join)
def test_what_a_command_does_is_not_cut_off(path: tuple[str, ...]) -> None:
    command = typer.main.get_command(build(Verbosity()))
    context = command.make_context("couchmend", [], resilient_parsing=True)
    for name in path:
        command = command.commands[name]  # type: ignore[attr-defined]
        context = command.make_context(name, [], parent=context, resilient_parsing=True)
    _, _, listed = command.get_help(context).partition("Commands:")
    assert listed.strip()
    assert [line for line in listed.splitlines() if line.endswith("...")] == []
