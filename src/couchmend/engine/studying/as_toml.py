"""Suggested policies as a configuration file has them, with what each line rests on."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime

from couchmend.core.document import JSON
from couchmend.engine.studying.study import Study
from couchmend.engine.studying.suggestion import SuggestedPolicy, Suggestion, times
from couchmend.errors import without_credentials

_BARE = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)
WIDTH = 96
_SHOWN_COLLISIONS = 8


def as_toml(made: Study, policies: Sequence[SuggestedPolicy], mode: str | None = None) -> str:
    """The text of the file; without its comments it has what is certain.

    mode: what may be done in the database; the file names it then.
    """
    lines = [*_head(made)]
    if mode is not None:
        lines += _database(made, mode)
    return "\n".join([*lines, *(line for one in policies for line in _policy(one))]) + "\n"


def _database(made: Study, mode: str) -> Iterator[str]:
    yield ""
    yield "[[databases]]"
    yield f"name = {_string(made.name)}"
    yield f"url = {_string(without_credentials(made.url))}"
    yield f"mode = {_string(mode)}"


def _head(made: Study) -> Iterator[str]:
    day = datetime.fromtimestamp(made.now / 1_000_000, UTC).date().isoformat()
    yield from _comment(f"Policies for {without_credentials(made.url)}, suggested on {day}.")
    drawn = made.sample
    if not made.read:
        yield from _comment("No document was found there: nothing is suggested.")
        return
    looked = "documents were read" if made.read != 1 else "document was read"
    of = "" if drawn.is_whole else f", a sample of {drawn.documents:,}"
    yield from _comment(
        f"{made.read:,} {looked}{of}; {made.in_conflict:,} of them are in conflict, of "
        f"{drawn.several:,} in all that have several leaf revisions."
    )
    yield from _comment(
        "A line that is commented out is not certain; why, stands above it. "
        "`couchmend policy test` tells what a policy does to the conflicts that there are."
    )


def _policy(one: SuggestedPolicy) -> Iterator[str]:
    yield ""
    table = ("policies", one.name)
    yield f"[{_key(table)}]"
    for sentence in one.about:
        yield from _comment(sentence)
    if one.collisions:
        shown = list(one.collisions.items())[:_SHOWN_COLLISIONS]
        told = ", ".join(f"{name} {both:,} ({left:,})" for name, (both, left) in shown)
        more = len(one.collisions) - len(shown)
        yield from _comment(
            "Fields that several versions changed in different ways, in how many conflicts, and in "
            f"how many of them the usual rules leave that open: {told}"
            + (f", and {times(more, 'other field')}." if more else ".")
        )
    if one.match is not None:
        yield f"match = {_value(dict(one.match))}"
    if one.ids:
        yield f"ids = {_value(list(one.ids))}"
    own = [said for said in one.suggestions if len(said.key) == 1]
    for said in own:
        yield from _line(said)
    fields = [said for said in one.suggestions if len(said.key) == 2]
    if fields:
        yield ""
        yield f"[{_key((*table, 'fields'))}]"
        for said in fields:
            yield from _line(said)


def _line(said: Suggestion) -> Iterator[str]:
    yield from _comment(
        f"{said.key[-1]}: {said.reason}." if len(said.key) > 1 else f"{said.reason}."
    )
    line = f"{_key(said.key[-1:])} = {_value(said.value)}"
    yield line if said.certain else f"# {line}"


def _comment(sentence: str) -> Iterator[str]:
    """A sentence as comments, no wider than a page; what TOML does not take there is escaped."""
    line = "#"
    for word in _plain(sentence).split(" "):
        if len(line) + 1 + len(word) > WIDTH and line != "#":
            yield line
            line = "#"
        line += f" {word}"
    yield line


def _plain(text: str) -> str:
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def _key(parts: Sequence[str]) -> str:
    return ".".join(part if _BARE.fullmatch(part) else _string(part) for part in parts)


def _string(text: str) -> str:
    """A basic string of TOML: JSON's, but for DEL."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _value(value: JSON) -> str:
    match value:
        case str():
            return _string(value)
        case list():
            return f"[{', '.join(map(_value, value))}]"
        case Mapping():
            pairs = (f"{_key((name,))} = {_value(one)}" for name, one in value.items())
            return f"{{ {', '.join(pairs)} }}"
    return json.dumps(value)
