"""What `couchmend policy test` tells: who decides which conflicts, before and after."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field

from couchmend.cli import output
from couchmend.core.document import JSON
from couchmend.engine.studying.trying import Outcome, Tried
from couchmend.errors import CouchmendError

SHOWN = 10


@dataclass(slots=True)
class Told:
    """Collects what policies make of conflicts.

    new, present: what the two sides are called.
    """

    new: str
    present: str
    databases: list[str] = field(default_factory=list)
    failures: list[tuple[str, CouchmendError]] = field(default_factory=list)
    conflicts: int = 0
    counts: dict[str, Counter[str]] = field(default_factory=dict)
    changed: list[Tried] = field(default_factory=list)

    def begin(self, database: str) -> None:
        """A database is looked at."""
        self.databases.append(database)

    def failed(self, database: str, problem: CouchmendError) -> None:
        """One could not be read."""
        self.failures.append((database, problem))

    def add(self, one: Tried) -> None:
        """One conflict more."""
        self.conflicts += 1
        for side, found in (("before", one.before), ("after", one.after)):
            if found is not None:
                who = "automatic" if found.automatic else "waiting"
                self.counts.setdefault(found.type, Counter())[f"{side} {who}"] += 1
        if one.changed:
            self.changed.append(one)

    def tell(self, *, as_json: bool, every: bool) -> None:
        """All of it."""
        for database, problem in self.failures:
            output.complain(f"{database}: {problem}")
        if as_json:
            output.line(self.as_json())
        else:
            self._tell_people(every=every)

    def as_json(self) -> JSON:
        """All of it, for programs."""
        return {
            "present": self.present,
            "new": self.new,
            "databases": list(self.databases),
            "conflicts": self.conflicts,
            "by_type": {
                type: {
                    side: {who: counts[f"{side} {who}"] for who in ("automatic", "waiting")}
                    for side in ("before", "after")
                }
                for type, counts in sorted(self.counts.items())
            },
            "changed": [
                {
                    "database": one.database,
                    "id": one.id,
                    "before": None if one.before is None else asdict(one.before),
                    "after": None if one.after is None else asdict(one.after),
                }
                for one in self.changed
            ],
        }

    def _tell_people(self, *, every: bool) -> None:
        from couchmend.cli import render

        if not self.conflicts:
            output.text("there is no conflict to try them on")
            return
        output.text(f"present: {self.present}")
        output.text(f"new:     {self.new}")
        totals: Counter[str] = Counter()
        rows = []
        for type, counts in sorted(self.counts.items()):
            rows.append([type, *_cells(counts)])
            totals += counts
        if len(rows) > 1:
            rows.append(["all", *_cells(totals)])
        render.table(["type", "automatic", "then", "waiting", "then"], rows, numbers=4)
        shown = self.changed if every else self.changed[:SHOWN]
        if not shown:
            output.text("nothing changes for any of them")
            return
        output.text(f"{len(self.changed):,} of {self.conflicts:,} conflicts change:")
        for one in shown:
            output.text(f"  {one.id}: {_said(one.before)} → {_said(one.after)}{_why(one)}")
        if len(shown) < len(self.changed):
            output.text(f"  and {len(self.changed) - len(shown):,} more (--list tells all)")


def _cells(counts: Counter[str]) -> list[str]:
    return [
        f"{counts[f'{side} {who}']:,}" for who in ("automatic", "waiting")
        for side in ("before", "after")
    ]  # fmt: skip


def _said(found: Outcome | None) -> str:
    if found is None:
        return "no conflict"
    who = found.strategy if found.automatic else "waits"
    return f"{found.type} {found.severity}, {who}"


def _why(one: Tried) -> str:
    before, after = one.before, one.after
    if after is not None and after.reason:
        return f" ({after.reason})"
    if before and after and before.automatic and after.automatic and before.value != after.value:
        return " (another result)"
    return ""
