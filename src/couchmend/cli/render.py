"""What people see: tables, trees, and how far something is.

Colours are left out where `NO_COLOR` is set or the output is no terminal, and a progress bar
appears on a terminal only, after a second.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from rich import box
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from couchmend.cli import tree
from couchmend.cli.output import plain, raw
from couchmend.core.revtree import Rev, RevTree
from couchmend.replica.base import DatabaseInfo

PROGRESS_AFTER_SECONDS = 1.0


def console() -> Console:
    """Where people read.  Without a terminal nothing is coloured, and lines have 100 characters
    or as many as `COLUMNS` says."""
    where = Console(highlight=False, markup=False, emoji=False, soft_wrap=False)
    if not where.is_terminal and not os.environ.get("COLUMNS", "").isdecimal():
        where.width = 100
    return where


@contextmanager
def page() -> Iterator[Console]:
    """Where a picture is drawn; to a file or a pipe it goes without the spaces at the ends of
    lines."""
    where = console()
    if where.is_terminal:
        yield where
        return
    with where.capture() as drawn:
        yield where
    raw("".join(f"{line.rstrip()}\n" for line in drawn.get().splitlines()))


def facts(pairs: Mapping[str, str], *, to: Console | None = None) -> None:
    """Names and values, one a line."""
    table = Table.grid(padding=(0, 2))
    for name, value in pairs.items():
        table.add_row(Text(name, "bold"), Text(value, overflow="fold"))
    (to or console()).print(table)


def database(url: str, told: DatabaseInfo) -> None:
    """What is known of one database."""
    facts(
        {
            "name": told.name,
            "address": url,
            "documents": str(told.documents),
            "deleted": str(told.deleted_documents),
            "sequence": told.update_seq,
            "file": size(told.sizes.file),
            "in use": size(told.sizes.active),
            "documents as JSON": size(told.sizes.external),
        }
    )


def databases(known: Sequence[DatabaseInfo]) -> None:
    """The most important of several."""
    table(
        ["database", "documents", "deleted", "file"],
        [
            [told.name, str(told.documents), str(told.deleted_documents), size(told.sizes.file)]
            for told in known
        ],
        numbers=3,
    )


def table(columns: Sequence[str], rows: Sequence[Sequence[str]], *, numbers: int = 0) -> None:
    """Rows under a heading; the last `numbers` columns are aligned to the right."""
    grid = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for place, name in enumerate(columns):
        right = place >= len(columns) - numbers
        grid.add_column(name, justify="right" if right else "left", overflow="fold")
    for row in rows:
        grid.add_row(*(Text(plain(cell)) for cell in row))
    console().print(grid)


def history(
    tree_of: RevTree, *, notes: Mapping[Rev, str] | None = None, to: Console | None = None
) -> None:
    """A document's revision tree."""
    where = to or console()
    for drawn in tree.draw(tree_of, width=where.width, notes=notes):
        where.print(drawn, no_wrap=True, crop=False, overflow="ignore")


def size(count: int) -> str:
    """Bytes for people: 1.4 MB."""
    amount = float(count)
    for unit in ("bytes", "kB", "MB", "GB"):
        if amount < 1000:
            return f"{count} {unit}" if unit == "bytes" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} TB"


@contextmanager
def progress(what: str, total: int | None = None) -> Iterator[Callable[[int], None]]:
    """Shows how far something is, where a person waits for it longer than a second.

    Yields a function to be called with how much was done since the last call.
    """
    done = 0

    def advance(amount: int) -> None:
        nonlocal done
        done += amount
        show(done, total)

    with gauge(what) as show:
        show(0, total)
        yield advance


@contextmanager
def gauge(what: str) -> Iterator[Callable[[int, int | None], None]]:
    """As `progress`, for a total that is learnt on the way.

    Yields a function to be called with how much is done and how much there is in all.
    """
    if not sys.stderr.isatty():
        yield lambda done, total: None
        return
    bar = Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    task = bar.add_task(what, total=None)
    start = threading.Timer(PROGRESS_AFTER_SECONDS, bar.start)
    start.daemon = True
    start.start()
    try:
        yield lambda done, total: bar.update(task, completed=done, total=total)
    finally:
        start.cancel()
        start.join()
        bar.stop()
