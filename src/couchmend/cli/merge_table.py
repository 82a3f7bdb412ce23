"""A merge for people: what became of each path on which the versions differ."""

from __future__ import annotations

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from couchmend.cli.output import plain
from couchmend.core.merging.decisions import Decision
from couchmend.core.merging.merge import Merge
from couchmend.core.merging.telling import short
from couchmend.core.paths import readable
from couchmend.core.values import ABSENT, Value

STYLES = {
    "conflict": "bold red",
    "combined": "cyan",
    "current": "green",
    "other": "blue",
    "same": "dim",
}
"""The colour of each kind of decision."""


def show(merge: Merge, *, everything: bool, name: str) -> None:
    """Say on stderr what was decided, or only what is left to decide.

    everything: also what is decided, for a person at a terminal.
    """
    console = Console(stderr=True, highlight=False)
    if everything and console.is_terminal and merge.decisions:
        console.print(merge_table(merge))
    elif merge.unresolved:
        for decision in merge.unresolved:
            console.print(Text(f"{plain(name)}: {_told(decision)}"), soft_wrap=True)


def merge_table(merge: Merge) -> Table:
    """The decisions as a table, the winner's values first."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("path", overflow="fold")
    table.add_column("base", overflow="fold")
    for version in merge.versions:
        table.add_column(Text(version.label), overflow="fold")
    table.add_column("result", overflow="fold")
    table.add_column("why", overflow="fold")
    for decision in merge.decisions:
        style = STYLES[decision.kind]
        result = Text("to decide" if decision.unresolved else _cell(decision.taken), style)
        values = [Text(_cell(decision.versions.get(one.name, ABSENT))) for one in merge.versions]
        path = Text(_path(decision), style)
        table.add_row(path, Text(_cell(decision.base)), *values, result, Text(decision.reason))
    return table


def _cell(value: Value) -> str:
    return plain(short(value))


def _path(decision: Decision) -> str:
    order = " (order)" if decision.aspect == "order" else ""
    return plain(readable(decision.path)) + order


def _told(decision: Decision) -> str:
    values = " or ".join(_cell(decision.versions[name]) for name in decision.competing)
    return f"{_path(decision)}: {plain(decision.reason)}: {values}"
