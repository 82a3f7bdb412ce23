"""`couchmend history` and `couchmend undo`: what was done about conflicts, and taking it back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Final

import typer

from couchmend.cli import output
from couchmend.cli.database import AsJson, Config
from couchmend.cli.filters import DatabaseName
from couchmend.cli.opened import (
    DryRun,
    Yes,
    confirmed,
    known_database,
    opened,
    who,
)
from couchmend.errors import CouchmendError, EngineRefused, UsageError

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from couchmend.core.plans.undo import How
    from couchmend.engine.deciding.undo import Undone
    from couchmend.engine.engine import Engine
    from couchmend.journal.resolutions import Resolution

_PAGE: Final = 500
_SHOWN: Final = 10

Since = Annotated[
    str | None,
    typer.Option(metavar="TIME", help="Begun since: 2h ago, or at 2026-11-24T14:30."),
]
Until = Annotated[str | None, typer.Option(metavar="TIME", help="Begun before.")]
By = Annotated[
    str | None,
    typer.Option(metavar="WHO", help="By auto (without a person), or a user like cli:ann."),
]


def history(
    database: DatabaseName = None,
    document: Annotated[str | None, typer.Option(metavar="DOC", help="Of this document.")] = None,
    conflict: Annotated[
        int | None, typer.Option(metavar="ID", help="Of the conflict of this number.")
    ] = None,
    by: By = None,
    since: Since = None,
    until: Until = None,
    limit: Annotated[
        int, typer.Option(metavar="N", min=1, max=10_000, help="How many at a time.")
    ] = 50,
    after: Annotated[
        int | None, typer.Option(metavar="ID", help="Go on after this one, to older ones.")
    ] = None,
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """Print what was done about conflicts, the newest first.

    Example: couchmend history --database notes --since 7d --by auto
    """
    from couchmend.cli import moments

    with opened(config) as engine:
        from couchmend.journal import resolutions

        now = engine.clock.now()
        with engine.journal.read() as tx:
            found = resolutions.listed(
                tx,
                None if database is None else known_database(tx, database).name,
                None if since is None else moments.instant(since, now),
                None if until is None else moments.instant(until, now),
                document,
                by,
                limit + 1,
                after,
                conflict=conflict,
            )
        more, found = len(found) > limit, found[:limit]
        if as_json:
            from couchmend.cli import as_json as telling

            for one in found:
                output.line(telling.resolution(one))
        else:
            _show(found, now)
        if more:
            output.complain(f"there are older ones: --after {found[-1].id}")


def _show(found: Sequence[Resolution], now: int) -> None:
    if not found:
        output.text("Nothing was done about any conflict.")
        return
    from couchmend.cli import render
    from couchmend.cli.drawing import done

    with render.page() as where:
        where.print(done.history(found, where, now))


def undo(
    ids: Annotated[
        list[int] | None,
        typer.Argument(metavar="ID…", help="Numbers of resolutions, as history has them."),
    ] = None,
    since: Since = None,
    until: Until = None,
    database: DatabaseName = None,
    by: By = None,
    strategy: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only what this strategy did.")
    ] = None,
    reopen: Annotated[
        bool,
        typer.Option(
            "--reopen",
            help="Bring the other versions back, too, and so the conflict; it is not resolved"
            " without a person again.",
        ),
    ] = False,
    preview: DryRun = False,
    yes: Yes = False,
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """Take resolutions back: some by number, or all of a time.

    Examples: couchmend undo 12; couchmend undo --since 2026-11-24T14:30 --database notes --by auto

    Where a document was written since, what the resolution did is taken out of it, and what
    cannot be taken back is said and stays.  Exits with 1 when something was not taken back.
    """
    from couchmend.core.plans.plan import strategy_named

    named = list(dict.fromkeys(ids or []))
    ranged = any(value is not None for value in (since, until, database, by, strategy))
    if named and ranged:
        raise UsageError("numbers and a range exclude each other", hint="give one of them")
    if not named and since is None:
        raise UsageError(
            "what is to be taken back?", hint="name it by its number, or say --since 2h"
        )
    how: How = "reopen" if reopen else "restore"
    with opened(config) as engine:
        from couchmend.journal import resolutions

        strategy = None if strategy is None else strategy_named(strategy)
        with engine.journal.read() as tx:
            if named:
                chosen = [resolutions.get(tx, number) for number in named]
            else:
                chosen = list(_of_range(tx, engine, since, until, database, by, strategy))
        well = _undo(engine, chosen, how, preview=preview, yes=yes, as_json=as_json)
    if not well:
        raise typer.Exit(1)


def _of_range(
    tx: Connection,
    engine: Engine,
    since: str | None,
    until: str | None,
    database: str | None,
    by: str | None,
    strategy: str | None,
) -> Iterator[Resolution]:
    """What was resolved in a time and was not taken back, the newest first."""
    from couchmend.cli import moments
    from couchmend.journal import resolutions

    now = engine.clock.now()
    name = None if database is None else known_database(tx, database).name
    first = None if since is None else moments.instant(since, now)
    last = None if until is None else moments.instant(until, now)
    after = None
    while True:
        page = resolutions.listed(tx, name, first, last, None, by, _PAGE, after)
        for one in page:
            usual = one.kind == "resolve" and one.undone_by is None and one.state == "done"
            if usual and strategy in (None, one.strategy):
                yield one
        if len(page) < _PAGE:
            return
        after = page[-1].id


def _undo(
    engine: Engine,
    chosen: Sequence[Resolution],
    how: How,
    *,
    preview: bool,
    yes: bool,
    as_json: bool,
) -> bool:
    """Show what would be taken back, ask, and do it; whether all is well."""
    if not chosen:
        output.text("there is nothing to take back") if not as_json else output.line({"undone": 0})
        return True
    one = len(chosen) == 1
    if preview or not (yes or as_json):
        few = chosen if preview else chosen[:_SHOWN]
        plans = _plans(engine, few, how)
        if one and isinstance(plans[0][1], CouchmendError):
            raise plans[0][1]
        if one and not preview:
            _hold_something(*plans[0])
        _show_plans(plans, len(chosen), as_json=as_json)
        if preview:
            return not any(isinstance(found, CouchmendError) for _, found in plans)
    question = "Take it back?" if one else f"Take {len(chosen)} resolutions back?"
    if not confirmed(question, yes=yes, needed=not one):
        output.complain("nothing was done")
        return False
    return _do(engine, chosen, how, as_json=as_json)


def _hold_something(one: Resolution, found: Undone | CouchmendError) -> None:
    """Hold that taking it back changes something.

    Raises:
        EngineRefused: it does not.
    """
    from couchmend.core.plans.undo import UndoPlan

    plan = None if isinstance(found, CouchmendError) else found.plan
    if isinstance(plan, UndoPlan) and not plan.writes and not plan.unacknowledge:
        raise EngineRefused(
            plan.sentence,
            operation="undo",
            target=f"resolution {one.id}, {one.document}",
            hint="--reopen brings the versions back that were deleted"
            if plan.how == "restore"
            else "",
        )


def _plans(
    engine: Engine, few: Sequence[Resolution], how: How
) -> list[tuple[Resolution, Undone | CouchmendError]]:
    """What taking each back would do, or why it cannot be taken back."""
    from couchmend.cli import render

    found: dict[int, Undone | CouchmendError] = {}
    with render.progress("planning", len(few)) as advance:
        numbers = [one.id for one in few]
        for number, planned in engine.undo_many(numbers, how, by=who(), preview=True):
            found[number] = planned
            advance(1)
    return [(one, found[one.id]) for one in few]


def _show_plans(
    plans: Sequence[tuple[Resolution, Undone | CouchmendError]], total: int, *, as_json: bool
) -> None:
    if as_json:
        for one, found in plans:
            output.line(_told(one, found))
        return
    from couchmend.cli import render
    from couchmend.cli.drawing import done

    with render.page() as where:
        where.print(done.undos(plans))
        if len(plans) < total:
            where.print(f"… and {total - len(plans)} more")


def _told(one: Resolution, found: Undone | CouchmendError) -> dict[str, object]:
    told: dict[str, object] = {"resolution": one.id, "document": one.document}
    if isinstance(found, CouchmendError):
        return {**told, "error": str(found)}
    if found.number is not None:
        told["undo"] = found.number
    return {**told, "plan": found.plan.to_json()}


def _do(engine: Engine, chosen: Sequence[Resolution], how: How, *, as_json: bool) -> bool:
    from couchmend.cli import render

    failed = 0
    by_number = {one.id: one for one in chosen}
    with render.progress("undoing", len(chosen)) as advance:
        for number, found in engine.undo_many(by_number, how, by=who()):
            one = by_number[number]
            advance(1)
            failed += isinstance(found, CouchmendError) or not _is_done(found)
            if as_json:
                output.line(_told(one, found))
            else:
                _say(one, found, alone=len(chosen) == 1)
    if not as_json and len(chosen) > 1:
        output.text(f"{len(chosen) - failed} of {len(chosen)} resolutions were taken back")
    return not failed


def _is_done(found: Undone) -> bool:
    from couchmend.cli.outcomes import is_resolved

    return found.outcome is not None and is_resolved(found.outcome)


def _irreversible(found: Undone) -> bool:
    """Whether something of it could not be taken back."""
    from couchmend.core.plans.undo import UndoPlan

    return isinstance(found.plan, UndoPlan) and bool(found.plan.irreversible)


def _say(one: Resolution, found: Undone | CouchmendError, *, alone: bool) -> None:
    if isinstance(found, CouchmendError):
        output.complain(f"resolution {one.id}, {one.document}: {found}")
    elif not _is_done(found):
        sentence = "" if found.outcome is None else found.outcome.sentence
        output.complain(f"resolution {one.id}, {one.document}: {sentence}")
    elif alone or _irreversible(found):
        output.text(f"resolution {one.id}, {one.document}: taken back; {found.plan.sentence}")
