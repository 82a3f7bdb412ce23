"""`couchmend conflicts`: the queue, one conflict of it, and why it waits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from couchmend.cli import output
from couchmend.cli.database import AsJson, Config
from couchmend.cli.filters import (
    DatabaseName,
    Device,
    Eligible,
    Field,
    Severity,
    State,
    Text,
    Type,
    wanted,
)
from couchmend.cli.opened import opened, who
from couchmend.cli.resolve import resolve
from couchmend.errors import UsageError

if TYPE_CHECKING:
    from rich.console import Console

    from couchmend.engine.deciding.views import View
    from couchmend.journal.conflicts import Conflict
    from couchmend.journal.listing import Count, Page, Wanted

conflicts_app = typer.Typer(rich_markup_mode=None)

Number = Annotated[int, typer.Argument(metavar="ID", help="The conflict's number in the queue.")]


@conflicts_app.callback(invoke_without_command=True)
def conflicts_command(context: typer.Context) -> None:
    """The queue: what waits, why, and what is to be done about it."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
        raise typer.Exit(2)


@conflicts_app.command("list")
def list_conflicts(
    database: DatabaseName = None,
    type: Type = None,
    severity: Severity = None,
    state: State = None,
    field: Field = None,
    device: Device = None,
    text: Text = None,
    eligible: Eligible = None,
    limit: Annotated[
        int, typer.Option(metavar="N", min=1, max=10_000, help="How many at a time.")
    ] = 50,
    after: Annotated[
        str | None,
        typer.Option(metavar="CURSOR", help="Go on after a page; the page says its cursor."),
    ] = None,
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """Print what waits, the gravest first, of these the oldest.

    Example: couchmend conflicts list --severity critical --field title
    """
    with opened(config) as engine:
        from couchmend.journal import listing

        with engine.journal.read() as tx:
            chosen = wanted(
                tx, database=database, type=type, severity=severity, state=state, field=field,
                device=device, text=text, eligible=eligible,
            )  # fmt: skip
            page = listing.listed(tx, chosen, limit, after)
            counts = listing.counts(tx, chosen.database, chosen.state)
        if as_json:
            for one in page.conflicts:
                output.line(_json_of(one))
            if page.cursor is not None:
                output.complain(f"there are more: --after {page.cursor}")
            return
        _show_page(page, counts, chosen, engine.clock.now())


def _json_of(one: Conflict) -> dict[str, object]:
    from couchmend.cli import as_json

    return as_json.conflict(one)


def _show_page(page: Page, counts: list[Count], chosen: Wanted, now: int) -> None:
    from rich.text import Text as Words

    from couchmend.cli import render
    from couchmend.cli.drawing import queue

    summed = queue.by_severity((one.severity, one.number) for one in counts)
    total = sum(summed.values())
    with render.page() as where:
        if page.conflicts:
            where.print(queue.queue(page.conflicts, where, now))
        kind = "open" if chosen.state is None else chosen.state
        if not total:
            where.print(Words(f"No conflict is {kind}." if kind != "any" else "No conflicts."))
            return
        if not page.conflicts:
            where.print(Words("None of them is as you ask.", "yellow"))
        told = Words(f"{total} {'in all' if kind == 'any' else kind}: ")
        where.print(told + queue.counted(summed))
        if page.cursor is not None:
            where.print(Words(f"The next page: --after {page.cursor}", "bright_black"))
        elif page.conflicts:
            example = page.conflicts[0].id
            where.print(Words(f"One of them: couchmend conflicts show {example}", "bright_black"))


@conflicts_app.command()
def show(
    id: Number,
    everything: Annotated[
        bool,
        typer.Option("--all", help="Also what combines without loss, and the whole result."),
    ] = False,
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """Draw one conflict: tree, versions, and what would be done.

    Example: couchmend conflicts show 12 --all
    """
    with opened(config) as engine:
        view = engine.view(id)
        if as_json:
            from couchmend.cli import as_json as telling

            output.line(telling.view(view))
            return
        from couchmend.cli import render
        from couchmend.cli.picturing import commands, picture_of, sizes_of

        if view.assessment is None:
            _say_it_is_over(view)
            return
        plan = view.assessment.plan
        sizes = sizes_of(engine, view.doc)
        with render.page() as where:
            from couchmend.cli.drawing import conflict

            now = engine.clock.now()
            conflict.show(picture_of(view, plan, now, sizes=sizes, everything=everything), where)
            commands(view, plan, where)


def _say_it_is_over(view: View) -> None:
    output.text(
        f"{view.doc.id} is not in conflict any more: conflict {view.conflict.id} is "
        f"{view.conflict.state}"
    )


@conflicts_app.command()
def explain(id: Number, as_json: AsJson = False, config: Config = None) -> None:
    """Say why a conflict waits for a person, and what would help.

    Example: couchmend conflicts explain 12
    """
    with opened(config) as engine:
        view = engine.view(id)
        assessment = view.assessment
        if as_json:
            from couchmend.cli import as_json as telling

            told = telling.view(view)
            keys = ("conflict", "in_conflict", "eligible", "strategy", "suggested", "checks")
            output.line({key: told[key] for key in keys if key in told})
            return
        if assessment is None:
            _say_it_is_over(view)
            return
        from couchmend.cli import render

        with render.page() as where:
            _explain(view, where, engine.clock.now())


def _explain(view: View, where: Console, now: int) -> None:
    from rich.text import Text as Words

    from couchmend.cli.drawing import checks, conflict
    from couchmend.cli.picturing import picture_of

    found = view.assessment
    assert found is not None
    where.print(conflict.heading(picture_of(view, found.plan, now), where.width))
    where.print()
    if not found.kind.path:
        where.print(Words(f"{found.kind.sentence[:1].upper()}{found.kind.sentence[1:]}."))
    where.print(checks.explained(found.checks, number=view.conflict.id))
    where.print()
    told = f"By itself: {found.strategy}.  For a person: {found.suggested}."
    where.print(Words(told, "bright_black"))


@conflicts_app.command()
def skip(id: Number, as_json: AsJson = False, config: Config = None) -> None:
    """Leave a conflict as it is, until the document changes.

    Example: couchmend conflicts skip 12
    """
    with opened(config) as engine:
        _tell(engine.skip(id, by=who()), "stays as it is until the document changes", as_json)


@conflicts_app.command()
def snooze(
    id: Number,
    until: Annotated[
        str | None,
        typer.Option("--for", "--until", metavar="TIME", help="How long (2h, 7d), or until when."),
    ] = None,
    wake: Annotated[bool, typer.Option("--wake", help="End it now.")] = False,
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """Put a conflict aside for a while.

    Example: couchmend conflicts snooze 12 --for 2d
    """
    from couchmend.cli import moments

    if wake == (until is not None):
        raise UsageError(
            "say for how long, or --wake", hint="couchmend conflicts snooze 12 --for 2d"
        )
    with opened(config) as engine:
        at = None if until is None else moments.coming(until, engine.clock.now())
        found = engine.snooze(id, at, by=who())
        if at is None:
            _tell(found, "is awake", as_json)
        else:
            from couchmend.cli.drawing.times import moment

            _tell(found, f"sleeps until {moment(at)}", as_json)


@conflicts_app.command()
def exclude(
    id: Number,
    include: Annotated[
        bool, typer.Option("--include", help="Allow it again: the opposite.")
    ] = False,
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """Keep a conflict from being resolved without a person.

    Example: couchmend conflicts exclude 12
    """
    with opened(config) as engine:
        found = engine.exclude(id, not include, by=who())
        said = "may be resolved without a person" if include else "waits for a person"
        _tell(found, said, as_json)


def _tell(found: Conflict, said: str, as_json: bool) -> None:
    if as_json:
        output.line(_json_of(found))
    else:
        output.text(f"conflict {found.id}, {found.document}, {said}")


conflicts_app.command()(resolve)
