"""A conflict in a sentence: who did what without knowing of whom."""

from __future__ import annotations

from collections.abc import Sequence

from couchmend.cli.drawing.comparison import path_of
from couchmend.cli.drawing.safe import name
from couchmend.core.conflicts.document import ConflictedDocument
from couchmend.core.merging.bases import NO_ANCESTOR
from couchmend.core.merging.decisions import Decision
from couchmend.core.merging.telling import listed
from couchmend.core.plans.examine import Examined
from couchmend.core.policy.policy import Policy

_NAMED = 3
_LONGEST_DEVICE = 24


def story(examined: Examined) -> str:
    """What happened, in a sentence or two."""
    doc, policy = examined.doc, examined.policy
    parts = [_what_happened(doc, policy, examined)]
    decisions = [one for one in examined.versions.decisions if not one.metadata]
    opened = [decision for decision in decisions if decision.unresolved]
    rest = [decision for decision in decisions if not decision.unresolved]
    if opened:
        who = "Both" if len(doc.live) == 2 else "They"
        parts.append(f"{who} changed {_paths(opened)} in different ways{_and_rest(rest)}.")
    elif rest:
        parts.append(f"{_count(len(rest), 'change')} combine{'s' if len(rest) == 1 else ''}"
                     " without loss.")  # fmt: skip
    elif len(doc.live) > 1:
        parts.append("They say the same.")
    return " ".join(parts)


def _what_happened(doc: ConflictedDocument, policy: Policy, examined: Examined) -> str:
    devices = [policy.version(str(rev), doc.bodies[rev]).device for rev in doc.live]
    named = [name(one, _LONGEST_DEVICE) for one in devices if one is not None]
    distinct = list(dict.fromkeys(named))
    created = len(doc.live) > 1 and any(base.kind in NO_ANCESTOR for base in examined.bases)
    verb = "Created" if created else "Edited"
    if len(doc.live) == 1:
        where = f" on {named[0]}" if named else ""
        told = f"Edited{where}"
    elif len(named) == len(devices) and len(distinct) == 2 == len(devices):
        told = f"{verb} on {distinct[0]} and, without knowing of that, on {distinct[1]}"
    elif len(named) == len(devices) and len(distinct) > 2:
        told = f"{verb} on {_shortly(distinct)}, none of which knew of the others"
    elif len(named) == len(devices) and len(distinct) == 1:
        told = f"{verb} {_times(len(devices))} on {distinct[0]}, each time without the other"
    else:
        told = f"{verb} {_times(len(devices))}, each time without knowing of the other"
    gone = len(examined.deletions)
    if gone:
        joint = ", and" if len(doc.live) > 1 else " and"
        told += f"{joint} deleted elsewhere at the same time"
    return f"{told}."


def _times(count: int) -> str:
    return "twice" if count == 2 else f"{count} times"


def _and_rest(rest: Sequence[Decision]) -> str:
    if not rest:
        return ""
    verb = "combines" if len(rest) == 1 else "combine"
    return f"; {_count(len(rest), 'other change')} {verb} without loss"


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _paths(decisions: Sequence[Decision]) -> str:
    return _shortly([path_of(one) for one in decisions])


def _shortly(names: Sequence[str]) -> str:
    if len(names) <= _NAMED:
        return listed(names)
    return f"{', '.join(names[:_NAMED])} and {len(names) - _NAMED} more"
