"""What a sweep did, for people and for programs."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from couchmend.cli.output import plain
from couchmend.core.conflicts.severity import SEVERITIES
from couchmend.core.document import Doc

if TYPE_CHECKING:
    from couchmend.engine.sweeping.report import SweepReport, Swept

_MOST_SHOWN: Final = 20
_WHY: Final = {
    "mode": "the mode of the database does not resolve by itself",
    "paused": "writing is paused",
    "design": "design documents are never resolved automatically",
    "resolved": "something is left to decide",
    "severity": "graver than the policy lets be resolved automatically",
    "timestamps": "no sound timestamps to decide by",
    "base": "the common ancestor is not known",
    "dead leaves": "a deleted version may be in one of the versions",
    "containment": "nobody can tell what the winner contains",
    "attachments": "attachments differ",
    "leaves": "too many versions",
    "size": "a version is too large",
    "loop": "it keeps coming back",
    "rollout": "outside the rollout",
    "snoozed": "snoozed",
    "excluded": "excluded",
    "skipped": "skipped by somebody",
    "failed": "resolving it failed before",
    "overtaken": "an older version of what was deleted was merged elsewhere",
    "not examined": "it could not be examined",
    "stopped": "stopped before it was its turn",
    "waiting": "its turn has not come",
}
"""Why conflicts wait, by the name of the check that was not passed."""


def as_doc(swept: Swept, *, dry_run: bool) -> Doc:
    """It for programs."""
    return {
        "databases": [_database_as_doc(one) for one in swept.each],
        "appeared": list(swept.appeared),
        "vanished": list(swept.vanished),
        "detected": swept.detected,
        "closed": sum(one.closed for one in swept.each),
        "resolved": swept.resolved,
        "failed": swept.failed,
        "waiting": swept.waiting,
        "would_resolve": sum(one.would_resolve for one in swept.each),
        "dry_run": dry_run,
    }


def _database_as_doc(one: SweepReport) -> Doc:
    error: Doc | None = None
    if one.error is not None:
        error = {"message": one.error.message, "hint": one.error.hint}
    return {
        "name": one.database,
        "outcome": one.outcome,
        "mode": one.mode,
        "changes": one.rows,
        "candidates": one.candidates,
        "detected": one.detected,
        "closed": one.closed,
        "resolved": one.resolved,
        "failed": one.failed,
        "would_resolve": one.would_resolve,
        "waiting": dict(one.waiting),
        "by_type": dict(one.by_type),
        "by_strategy": dict(one.by_strategy),
        "reasons": dict(one.reasons),
        "duration_ms": round(one.elapsed / 1000, 3),
        "error": error,
        "notices": list(one.notices),
    }


def told(swept: Swept, *, dry_run: bool) -> str:
    """It for people, with what to do next."""
    return "\n".join([*_lines(swept, dry_run=dry_run), ""])


def _lines(swept: Swept, *, dry_run: bool) -> Iterator[str]:
    each = swept.each
    if not each:
        yield "No databases."
        return
    for one in _worth_telling(each)[:_MOST_SHOWN]:
        yield _headline(one, dry_run=dry_run)
        yield from (f"  {plain(notice)}" for notice in one.notices)
    hidden = len(each) - len(_worth_telling(each)[:_MOST_SHOWN])
    if hidden:
        yield f"{_many(hidden, 'more database')}"
    for what, changed in (("new", swept.appeared), ("gone", swept.vanished)):
        if changed:
            yield f"{what}: {', '.join(map(plain, changed[:_MOST_SHOWN]))}"
    yield from _sums(each, dry_run=dry_run)
    yield from _next(swept, dry_run=dry_run)


def _worth_telling(each: Sequence[SweepReport]) -> list[SweepReport]:
    """Those with something to tell; all where there are few."""
    if len(each) <= _MOST_SHOWN:
        return list(each)
    return [
        one for one in each if one.detected or one.resolved or one.failed or one.outcome != "done"
    ]


def _headline(one: SweepReport, *, dry_run: bool) -> str:
    begun = f"{plain(one.database)} ({one.mode})"
    match one.outcome:
        case "quiet":
            return f"{begun}: left alone, since these are quiet hours of its server"
        case "held":
            return f"{begun}: another process works on it"
        case "vanished":
            return f"{begun}: there is no such database"
        case "failed" | "stopped":
            done = f"{one.rows:,} changes looked at" if one.rows else "nothing was done"
            return f"{begun}: {one.outcome}; {done}, and the next sweep goes on from there"
    parts = [_many(one.rows, "change"), f"{_many(one.detected, 'conflict')} found"]
    if dry_run:
        parts.append(f"{one.would_resolve:,} would be resolved")
    else:
        if one.resolved:
            parts.append(f"{one.resolved:,} resolved")
        if one.failed:
            parts.append(f"{one.failed:,} failed")
        if one.closed:
            parts.append(f"{one.closed:,} over by themselves")
        parts.append(f"{sum(one.waiting.values()):,} wait")
    return f"{begun}: {', '.join(parts)}"


def _sums(each: Sequence[SweepReport], *, dry_run: bool) -> Iterator[str]:
    found, by, waiting, why = (Counter[str]() for _ in range(4))
    for one in each:
        found.update(one.by_type)
        by.update(one.by_strategy)
        waiting.update(one.waiting)
        why.update(one.reasons)
    order = [severity for severity in reversed(SEVERITIES) if waiting[severity]]
    rows = (
        ("found", _counted(found)),
        ("would be resolved by" if dry_run else "resolved by", _counted(by)),
        ("waiting", ", ".join(f"{waiting[one]:,} {one}" for one in order)),
    )
    shown = [(name, text) for name, text in rows if text]
    if shown or why:
        yield ""
    width = max((len(name) for name, _ in shown), default=0)
    yield from (f"  {name:{width}}  {text}" for name, text in shown)
    if why:
        yield "  why they wait:"
        for name, count in why.most_common():
            yield f"    {count:>7,}  {_WHY.get(name, name)}"


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {plain(name)}" for name, count in Counter(counts).most_common())


def _next(swept: Swept, *, dry_run: bool) -> Iterator[str]:
    """What to do now."""
    ways, each = [], swept.each
    if dry_run:
        ways.append(("couchmend sweep", "do it"))
    if swept.waiting:
        ways.append(("couchmend conflicts list", "what waits"))
        ways.append(("couchmend conflicts show N", "one of them: its versions, field by field"))
    if swept.resolved:
        ways.append(("couchmend history", "what was done; `couchmend undo N` takes it back"))
    if swept.waiting and all(one.mode == "observe" for one in each):
        ways.append(('mode = "suggest" or "auto"', "in [[databases]]: decide, or have it resolved"))
    if swept.errors:
        first = next(one.database for one in each if one.error is not None)
        command = f"couchmend doctor {shlex.quote(plain(first))}"
        ways.append((command, "what is the matter with it"))
    yield ""
    if not ways:
        yield "Nothing to do: no conflict waits."
        return
    width = max(len(command) for command, _ in ways)
    yield "What to do next"
    yield from (f"  {command:{width}}  {why}" for command, why in ways)


def _many(count: int, what: str) -> str:
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"
