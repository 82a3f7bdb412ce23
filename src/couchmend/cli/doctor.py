"""`couchmend doctor`: why something is, or is not, a conflict, resolved, or seen."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Annotated

import typer

from couchmend.cli import output
from couchmend.cli.database import AsJson, Config
from couchmend.cli.opened import opened

if TYPE_CHECKING:
    from couchmend.core.document import Doc
    from couchmend.engine.doctor.diagnosis import Diagnosis


def doctor(
    database: Annotated[
        str, typer.Argument(metavar="DB", help="The database, as configured or by address.")
    ],
    document: Annotated[
        str | None, typer.Argument(metavar="[DOC]", help="A document of it, by its id.")
    ] = None,
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """Say why something is not found or resolved, and what helps.

    Of a document: whether it is in conflict, why, and why it is not resolved.  Of a database:
    what runs, what is paused, and how far sweeps are.

    Example: couchmend doctor notes groceries

    Exits with 1 when it finds a problem.
    """
    with opened(config) as engine:
        found = engine.diagnose(database, document)
        if as_json:
            output.line(_as_json(found))
        else:
            from couchmend.cli import render
            from couchmend.cli.drawing import diagnosis

            with render.page() as where:
                diagnosis.show(found, where, engine.clock.now())
    if any(fact.weight == "problem" for fact in found.facts):
        raise typer.Exit(1)


def _as_json(found: Diagnosis) -> Doc:
    from couchmend.cli import as_json as telling
    from couchmend.cli.moments import iso

    told: Doc = {
        "database": found.target.name,
        "mode": found.target.mode,
        "swept_at": iso(None if found.database is None else found.database.swept_at),
        "lag": found.lag,
        "lease": None if found.lease is None else found.lease.holder,
        "paused": [one.name for one in found.paused],
        "operations": [dataclasses.asdict(one) for one in found.operations],
        "facts": [dataclasses.asdict(one) for one in found.facts],
    }
    about = found.document
    if about is not None:
        told["document"] = {
            "id": about.id,
            "found": about.doc is not None,
            "open": about.open,
            "hidden": about.hidden,
            "seen": about.seen,
            "possible_deletions": [str(rev) for rev in about.possible],
            "conflict": None if about.conflict is None else about.conflict.id,
            "resolutions": [one.id for one in about.resolutions],
            "tree": None if about.doc is None else telling.tree(about.doc.tree),
            "checks": None if about.assessment is None else telling.checks(about.assessment.checks),
        }
    return told
