"""What happens in the demo, in order; everything that is told was read or counted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from couchmend.cli.demonstration.devices import at_first, carry_out, edits, same_everywhere
from couchmend.cli.demonstration.stage import DATABASE, Stage
from couchmend.core.revtree import Rev

if TYPE_CHECKING:
    from couchmend.cli.demonstration.devices import Edit
    from couchmend.engine.engine import Engine
    from couchmend.engine.finding.scan import Scanned
    from couchmend.engine.sweeping.report import SweepReport
    from couchmend.journal.conflicts import Conflict
    from couchmend.journal.resolutions import Resolution


@dataclass(frozen=True, slots=True)
class Exchanged:
    """What one device and the server gave each other, in revisions."""

    device: str
    up: int
    down: int


@dataclass(frozen=True, slots=True)
class Found:
    """Which conflicts there are.

    listed: how many documents the server tells of when it is asked for `_conflicts`.
    leaves: every version that a conflict is between and that is live, by document.
    """

    each: tuple[Scanned, ...]
    listed: int
    leaves: Mapping[str, tuple[Rev, ...]]


@dataclass(frozen=True, slots=True)
class Swept:
    """What a sweep did: `kept` of `versions` live versions are in the archive."""

    report: SweepReport
    resolved: tuple[Resolution, ...]
    waiting: tuple[Conflict, ...]
    versions: int
    kept: int


@dataclass(frozen=True, slots=True)
class Afterwards:
    """How things are once the devices have fetched what was resolved."""

    exchanged: tuple[Exchanged, ...]
    same: bool
    conflicts: int


def begin(stage: Stage, now: datetime) -> int:
    """All devices start with the same; returns how many documents each has."""
    stage.database.bulk_docs(at_first(now))
    exchange(stage)
    return stage.database.info().documents


def edit(stage: Stage, now: datetime) -> list[tuple[Edit, Rev]]:
    """People go on working, each device by itself; returns which revision each edit made."""
    return [(one, Rev.parse(carry_out(one, stage.devices[one.device], now))) for one in edits()]


def exchange(stage: Stage) -> tuple[Exchanged, ...]:
    """All devices sync with the server, until each has everything."""
    from couchmend.replica.replicate import replicate

    up = {
        name: replicate(one, stage.database).progress.docs_written
        for name, one in stage.devices.items()
    }
    down = {
        name: replicate(stage.database, one).progress.docs_written
        for name, one in stage.devices.items()
    }
    return tuple(Exchanged(name, up[name], down[name]) for name in stage.devices)


def scan(stage: Stage, engine: Engine) -> Found:
    """Look for conflicts, over HTTP."""
    from couchmend.engine.finding.scan import scan as conflicts_of

    each = tuple(conflicts_of(stage.database, engine.policies, names=("tasks", "receipts")))
    leaves = {one.document: tuple(one.doc.live) for one in each}
    listed = sum(
        bool(stage.database.get(one.document, conflicts=True).get("_conflicts")) for one in each
    )
    return Found(each, listed, leaves)


def sweep(engine: Engine, found: Found) -> Swept:
    """One sweep, and what the journal says of it."""
    from couchmend.journal import archive, conflicts, databases, resolutions

    (report,) = engine.sweep().each
    if report.error is not None:
        raise report.error
    with engine.journal.read() as tx:
        known = databases.named(tx, DATABASE)
        kept = archive.kept(tx, known.id, list(found.leaves)) if known else {}
        resolved = resolutions.listed(tx, DATABASE, limit=100)
        waiting = conflicts.listed(tx, conflicts.Wanted(database=DATABASE), 100).conflicts
    each = [(id, rev) for id, leaves in found.leaves.items() for rev in leaves]
    count = sum(rev in kept.get(id, {}) and kept[id][rev].body is not None for id, rev in each)
    return Swept(report, tuple(reversed(resolved)), tuple(waiting), len(each), count)


def afterwards(stage: Stage, engine: Engine) -> Afterwards:
    """The devices sync once more."""
    exchanged = exchange(stage)
    same = same_everywhere([stage.database, *stage.devices.values()])
    return Afterwards(exchanged, same, len(scan(stage, engine).each))
