"""Decisions, revisions and what is said of several, for people."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from couchmend.core.document import dumps
from couchmend.core.merging.decisions import Decision
from couchmend.core.paths import readable
from couchmend.core.revtree import Rev
from couchmend.core.values import ABSENT, Value

_SHOWN_CHARACTERS = 40
_SHOWN_DIGITS = 6
_SHOWN_DECISIONS = 30


def told(versions: Sequence[str], decisions: Sequence[Decision]) -> str:
    """A merge in a few lines."""
    left = sum(decision.unresolved for decision in decisions)
    state = f"{left} left to decide" if left else "nothing is left to decide"
    lines = [f"Merge of {' and '.join(versions)}: {state}"]
    shown = decisions[:_SHOWN_DECISIONS]
    paths = [readable(decision.path) for decision in shown]
    width = max(map(len, paths), default=0)
    for path, decision in zip(paths, shown, strict=True):
        lines.append(f"  {path:{width}}  {decision.kind:8}  {change(decision)}  {decision.reason}")
    if len(decisions) > len(shown):
        lines.append(f"  … and {len(decisions) - len(shown)} more")
    return "\n".join(lines)


def change(decision: Decision) -> str:
    """What was there before, and what is there now; for a conflict, what competes."""
    before = short(decision.base)
    if decision.unresolved:
        rivals = [short(decision.versions[name]) for name in decision.competing]
        return f"{before} -> {' or '.join(rivals)}"
    return f"{before} -> {short(decision.taken)}"


def short(value: Value) -> str:
    """A value as JSON, cut where it is long; a dash where there is none."""
    if value is ABSENT:
        return "–"
    text = dumps(value).decode()
    return text if len(text) <= _SHOWN_CHARACTERS else text[: _SHOWN_CHARACTERS - 1] + "…"


def listed(names: Iterable[str]) -> str:
    """Names in a sentence."""
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last


def label(rev: Rev) -> str:
    """A revision by its first digits."""
    return f"{rev.generation}-{rev.hash[:_SHOWN_DIGITS]}"


def labels(revs: Iterable[Rev]) -> str:
    """Several, at least one."""
    return listed(map(label, revs))


def are(several: Collection[object], what: str) -> str:
    """What is said of one or of several: `is deleted`, `are deleted`."""
    return f"{'is' if len(several) == 1 else 'are'} {what}"
