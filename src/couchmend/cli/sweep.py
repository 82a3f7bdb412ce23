"""`couchmend sweep`: one pass over databases, as their modes say."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from couchmend.cli import output
from couchmend.cli.database import AsJson, Config
from couchmend.cli.exit_codes import exit_code
from couchmend.errors import UsageError

if TYPE_CHECKING:
    from types import FrameType

    from couchmend.engine.sweeping.report import Progress, Swept

NEEDS_ATTENTION = 1


def sweep(
    databases: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[DB…]",
            help="Databases by the names of the configuration, or addresses as for `scan`; all"
            " that are configured when left out.",
        ),
    ] = None,
    full: Annotated[
        bool,
        typer.Option("--full", help="From the first change on, also what was settled before."),
    ] = False,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Tell what would be done; nothing is written anywhere."),
    ] = False,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Find what is new, keep all versions, and resolve what may be.

    Each database has a mode: `observe` finds and explains, and writes to the journal only;
    `suggest` lets people decide; `auto` also resolves what is eligible.  An address that is not
    configured is observed.

    Exits with 1 when conflicts wait, with 3 or 4 when a database could not be reached, refused,
    or is worked on by another process; the others are swept all the same.
    """
    from couchmend.cli.logged import logged
    from couchmend.cli.sweep_told import as_doc, told
    from couchmend.configuration import load_all
    from couchmend.engine.engine import Engine
    from couchmend.engine.hooks import installed

    known = load_all(config=config)
    if not databases and not known.settings.databases:
        raise UsageError(
            "no database is named, and none is configured",
            hint="name one: couchmend sweep http://HOST/NAME; or write [[databases]] into"
            " couchmend.toml (`couchmend config init` begins one)",
        )
    hooks = installed().and_then(known.hooks)
    stop = threading.Event()
    with (
        Engine(known.settings, policies=known.policies, hooks=hooks) as engine,
        logged(engine.events, known.settings.logs),
        _ended_by_sigterm(),
        _progress(dry_run=dry_run) as on_progress,
    ):
        swept = engine.sweep(
            databases or None, full=full, dry_run=dry_run, stop=stop, on_progress=on_progress
        )
    for one in swept.each:
        if one.error is not None:
            one.error.target = one.error.target or one.database
            output.complain(str(one.error))
    if as_json:
        output.line(as_doc(swept, dry_run=dry_run))
    else:
        output.raw(told(swept, dry_run=dry_run))
    code = _code(swept)
    if code:
        raise typer.Exit(code)


def _code(swept: Swept) -> int:
    if swept.errors:
        return max(exit_code(problem) for problem in swept.errors)
    return NEEDS_ATTENTION if swept.waiting else 0


@contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """SIGTERM ends it as Ctrl-C does."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def _progress(*, dry_run: bool) -> Iterator[Callable[[Progress], None]]:
    """How far it is, on a terminal only."""
    if not sys.stderr.isatty():
        yield lambda progress: None
        return
    from couchmend.cli import render

    lock = threading.Lock()
    known: dict[str, Progress] = {}
    with render.gauge("looking" if dry_run else "sweeping") as show:

        def on_progress(progress: Progress) -> None:
            with lock:
                known[progress.database] = progress
                done = sum(one.rows for one in known.values())
                left = [one.pending for one in known.values()]
                ahead = None if None in left else sum(one or 0 for one in left)
            show(done, None if ahead is None else done + ahead)

        yield on_progress
