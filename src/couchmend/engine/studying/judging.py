"""What a field seems to be, by its figures."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from couchmend.core.document import loads
from couchmend.core.policy.metadata import DEVICE_FIELDS, TIMESTAMP_FIELDS
from couchmend.core.policy.policy import IDENTITY_KEYS
from couchmend.engine.studying.fields import MAX_DISTINCT, Field
from couchmend.engine.studying.suggestion import Suggestion, pattern, share, times

EVIDENCE: Final = 5
"""How many observations a line rests on at least."""
NEARLY_ALL: Final = 0.95
SMALL_STEP: Final = 20
LONG_TEXT: Final = 80
FEW_VALUES: Final = 12
SHOWN_VALUES: Final = 6
A_FEW: Final = 10

_DEVICE_NAME = re.compile(
    r"device|client|host|machine|station|node|author|editor|writer|user", re.IGNORECASE
)
_COUNT_NAME = re.compile(
    r"count|total|num(ber)?(_|[A-Z]|$)|times|visits|views|likes|votes", re.IGNORECASE
)
_TIME_NAME = re.compile(
    r"updat|modif|chang|edit|sav(e|ed)|sync|touch|written|timestamp|mtime|^ts$", re.IGNORECASE
)
_IDENTITY_NAME = re.compile(r"(^|_)(id|key|uuid|guid|sku|code|slug|ref|name)$|(Id|ID|Key|Uuid)$")

Path = tuple[str, ...]


def judged(path: Path, field: Field) -> Iterator[Suggestion]:
    """What a policy may say of one field."""
    if _is_timestamp_by_name(path) or _is_device_by_name(path):
        return
    if field.kind == "list":
        yield from _list(path, field)
    elif field.kind == "integer":
        yield from _counter(path, field)
    elif field.kind == "string":
        yield from _text(path, field)
        yield from _choice(path, field)


# --- when and where


def _is_timestamp_by_name(path: Path) -> bool:
    return len(path) == 1 and path[0] in TIMESTAMP_FIELDS


def _is_device_by_name(path: Path) -> bool:
    return len(path) == 1 and path[0] in DEVICE_FIELDS


def timestamp(path: Path, field: Field) -> Suggestion | None:
    """Whether a field says when a version was written: it is an instant near now in nearly all
    documents, and grew with nearly every edit."""
    instants, edits = field.times, field.edits
    if not field.said or instants.count < NEARLY_ALL * field.said:
        return None
    usual = _is_timestamp_by_name(path)
    figures = {
        "values": field.said, "instants": instants.count, "ahead": instants.ahead,
        "edits": edits.compared, "later": edits.later,
    }  # fmt: skip
    told = f"{share(instants.count, field.said, 'values')} are instants"
    key = ("timestamp_fields",)
    if edits.compared < EVIDENCE:
        if not usual and not any(_TIME_NAME.search(name) for name in path[-1:]):
            return None
        why = f"{told}; {_how_many_edits(edits.compared)} whether it grows with each edit"
        if usual:
            return Suggestion(key, [pattern(path)], True, f"{why}; its name is usual", figures)
        return Suggestion(key, [pattern(path)], False, why, figures)
    why = f"{told}, and it was later after {share(edits.later, edits.compared, 'edits')}"
    grew = edits.later >= NEARLY_ALL * edits.compared
    if grew and instants.ahead * 20 <= field.said:
        return Suggestion(key, [pattern(path)], True, why, figures)
    if usual:
        return Suggestion(
            key, [pattern(path)], True, f"its name is usual, but {why}: do all writers set it?",
            figures,
        )  # fmt: skip
    if 2 * edits.later >= edits.compared:
        return Suggestion(key, [pattern(path)], False, why, figures)
    return None


def device(path: Path, field: Field) -> Suggestion | None:
    """Whether a field says where a version was written: one of a few strings, and another one in
    competing versions."""
    if field.kind not in ("string", "integer"):
        return None
    usual = _is_device_by_name(path)
    if not usual and not _DEVICE_NAME.search(path[-1]):
        return None
    beside = field.collisions
    several = f"{MAX_DISTINCT} and more" if field.is_full else f"{len(field.values):,}"
    told = f"{several} different in {times(field.said, 'document')}"
    differ = share(beside.differs, beside.compared, "competing versions")
    figures = {
        "values": field.said, "different": len(field.values), "competing": beside.compared,
        "differs": beside.differs, "edits": field.edits.compared, "changed": field.edits.changed,
    }  # fmt: skip
    key = ("device_fields",)
    if usual:
        why = f"its name is usual; {told}" + (
            f"; it differs in {differ}" if beside.compared else ""
        )
        return Suggestion(key, [pattern(path)], True, why, figures)
    if field.is_unique or field.texts.longest > 100:
        return None
    if beside.compared >= EVIDENCE and 2 * beside.differs >= beside.compared:
        return Suggestion(key, [pattern(path)], True, f"{told}; it differs in {differ}", figures)
    why = f"{told}; too few competing versions tell whether it is the writer's"
    return Suggestion(key, [pattern(path)], False, why, figures) if not beside.compared else None


def _how_many_edits(count: int) -> str:
    return f"only {times(count, 'edit')} can tell" if count else "no older revision is left to tell"


# --- numbers


def _counter(path: Path, field: Field) -> Iterator[Suggestion]:
    """Whole numbers that edits raise or lower by little.  One that goes up and down between a few
    values is a rank, and one that grows by one with every edit numbers the edits."""
    edits, beside = field.edits, field.collisions
    key = ("fields", pattern(path))
    moved = edits.up + edits.down
    figures = {
        "edits": edits.compared, "changed": edits.changed, "up": edits.up, "down": edits.down,
        "by_one": edits.ones, "furthest": edits.furthest, "conflicts_both_up": beside.both_up,
        "conflicts_contested": beside.contested,
    }  # fmt: skip
    named = bool(_COUNT_NAME.search(path[-1]))
    if moved < EVIDENCE:
        if named or (moved > 1 and edits.furthest <= SMALL_STEP and not _is_rank(field)):
            why = f"whole numbers, {field.smallest} to {field.greatest}; "
            why += f"{_seen_change(moved)}: too little to tell a counter from a value"
            yield Suggestion(key, "counter", False, why, figures)
        return
    told = (
        f"changed in {share(edits.changed, edits.compared, 'edits')}: {edits.up:,} up, "
        f"{edits.down:,} down, {edits.ones:,} by exactly one, at most by {edits.furthest:,}"
    )
    if beside.both_up:
        told += f"; in {times(beside.both_up, 'conflict')} both sides raised it"
    if edits.ones >= NEARLY_ALL * edits.compared and edits.compared >= EVIDENCE:
        why = f"{told}: it grows by one with nearly every edit and may number the edits"
        yield Suggestion(key, "max", False, why, figures)
    elif edits.changed == moved and edits.furthest <= SMALL_STEP and edits.up >= 0.8 * moved:
        yield Suggestion(key, "counter", True, told, figures)
    elif named or (edits.furthest <= SMALL_STEP and not _is_rank(field)):
        why = f"{told}: it may count, or be a value that people set"
        yield Suggestion(key, "counter", False, why, figures)


def _is_rank(field: Field) -> bool:
    """Whether a number goes up and down between a few values."""
    if field.smallest is None or field.greatest is None:
        return False
    return bool(field.edits.up and field.edits.down) and field.greatest - field.smallest <= A_FEW


def _have(count: int) -> str:
    return f"{count:,} of them {'has' if count == 1 else 'have'}"


def _seen_change(count: int) -> str:
    return f"{times(count, 'edit')} changed it" if count else "no edit of it is left to look at"


# --- lists


def _list(path: Path, field: Field) -> Iterator[Suggestion]:
    lists, edits = field.lists, field.edits
    text = pattern(path)
    if lists.filled and lists.of_strings == lists.filled:
        figures = {
            "lists": lists.filled, "with_repeats": lists.with_repeats, "changed": edits.changed,
            "only_reordered": edits.reordered,
        }  # fmt: skip
        if lists.with_repeats:
            why = f"strings, but {share(lists.with_repeats, lists.filled, 'lists')} repeat some"
            yield Suggestion(("fields", text), "sequence", False, why, figures)
            return
        hold = "holds" if lists.filled == 1 else "hold"
        why = f"{share(lists.filled, lists.filled, 'lists')} {hold} strings, none twice"
        if edits.reordered:
            why += f"; {share(edits.reordered, edits.changed, 'changes')} only moved elements"
            yield Suggestion(
                ("fields", text), "sequence", False, f"{why}: is the order theirs?", figures
            )
        elif lists.filled >= EVIDENCE:
            yield Suggestion(("fields", text), "set", True, why, figures)
        else:
            yield Suggestion(("fields", text), "set", False, f"{why}; these are few", figures)
    elif lists.filled and lists.of_objects == lists.filled:
        yield from _keyed(text, field)


def _keyed(text: str, field: Field) -> Iterator[Suggestion]:
    lists, edits = field.lists, field.edits
    whole = [name for name, count in lists.identities.items() if count == lists.of_objects]
    usual = [name for name in IDENTITY_KEYS if name in whole]
    named = [name for name in whole if _IDENTITY_NAME.search(name)]
    known = max(named, key=lambda name: edits.kept[name], default=None)
    name = usual[0] if usual else known
    if name is None:
        if whole and lists.several >= EVIDENCE:
            told = share(lists.of_objects, lists.of_objects, "lists")
            why = f"{whole[0]} tells elements apart in {told}; does it stay when one is edited?"
            yield Suggestion(
                ("identity_keys",), [whole[0]], False, why, {"lists": lists.of_objects}
            )
        return
    figures = {
        "lists": lists.of_objects, "of_several": lists.several, "edited": edits.kept[name],
        "identity": name,
    }  # fmt: skip
    why = (
        f"in {share(lists.of_objects, lists.of_objects, 'lists')} every element is an object and "
        f"has its own {name}; {_have(lists.several)} several"
    )
    if edits.kept[name]:
        why += f"; {times(edits.kept[name], 'edit')} changed an element that kept its {name}"
    certain = lists.several >= EVIDENCE and (name in usual or edits.kept[name] > 0)
    if not certain:
        why += (
            "; that is too little" if lists.several < EVIDENCE else "; no edit shows that it stays"
        )
    if name not in IDENTITY_KEYS:
        yield Suggestion(("identity_keys",), [name], certain, why, figures)
    yield Suggestion(("fields", text), "keyed", certain, why, figures)


# --- strings


def _text(path: Path, field: Field) -> Iterator[Suggestion]:
    texts = field.texts
    count = field.kinds["string"]
    average = round(texts.characters / count)
    of_one_line = count - texts.several_lines
    if average < LONG_TEXT or not of_one_line or texts.with_spaces < NEARLY_ALL * count:
        return
    why = (
        f"{average:,} characters on average, {share(of_one_line, count, 'values')} on a single line"
    )
    figures = {"values": count, "characters": average, "several_lines": texts.several_lines}
    certain = count >= EVIDENCE
    why += "" if certain else "; these are few"
    yield Suggestion(("fields", pattern(path)), "text", certain, why, figures)


def _choice(path: Path, field: Field) -> Iterator[Suggestion]:
    """A field with few values in which versions collide: which one is better is people's to say."""
    if field.is_full or not 2 <= len(field.values) <= FEW_VALUES or not field.collisions.open:
        return
    if field.counted < EVIDENCE * len(field.values):
        return
    values = field.values.most_common()
    shown = ", ".join(f"{value.decode()} {count:,}×" for value, count in values[:SHOWN_VALUES])
    why = (
        f"{times(field.collisions.open, 'conflict')} left open; {len(values)} values: {shown}; "
        "the order, the best first, is yours to say"
    )
    figures = {"open": field.collisions.open, "different": len(values)}
    # TOML has no null.
    preferred = {"prefer": [loads(value) for value, _ in values if value != b"null"]}
    yield Suggestion(("fields", pattern(path)), preferred, False, why, figures)
