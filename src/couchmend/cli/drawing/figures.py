"""Figures about what happened, with bars that compare them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from couchmend.cli.drawing.conflict import TYPES
from couchmend.cli.drawing.marked import FAINT
from couchmend.cli.drawing.queue import counted
from couchmend.cli.drawing.safe import name
from couchmend.cli.drawing.times import ago, length, moment

if TYPE_CHECKING:
    from couchmend.engine.statistics import Percentiles, Statistics

_BAR: Final = 24
_EIGHTHS: Final = " ▏▎▍▌▋▊▉█"


def show(found: Statistics, where: Console) -> None:
    """All figures."""
    span = f"{moment(found.since)} to {moment(found.until)}"
    where.print(Text.assemble(("Conflicts", "bold"), (f"  {span}", FAINT)))
    where.print()
    _show_summary(found, where)
    for title, counts, names in (
        ("Found, by type", found.detected, TYPES),
        ("Resolved, by type", found.resolved_types, TYPES),
        ("Resolved, by strategy", found.resolved, {}),
    ):
        if counts:
            where.print()
            where.print(Text(title, "bold"))
            where.print(bars(counts, names))
    if found.detection.count or found.resolution.count:
        where.print()
        where.print(_times(found))


def _show_summary(found: Statistics, where: Console) -> None:
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column(justify="right", no_wrap=True)
    grid.add_column(overflow="fold")
    detected, resolved = sum(found.detected.values()), sum(found.resolved.values())
    grid.add_row("found", str(detected), Text(_rate(detected, found.hours), FAINT))
    grid.add_row("resolved", str(resolved), Text(_rate(resolved, found.hours), FAINT))
    if found.auto_rate is not None:
        told = Text(f"{found.by_auto} of {resolved}", FAINT)
        grid.add_row("without a person", f"{found.auto_rate:.0%}", told)
    if found.failed:
        grid.add_row("failed", Text(str(found.failed), "bold red"), "")
    if found.undone:
        grid.add_row("taken back", str(found.undone), "")
    waiting = counted(found.waiting)
    if found.oldest is not None:
        waiting.append(f"{', ' if waiting else ''}the oldest since {ago(found.oldest, found.until)}"
                       .replace(" since ", " found "))  # fmt: skip
    grid.add_row("open now", str(sum(found.waiting.values())), waiting)
    where.print(grid)


def _rate(count: int, hours: float) -> str:
    if not count:
        return ""
    rate = count / hours
    if rate >= 0.1:
        return f"{rate:.1f} an hour"
    return f"{rate * 24:.1f} a day" if rate * 24 >= 0.1 else ""


def bars(counts: Mapping[str, int], names: Mapping[str, str]) -> Table:
    """Counts with bars as long as they are large."""
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column(justify="right", no_wrap=True)
    grid.add_column(no_wrap=True)
    most = max(counts.values())
    for key, count in counts.items():
        bar = Text(_bar(count / most), "cyan")
        grid.add_row(Text(f"  {name(names.get(key, key))}"), Text(str(count)), bar)
    return grid


def _bar(part: float) -> str:
    eighths = round(part * _BAR * 8)
    whole, rest = divmod(max(eighths, 1), 8)
    return "█" * whole + (_EIGHTHS[rest] if rest else "")


def _times(found: Statistics) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, border_style=FAINT, header_style=FAINT)
    table.add_column(Text("it took", "bold"))
    for heading in ("how often", "half within", "95 % within", "99 % within", "longest"):
        table.add_column(heading, justify="right")
    _add(table, "to find one", found.detection)
    _add(table, "to resolve one", found.resolution)
    if len(found.resolution_of) > 1:
        for strategy, lengths in found.resolution_of.items():
            _add(table, f"  {name(strategy)}", lengths)
    return table


def _add(table: Table, called: str, found: Percentiles) -> None:
    if not found.count:
        table.add_row(Text(called), Text("0"), *[Text("–", FAINT)] * 4)
        return
    every = (found.p50, found.p95, found.p99, found.longest)
    table.add_row(Text(called), Text(str(found.count)), *(Text(length(one)) for one in every))
