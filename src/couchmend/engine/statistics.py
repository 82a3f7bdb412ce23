"""How much is found and resolved, how fast, and how much of it without a person."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import Connection, select

from couchmend.journal import listing
from couchmend.journal.databases import every
from couchmend.journal.resolutions import AUTO
from couchmend.journal.tables import databases, events, resolutions

HOUR: Final = 3_600_000_000
DETECTED: Final = "conflict.detected"


@dataclass(frozen=True, slots=True)
class Percentiles:
    """How long something took, in microseconds; all 0 where it never happened."""

    count: int = 0
    p50: int = 0
    p95: int = 0
    p99: int = 0
    longest: int = 0

    @classmethod
    def of(cls, lengths: Iterable[int]) -> Percentiles:
        """Those of some lengths, each one that occurred (the nearest rank)."""
        ordered = sorted(lengths)
        if not ordered:
            return cls()
        p50, p95, p99 = (_ranked(ordered, part) for part in (0.50, 0.95, 0.99))
        return cls(len(ordered), p50, p95, p99, ordered[-1])


def _ranked(ordered: Sequence[int], part: float) -> int:
    return ordered[max(math.ceil(part * len(ordered)) - 1, 0)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistics:
    """What happened from `since` until `until`, and what waits now.

    detected: conflicts and new versions of conflicts, by type.
    detection: from a change's arrival to its classification.
    resolved: by strategy; `by_auto` of them without a person.
    resolution: from the archive to the verified end; `resolution_of` by strategy.
    failed: resolutions that did not come about; `undone`: those that were taken back.
    waiting: conflicts that are open now, by severity; `oldest`: since when.
    """

    since: int
    until: int
    detected: Mapping[str, int] = field(default_factory=dict)
    detection: Percentiles = Percentiles()
    resolved: Mapping[str, int] = field(default_factory=dict)
    by_auto: int = 0
    resolution: Percentiles = Percentiles()
    resolution_of: Mapping[str, Percentiles] = field(default_factory=dict)
    resolved_types: Mapping[str, int] = field(default_factory=dict)
    failed: int = 0
    undone: int = 0
    waiting: Mapping[str, int] = field(default_factory=dict)
    oldest: int | None = None

    @property
    def hours(self) -> float:
        """How long the time is."""
        return max(self.until - self.since, 1) / HOUR

    @property
    def auto_rate(self) -> float | None:
        """Which part of what was resolved took no person; None where nothing was."""
        total = sum(self.resolved.values())
        return self.by_auto / total if total else None


def statistics(tx: Connection, since: int, now: int, database: str | None = None) -> Statistics:
    """What happened since an instant, to all databases or to one, by its name."""
    detected: Counter[str] = Counter()
    detection: list[int] = []
    for data in _detected(tx, since):
        if database in (None, data.get("database")):
            detected[str(data.get("type", ""))] += 1
            if isinstance(elapsed := data.get("elapsed"), int):
                detection.append(elapsed)
    done = _Done.since(tx, since, database)
    counts = listing.counts(tx, database)
    waiting: Counter[str] = Counter()
    for count in counts:
        waiting[count.severity] += count.number
    return Statistics(
        since=since,
        until=now,
        detected=dict(detected.most_common()),
        detection=Percentiles.of(detection),
        resolved=dict(done.strategies.most_common()),
        by_auto=done.by_auto,
        resolution=Percentiles.of(one for each in done.lengths.values() for one in each),
        resolution_of={name: Percentiles.of(each) for name, each in done.lengths.items()},
        resolved_types=dict(done.types.most_common()),
        failed=done.failed,
        undone=done.undone,
        waiting=dict(waiting),
        oldest=_oldest(tx, database),
    )


def _detected(tx: Connection, since: int) -> Iterable[Mapping[str, Any]]:
    statement = select(events.c.data).where(events.c.name == DETECTED, events.c.at >= since)
    return (data for data in tx.scalars(statement) if isinstance(data, Mapping))


def _oldest(tx: Connection, database: str | None) -> int | None:
    found = [listing.oldest(tx, one.id) for one in every(tx) if database in (None, one.name)]
    return min((at for at in found if at is not None), default=None)


@dataclass(slots=True)
class _Done:
    """What was resolved and undone, counted."""

    strategies: Counter[str] = field(default_factory=Counter)
    types: Counter[str] = field(default_factory=Counter)
    lengths: dict[str, list[int]] = field(default_factory=dict)
    by_auto: int = 0
    failed: int = 0
    undone: int = 0

    @classmethod
    def since(cls, tx: Connection, since: int, database: str | None) -> _Done:
        """Of all that ended since an instant."""
        from couchmend.journal.tables import conflicts

        r = resolutions.c
        statement = (
            select(r.kind, r.strategy, r.by, r.state, r.started_at, r.finished_at, conflicts.c.type)
            .join_from(resolutions, databases)
            .outerjoin(conflicts, r.conflict_id == conflicts.c.id)
            .where(r.finished_at >= since)
        )
        if database is not None:
            statement = statement.where(databases.c.name == database)
        done = cls()
        for row in tx.execute(statement):
            done._count(row)
        return done

    def _count(self, row: Any) -> None:
        if row.state != "done":
            self.failed += row.kind == "resolve"
        elif row.kind == "undo":
            self.undone += 1
        else:
            self.strategies[row.strategy] += 1
            self.lengths.setdefault(row.strategy, []).append(row.finished_at - row.started_at)
            self.by_auto += row.by == AUTO
            if row.type is not None:
                self.types[row.type] += 1
