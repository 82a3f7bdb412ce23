"""`couchmend conflicts resolve`: one conflict, some, or all of a kind."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from couchmend.cli import output
from couchmend.cli.database import AsJson, Config
from couchmend.cli.filters import DatabaseName, Device, Eligible, Field, Severity, Text, Type
from couchmend.cli.opened import DryRun, Yes, confirmed, opened, who
from couchmend.errors import EngineRefused, UsageError

if TYPE_CHECKING:
    from couchmend.cli.deciding import Decided
    from couchmend.engine.deciding.views import Preview
    from couchmend.engine.engine import Engine

Choices = list[str] | None
_LONGEST_DIGEST = 64


def resolve(
    ids: Annotated[
        list[int] | None, typer.Argument(metavar="ID…", help="Numbers of conflicts.")
    ] = None,
    strategy: Annotated[
        str | None,
        typer.Option(
            "--strategy",
            "-s",
            metavar="NAME",
            help="suggested (by default), merge, last-write-wins, keep-current, keep-other,"
            " preserve-non-deleted, delete, manual or custom:NAME.",
        ),
    ] = None,
    set: Annotated[
        Choices,
        typer.Option(metavar="PATH=VALUE", help="A field's value, JSON or text; repeatable."),
    ] = None,
    take: Annotated[
        Choices,
        typer.Option(
            metavar="PATH=VERSION",
            help="A field as a version has it: current, other or a revision; repeatable.",
        ),
    ] = None,
    arrange: Annotated[
        Choices,
        typer.Option(metavar="PATH=VERSION", help="A list in the order of a version; repeatable."),
    ] = None,
    remove: Annotated[
        Choices, typer.Option(metavar="PATH", help="Leave a field out; repeatable.")
    ] = None,
    body: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The whole document as JSON; - reads standard input."),
    ] = None,
    revision: Annotated[
        str | None, typer.Option(metavar="REV", help="For keep-other: which of several.")
    ] = None,
    digest: Annotated[
        str | None,
        typer.Option(metavar="DIGEST", help="Refuse if the conflict is not what show --json saw."),
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="All that wait, or those that the filters name.")
    ] = False,
    database: DatabaseName = None,
    type: Type = None,
    severity: Severity = None,
    field: Field = None,
    device: Device = None,
    text: Text = None,
    eligible: Eligible = None,
    preview: DryRun = False,
    yes: Yes = False,
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """Resolve conflicts as suggested, by strategy, or by field.

    Examples: couchmend conflicts resolve 12 --take title=other --set estimate=5;
    couchmend conflicts resolve --all --type merge_candidates --dry-run

    Every version is kept first, and it can be undone.  Exits with 1 when something was not
    resolved, with 4 when the conflict is not any more what was looked at.
    """
    from couchmend.cli.deciding import decided

    chosen = decided(
        strategy, revision=revision, set=set or (), take=take or (), arrange=arrange or (),
        remove=remove or (), body=body,
    )  # fmt: skip
    filters = {
        "database": database, "type": type, "severity": severity, "field": field,
        "device": device, "text": text, "eligible": eligible,
    }  # fmt: skip
    named = ids or []
    _hold_together(named, everything, filters, chosen, digest)
    with opened(config) as engine:
        if len(named) == 1:
            done = _one(engine, named[0], chosen, digest, preview=preview, yes=yes, as_json=as_json)
        else:
            from couchmend.cli.resolve_many import many, waiting

            numbers = named or waiting(engine, filters)
            done = many(engine, numbers, chosen, preview=preview, yes=yes, as_json=as_json)
    if not done:
        raise typer.Exit(1)


def _hold_together(
    ids: list[int],
    everything: bool,
    filters: Mapping[str, object],
    chosen: Decided,
    digest: str | None,
) -> None:
    filtered = any(value is not None for value in filters.values())
    if everything and ids:
        raise UsageError("numbers and --all exclude each other", hint="give one of them")
    if not everything and not ids:
        hint = "add --all" if filtered else "`couchmend conflicts list` shows the numbers"
        raise UsageError("which conflicts?", hint=f"name them by number, or say --all; {hint}")
    if filtered and ids:
        raise UsageError("filters belong to --all", hint="leave the numbers out, or the filters")
    if len(ids) != 1 and (chosen.choices or chosen.body is not None or chosen.revision or digest):
        raise UsageError(
            "what is chosen by hand is for one conflict", hint="name one, or take a --strategy"
        )


# --- one


def _one(
    engine: Engine,
    number: int,
    chosen: Decided,
    digest: str | None,
    *,
    preview: bool,
    yes: bool,
    as_json: bool,
) -> bool:
    """Show what would be done, ask, and do it; whether all is well."""
    found = engine.preview(
        number,
        chosen.strategy,
        revision=chosen.revision,
        choices=chosen.choices,
        body=chosen.body,
    )
    _hold_known(found, chosen)
    if digest is not None and not _is_digest_of(digest, found.view.digest):
        raise EngineRefused(
            "it is not any more what was looked at",
            operation="resolve",
            target=f"conflict {number}",
            hint=f"look again: couchmend conflicts show {number}",
        )
    if preview:
        _show(engine, found, as_json=as_json)
        return found.plan.ready
    if not found.plan.ready:
        raise UsageError(
            found.plan.sentence,
            operation="resolve",
            target=f"conflict {number}",
            hint=_what_to_choose(found),
        )
    if not yes and not as_json:
        _show(engine, found, as_json=False)
    if not confirmed("Do that?", yes=yes or as_json, needed=False):
        output.complain("nothing was done")
        return False
    carried = engine.resolve(
        number,
        chosen.strategy,
        by=who(),
        revision=chosen.revision,
        choices=chosen.choices,
        body=chosen.body,
        digest=found.view.digest,
    )
    from couchmend.cli.outcomes import is_resolved, tell

    tell(number, found.view.doc.id, carried, as_json=as_json)
    return is_resolved(carried)


def _hold_known(found: Preview, chosen: Decided) -> None:
    """Hold that what is taken from a version is there in one.

    Raises:
        UsageError: no version has it, nor had it before; says the nearest.
    """
    from couchmend.core.paths import readable, value_at
    from couchmend.core.plans.choices import Take, path_of
    from couchmend.core.policy.data import did_you_mean
    from couchmend.core.values import ABSENT

    bodies = found.view.doc.bodies.values()
    paths = [one.path for one in found.plan.decisions]
    paths += [(name,) for body in bodies for name in body]
    names = [
        readable(path)
        for path in dict.fromkeys(paths)
        if any(value_at(body, path) is not ABSENT for body in bodies)
    ]
    for text, choice in chosen.choices.items():
        path = path_of(text)
        if isinstance(choice, Take) and all(value_at(body, path) is ABSENT for body in bodies):
            raise UsageError(
                f"no version has {text!r}{did_you_mean(text, names)}",
                hint=f"couchmend conflicts show {found.view.conflict.id} names the fields",
            )


def _is_digest_of(given: str, digest: str) -> bool:
    return len(given) >= 8 and digest.startswith(given[:_LONGEST_DIGEST])


def _what_to_choose(found: Preview) -> str:
    from couchmend.core.paths import readable

    number = found.view.conflict.id
    if found.plan.unresolved:
        path = readable(found.plan.unresolved[0].path)
        return f"--take '{path}=current', --take '{path}=other' or --set '{path}=…'"
    if found.view.assessment is not None and found.view.assessment.examined.deletions:
        return "--strategy preserve-non-deleted keeps the edit, --strategy delete confirms"
    return f"couchmend conflicts show {number}"


def _show(engine: Engine, found: Preview, *, as_json: bool) -> None:
    if as_json:
        from couchmend.cli import as_json as telling

        told = {"conflict": telling.conflict(found.view.conflict), "digest": found.view.digest}
        output.line({**told, "ready": found.plan.ready, "plan": found.plan.to_json()})
        return
    from couchmend.cli import render
    from couchmend.cli.drawing import conflict
    from couchmend.cli.picturing import picture_of, sizes_of

    sizes = sizes_of(engine, found.view.doc)
    with render.page() as where:
        picture = picture_of(found.view, found.plan, engine.clock.now(), sizes=sizes)
        conflict.show(picture, where)
