"""`couchmend demo`: the whole of it on this machine, in a few seconds."""

from __future__ import annotations

import signal
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import FrameType

    from couchmend.cli.demonstration.stage import Stage
    from couchmend.engine.finding.scan import Scanned


def demo(
    once: Annotated[
        bool, typer.Option("--once", help="End when all is shown; the server with it.")
    ] = False,
    port: Annotated[
        int | None,
        typer.Option(
            min=0, max=65535, help="The server's port: 5985, or a free one where that is taken."
        ),
    ] = None,
    folder: Annotated[
        Path,
        typer.Option("--dir", metavar="DIR", help="Where it plays; what a former one left goes."),
    ] = Path("demo"),
) -> None:
    """See it work: three devices edit offline, and conflicts arise.

    It starts a server and three devices, makes conflicts of every kind, sweeps them, and tells
    what was resolved and why, and what waits.  Then the server stays for other commands and for
    PouchDB until Ctrl-C.
    """
    from couchmend.cli.demonstration.stage import leave, set_up

    with set_up(folder, 0 if once and port is None else port) as stage:
        _play(stage, stays=not once)
        if not once:
            _until_told()
    leave(folder)


def _play(stage: Stage, *, stays: bool) -> None:
    from couchmend.cli import render
    from couchmend.cli.demonstration import acts
    from couchmend.cli.demonstration.telling import Teller
    from couchmend.configuration import load_all
    from couchmend.engine.engine import Engine
    from couchmend.engine.hooks import Hooks

    now = datetime.now(UTC)
    known = load_all(config=stage.configuration, environment={})
    teller = Teller(render.console())
    with Engine(known.settings, policies=known.policies, hooks=Hooks()) as engine:
        teller.begins(stage.url, list(stage.devices), acts.begin(stage, now))
        done = acts.edit(stage, now)
        teller.authors.update({rev: f"{one.device}: {one.said}" for one, rev in done})
        teller.edits([one for one, _ in done])
        teller.exchanged(acts.exchange(stage))
        found = acts.scan(stage, engine)
        teller.found(found, _most_leaves(found.each))
        swept = acts.sweep(engine, found)
        teller.swept(swept)
        teller.afterwards(acts.afterwards(stage, engine))
    teller.goes_on(
        stage.configuration,
        [one.id for one in swept.waiting],
        [one.id for one in swept.resolved],
    )
    if stays:
        teller.stays(stage.url)


def _most_leaves(each: Sequence[Scanned]) -> Scanned:
    """The conflict between most versions, rather one with a deletion among them."""

    def rank(one: Scanned) -> tuple[int, int]:
        leaves = one.doc.tree.leaves()
        return len(leaves), sum(leaf.deleted for leaf in leaves)

    return max(each, key=rank)


def _until_told() -> None:
    """Wait for Ctrl-C or SIGTERM."""
    told = threading.Event()

    def end(number: int, frame: FrameType | None) -> None:
        told.set()

    before = {one: signal.signal(one, end) for one in (signal.SIGINT, signal.SIGTERM)}
    try:
        while not told.wait(1):
            pass
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
