"""`couchmend scan`: which conflicts there are; nothing is written anywhere."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from couchmend.cli import output
from couchmend.cli.database import AsJson, Config
from couchmend.errors import CouchmendError, UsageError

if TYPE_CHECKING:
    from couchmend.cli.scan_told import Told
    from couchmend.engine.finding.scan import OnProgress
    from couchmend.engine.finding.targets import Target, Watched
    from couchmend.policies import Policies


def scan(
    databases: Annotated[
        list[str],
        typer.Argument(
            metavar="DB…",
            help="http(s)://HOST/NAME, http(s)://HOST for a whole server, http(s)://HOST/team-*"
            " for those of a pattern, file:PATH, dir:PATH for a folder.",
        ),
    ],
    listed: Annotated[
        bool, typer.Option("--list", help="Tell of every conflict, a line each, as it is found.")
    ] = False,
    sample: Annotated[
        int,
        typer.Option(
            "--sample", metavar="N", min=0, help="Show N of the conflicts, field by field."
        ),
    ] = 0,
    policy: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME", help="A policy of the configuration to choose from; repeatable."
        ),
    ] = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Find and classify conflicts, those that CouchDB hides included.

    Nothing is written anywhere; an account that may only read is enough.  Exits with 1 when
    there are conflicts, and with 3 or 4 when a database could not be reached or may not be
    read; the others are scanned all the same.
    """
    from couchmend.cli.scan_told import Told, tell

    told = Told(databases, listed=listed, sample=sample, as_json=as_json)
    with _watched(databases, config) as (watched, policies):
        for name in policy or ():
            (policies or _none()).named(name)
        seen = watched.refresh()
        for place, problem in seen.unreachable:
            told.failed(place, place, problem)
        if not watched.targets and not seen.unreachable:
            told.nothing()
        for target in watched.targets:
            _scan_one(watched, target, policies, policy, told)
    tell(told)
    code = told.exit_code()
    if code:
        raise typer.Exit(code)


@contextmanager
def _watched(
    databases: list[str], config: Path | None
) -> Iterator[tuple[Watched, Policies | None]]:
    from couchmend import settings
    from couchmend.engine.finding.targets import Address, Watched

    for url in databases:
        if url == ":memory:":
            raise UsageError(
                "a database in memory is empty when the command begins",
                target=url,
                hint="name a file: file:notes.couch",
            )
    found = settings.read(config=config)
    known, rules = found.settings, None
    if found.problems or known.file is not None:
        from couchmend.configuration import load_all

        whole = load_all(config=config)
        known, rules = whole.settings, whole.policies
    with Watched([Address(url) for url in databases], known.servers) as watched:
        yield watched, rules


def _none() -> Policies:
    from couchmend.policies import Policies

    return Policies()


def _scan_one(
    watched: Watched, target: Target, policies: Policies | None, names: list[str] | None, told: Told
) -> None:
    from couchmend.engine.finding.scan import scan as scan_replica

    report = None
    try:
        replica = watched.open(target)
        with _progress(f"scanning {target.database}") as on_progress:
            found = scan_replica(
                replica,
                policies,
                names=names or target.policies,
                name=target.name,
                on_progress=on_progress,
            )
            report = found.report
            for one in found:
                told.conflict(target, one)
    except UsageError:
        raise
    except CouchmendError as problem:
        told.failed(target.database, target.url, problem)
    if report is not None and (report.rows or report.complete):
        told.scanned(target, report)


@contextmanager
def _progress(what: str) -> Iterator[OnProgress]:
    """How far it is, on a terminal only; what shows that takes a while to import."""
    import sys

    if not sys.stderr.isatty():
        yield lambda rows, total: None
        return
    from couchmend.cli import render

    with render.gauge(output.plain(what)) as show:
        yield show
