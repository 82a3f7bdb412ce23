"""The queue as a table, a line a conflict."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from couchmend.cli.drawing.conflict import SEVERITY, TYPES
from couchmend.cli.drawing.marked import FAINT
from couchmend.cli.drawing.safe import name
from couchmend.cli.drawing.times import short
from couchmend.core.conflicts.severity import SEVERITIES

if TYPE_CHECKING:
    from couchmend.journal.conflicts import Conflict

_WIDE: Final = 120
_MOST_FIELDS: Final = 3
_LONGEST_FIELD: Final = 24
_STATES: Final[Mapping[str, str]] = {
    "resolving": "cyan",
    "failed": "bold red",
    "snoozed": FAINT,
    "acknowledged": FAINT,
    "resolved": "green",
    "vanished": FAINT,
}


def queue(conflicts: Sequence[Conflict], where: Console, now: int) -> Table:
    """Conflicts in the order in which they come.

    now: in microseconds since 1970.
    """
    wide = where.width >= _WIDE
    several = len({one.database for one in conflicts}) > 1
    states = wide and any(one.state != "pending" for one in conflicts)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, border_style=FAINT, header_style=FAINT)
    table.add_column("#", justify="right", no_wrap=True)
    table.add_column("severity", no_wrap=True)
    if wide:
        table.add_column("type", no_wrap=True)
    table.add_column("document", overflow="fold", min_width=12)
    if wide:
        table.add_column("fields", overflow="fold")
    if several or wide:
        table.add_column("database", overflow="fold")
    if wide:
        table.add_column("devices", overflow="fold")
    table.add_column("age", justify="right", no_wrap=True)
    if states:
        table.add_column("state", no_wrap=True)
    table.add_column("suggestion", no_wrap=True)
    for one in conflicts:
        cells = [Text(str(one.id)), Text(one.severity, SEVERITY.get(one.severity, ""))]
        if wide:
            cells += [Text(_type(one)), Text(name(one.document, 48)), Text(_fields(one))]
        else:
            cells.append(_document(one))
        if several or wide:
            cells.append(Text(name(one.database, 40)))
        if wide:
            cells.append(Text(", ".join(name(device, 20) for device in one.devices)))
        cells.append(Text(short(now - one.first_seen)))
        if states:
            cells.append(Text(one.state, _STATES.get(one.state, "")))
        cells.append(_suggestion(one))
        table.add_row(*cells)
    return table


def _document(one: Conflict) -> Text:
    """What it is called, and beneath it what has no column where lines are short."""
    told = Text.assemble(name(one.document, 32), (f"\n{_type(one)}", FAINT))
    if one.fields:
        told.append(f": {_fields(one)}", FAINT)
    if one.state != "pending":
        told.append(f"\n{one.state}", _STATES.get(one.state, ""))
    return told


def _type(one: Conflict) -> str:
    about = TYPES.get(one.type, one.type)
    if one.hidden:
        about += ", hidden"
    if one.leaves > 2:
        about += f", {one.leaves} versions"
    return about


def _fields(one: Conflict) -> str:
    shown = [name(field, _LONGEST_FIELD) for field in one.fields[:_MOST_FIELDS]]
    more = len(one.fields) - len(shown)
    return ", ".join(shown) + (f" +{more}" if more else "")


def _suggestion(one: Conflict) -> Text:
    told = Text(one.suggested)
    if one.eligible:
        told.append(" ✓", "green")
    return told


def counted(numbers: Mapping[str, int]) -> Text:
    """How many there are, by severity, the gravest first."""
    told = Text()
    for severity in reversed(SEVERITIES):
        if numbers.get(severity):
            told.append(", " if told else "")
            told.append(f"{numbers[severity]} {severity}", SEVERITY[severity])
    return told


def by_severity(counts: Iterable[tuple[str, int]]) -> dict[str, int]:
    """Counts summed up by severity."""
    summed: dict[str, int] = {}
    for severity, number in counts:
        summed[severity] = summed.get(severity, 0) + number
    return summed
