"""Which conflicts a command is about."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, get_args

import typer

from couchmend.cli.opened import known_database, one_of

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from couchmend.journal.listing import Wanted

DatabaseName = Annotated[
    str | None,
    typer.Option("--database", "-d", metavar="DB", help="Of this database, by name or address."),
]
Type = Annotated[
    str | None,
    typer.Option(
        metavar="TYPE",
        help="edit_edit, edit_delete, merge_candidates, version_mismatch or checksum_mismatch.",
    ),
]
Severity = Annotated[
    str | None, typer.Option(metavar="SEVERITY", help="critical, high, medium or low.")
]
State = Annotated[
    str | None,
    typer.Option(
        metavar="STATE",
        help="pending, resolving, failed, snoozed, acknowledged, resolved, vanished, or any."
        " By default all that are open.",
    ),
]
Field = Annotated[
    str | None, typer.Option(metavar="PATH", help="That this field is in, like address.street.")
]
Device = Annotated[
    str | None, typer.Option(metavar="NAME", help="That this device wrote a version of.")
]
Text = Annotated[
    str | None,
    typer.Option("--text", metavar="WORDS", help="With these words in the id or the reason."),
]
Eligible = Annotated[
    bool | None,
    typer.Option(
        "--eligible/--not-eligible", help="That may be resolved without a person, or may not."
    ),
]


def wanted(
    tx: Connection,
    *,
    database: str | None = None,
    type: str | None = None,
    severity: str | None = None,
    state: str | None = None,
    field: str | None = None,
    device: str | None = None,
    text: str | None = None,
    eligible: bool | None = None,
) -> Wanted:
    """Which conflicts are wanted, as the journal is asked.

    Raises:
        UsageError: there is no such database, type, severity or state; says the nearest.
    """
    from couchmend.core.conflicts.severity import SEVERITIES
    from couchmend.core.policy.parts import ConflictType
    from couchmend.journal.conflicts import STATES
    from couchmend.journal.listing import ANY, Wanted

    return Wanted(
        database=None if database is None else known_database(tx, database).name,
        type=one_of(
            None if type is None else type.replace("-", "_"), get_args(ConflictType), "type"
        ),
        severity=one_of(severity, SEVERITIES, "severity"),
        state=one_of(state, (*STATES, ANY), "state"),
        field=field,
        device=device,
        text=text,
        eligible=eligible,
    )
