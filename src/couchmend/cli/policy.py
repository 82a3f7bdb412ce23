"""`couchmend policy`: validate policies, try them on real conflicts, propose one."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, get_args

import typer

from couchmend.cli import output
from couchmend.cli.database import AsJson, Config, Database
from couchmend.errors import CouchmendError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from couchmend.cli.policy_told import Told
    from couchmend.core.document import JSON
    from couchmend.engine.studying.trying import Chooser
    from couchmend.policies import Policies
    from couchmend.settings import Settings

policy_app = typer.Typer(
    rich_markup_mode=None,
    no_args_is_help=True,
    help="Policies: which rules hold for which documents.",
)

File = Annotated[
    Path, typer.Argument(metavar="FILE", help="A configuration file with [policies.NAME].")
]


@policy_app.command()
def check(file: File, as_json: AsJson = False) -> None:
    """Validate the policies of a file: all mistakes, and where."""
    from couchmend import policies
    from couchmend.core.policy.data import PolicyError

    try:
        found = policies.load(file)
    except PolicyError as problem:
        if as_json:
            told = [{"key": [*wrong.key], "message": wrong.message} for wrong in problem.problems]
            output.line({"ok": False, "problems": told})
        else:
            for mistake in problem.mistakes:
                output.complain(mistake)
        raise typer.Exit(2) from None
    if as_json:
        each = [{"name": one.name, "digest": one.digest, **one.to_data()} for one in found]
        output.line({"ok": True, "policies": each})
    elif not len(found):
        output.text(f"{file} has no policy: what is usual holds for every document")
    else:
        for one in found:
            output.text(f"{one.name}: {_for_which(one.match, one.ids, one.name)}")


def _for_which(match: Mapping[str, JSON] | None, ids: tuple[str, ...], name: str) -> str:
    from couchmend.core.document import dumps

    said = [] if match is None else [f"documents that match {dumps(dict(match)).decode()}"]
    said += [f"ids like {', '.join(ids)}"] if ids else []
    if said:
        return " with ".join(said)
    return "all other documents" if name == "default" else "databases that name it"


@policy_app.command()
def suggest(
    database: Database,
    into: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Write it there and not to stdout."),
    ] = None,
    documents: Annotated[
        int,
        typer.Option("--sample", metavar="N", min=1, max=200_000, help="Read N documents at most."),
    ] = 10_000,
    mode: Annotated[
        str | None,
        typer.Option(
            metavar="MODE",
            help="Name the database in it, too: observe (find and explain), suggest (people"
            " decide) or auto (resolve what may be).",
        ),
    ] = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Propose policies from what a database contains.

    Reads a sample of the documents and the conflicts that there are, and writes nothing to the
    database.  Each line says what it rests on; what is not certain is commented out.
    """
    from couchmend.cli.database import known_servers, open_database
    from couchmend.core.conflicts.eligibility import Mode
    from couchmend.engine.studying.as_json import as_json as told
    from couchmend.engine.studying.as_toml import as_toml
    from couchmend.engine.studying.study import study
    from couchmend.engine.studying.suggesting import suggest as suggested
    from couchmend.engine.studying.suggestion import times

    if mode is not None and mode not in get_args(Mode):
        raise UsageError(
            f"there is no mode {mode!r}", hint=f"there are {', '.join(get_args(Mode))}"
        )
    if into is not None and into.exists():
        raise UsageError("there is a file already", target=str(into), hint="name another one")
    now = time.time_ns() // 1000
    with open_database(database, servers=known_servers(config)) as replica, _progress() as show:
        made = study(
            replica, now, documents=documents, on_progress=lambda _, done, total: show(done, total)
        )
    policies = suggested(made)
    text = as_toml(made, policies, mode)
    if into is not None:
        into.write_text(text, encoding="utf-8")
    if as_json:
        output.line(told(made, policies))
    elif into is None:
        output.raw(text)
    else:
        lines = [one for policy in policies for one in policy.suggestions]
        certain = sum(one.certain for one in lines)
        output.text(
            f"{into}: {times(len(policies), 'policy')} from {made.read:,} documents and "
            f"{made.in_conflict:,} conflicts; {certain} lines hold, {len(lines) - certain} are "
            "commented out, each with the reason"
        )


@contextmanager
def _progress() -> Iterator[Callable[[int, int | None], None]]:
    from couchmend.cli import render

    with render.gauge("reading") as show:
        yield show


@policy_app.command("test")
def try_out(
    databases: Annotated[
        list[str] | None,
        typer.Argument(metavar="[DB…]", help="As for `couchmend scan`."),
    ] = None,
    policy: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="The policies to try; those of the configuration without it."
        ),
    ] = None,
    against: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="What to compare with: by default the configuration, or what is usual.",
        ),
    ] = None,
    pending: Annotated[
        bool, typer.Option("--pending", help="Try them on the conflicts that the journal has.")
    ] = False,
    every: Annotated[
        bool, typer.Option("--list", help="Tell of every conflict that changes.")
    ] = False,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Try policies on real conflicts, beside the present ones.

    It tells what would be resolved if the mode were auto.  Nothing is written anywhere.
    """
    from couchmend import policies as files
    from couchmend import settings
    from couchmend.cli.policy_told import Told
    from couchmend.engine.studying.trying import Chooser

    if bool(databases) == pending:
        raise UsageError(
            "which conflicts?" if not pending else "names and --pending exclude each other",
            hint="name databases, or say --pending for those in the journal",
        )
    known = settings.load(config=config)
    usual = files.Policies()
    configured = usual if known.file is None else files.load(known.file)
    if policy is None and known.file is None:
        raise UsageError("there is no policy to try", hint="name a file of them with --policy")
    wanted = configured if policy is None else files.load(policy)
    present = configured if policy is not None else usual
    if against is not None:
        present = files.load(against)
    told = Told(
        new=str(policy or known.file),
        present=str(against or (known.file if policy is not None else None) or "the usual rules"),
    )
    if pending:
        _try_pending(known, present, wanted, told)
    else:
        _try(databases or [], known, Chooser(present), Chooser(wanted), told)
    told.tell(as_json=as_json, every=every)
    if told.failures:
        raise typer.Exit(3)


def _try(urls: list[str], known: Settings, before: Chooser, after: Chooser, told: Told) -> None:
    from couchmend.engine.finding.targets import Address, Watched
    from couchmend.engine.studying.trying import tried
    from couchmend.replica.couch.connection.servers import Servers

    now = time.time_ns() // 1000
    with Watched([Address(url) for url in urls], Servers(known.servers)) as watched:
        for place, problem in watched.refresh().unreachable:
            told.failed(place, problem)
        for target in watched.targets:
            told.begin(target.database)
            try:
                with _progress() as show:
                    for one in tried(
                        watched.open(target), target.database, before, after, now,
                        on_progress=show,
                    ):  # fmt: skip
                        told.add(one)
            except CouchmendError as problem:
                told.failed(target.database, problem)


def _try_pending(known: Settings, present: Policies, wanted: Policies, told: Told) -> None:
    """On the open conflicts of the journal, read again from their databases."""
    from couchmend.engine.finding.databases import Known
    from couchmend.engine.studying.trying import Chooser, pending
    from couchmend.journal.opening import open_journal
    from couchmend.replica.couch.connection.servers import Servers

    now = time.time_ns() // 1000
    journal = open_journal(known.journal.address(), create=False)
    places = Known(known.databases, Servers(known.servers))
    try:
        for name, found in pending(journal):
            told.begin(name)
            try:
                target = places.target(name)
                # A file that is tried has policies of other names than the database asks for.
                names = target.policies
                before = Chooser(present, _there(present, names))
                after = Chooser(wanted, _there(wanted, names))
                for one in found(places.open(target), before, after, now):
                    told.add(one)
            except CouchmendError as problem:
                told.failed(name, problem)
    finally:
        places.close()
        journal.close()


def _there(policies: Policies, names: tuple[str, ...] | None) -> tuple[str, ...] | None:
    """The names that a database asks for, where a file has them all."""
    there = {one.name for one in policies} | {"default"}
    return names if names is not None and there.issuperset(names) else None
