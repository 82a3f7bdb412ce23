"""The settings as a page of Markdown and as an example of a file, both written from the table."""

from __future__ import annotations

import dataclasses
import json
import re
import textwrap
from collections.abc import Iterator
from typing import Any

from couchmend.settings.fields import fields_of
from couchmend.settings.sections import (
    PROFILE_DEFAULTS,
    SECTIONS,
    TABLES,
    Row,
    describe,
    describe_tables,
    key_of,
)

INTRODUCTION = """\
Settings are read from a file `couchmend.toml`: the one that `--config` or
`$COUCHMEND_CONFIG` names, or the first of `./couchmend.toml`,
`~/.config/couchmend/couchmend.toml` and `/etc/couchmend/couchmend.toml`.  A variable
`COUCHMEND_SECTION__NAME` overrides the file, an option of a command both.  `LOG_LEVEL` is
`COUCHMEND_LOGS__LEVEL`.  A relative path in the file counts from the file's folder.
[Policies](../concepts/policies.md) stand in the same file.
"""


def markdown() -> Iterator[str]:
    """Every setting, section by section; pieces of the page, each of one or more lines."""
    yield INTRODUCTION
    for kinds, rows, mark in (
        (SECTIONS, describe(), "[{}]"),
        (TABLES, describe_tables(), "[[{}]]"),
    ):
        for section, kind in kinds.items():
            yield f"\n## {f'`{mark.format(section)}`' if section else 'Above all sections'}\n"
            yield _about(kind) + "\n"
            if kinds is TABLES:
                yield "It may stand in the file any number of times, and only there.\n"
            yield "| setting | type | default | what it does |\n|---|---|---|---|"
            for row in rows:
                head, _, name = row.key.rpartition(".")
                if head == section:
                    default = "" if row.default is None else f"`{toml(row.default)}`"
                    yield f"| `{name}` | {row.type} | {default} | {_cell(row.help)} |"
    yield "\n## Profiles\n"
    yield "What a profile sets holds where the setting itself is not given.\n"
    yield "| profile | sets |\n|---|---|"
    for profile, defaults in PROFILE_DEFAULTS.items():
        said = ", ".join(f"`{key_of(*key)} = {toml(value)}`" for key, value in defaults.items())
        yield f"| `{profile}` | {said or 'nothing'} |"


def _about(kind: type) -> str:
    first, _, rest = (kind.__doc__ or "").partition("\n\n")
    about = first.partition(": ")[2]
    return " ".join(_cell(part) for part in (about[:1].upper() + about[1:], rest) if part)


def _cell(text: str) -> str:
    """Text for a table: members of documents as code, Markdown's signs as they are."""
    sentence = " ".join(text.split()).replace("|", "\\|").replace("*", "\\*")
    return re.sub(r"(?<![`\w])(_\w+)(?!`)", r"`\1`", sentence)


def toml(value: object) -> str:
    """A value as TOML writes it."""
    match value:
        case bool():
            return str(value).lower()
        case str():
            return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
        case dict():
            pairs = (f"{toml_key(key)} = {toml(item)}" for key, item in value.items())
            return f"{{ {', '.join(pairs)} }}" if value else "{}"
        case list() | tuple():
            return "[" + ", ".join(toml(item) for item in value) + "]"
        case _:
            return str(value)


def toml_key(name: str) -> str:
    """A key as TOML writes it."""
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else toml(name)


POLICY = """\
# What becomes of what two versions changed.  `couchmend policy check` checks it.

#[policies.tasks]
#match = { type = "task" }                 # which documents: a Mango selector
#
#[policies.tasks.fields]
#tags = "set"
#completedPomodoros = "counter"
#status = { prefer = ["done", "in_progress", "todo"] }
"""


def example(profile: str = "development") -> str:
    """A configuration with every setting in it, all but the profile commented out."""
    return "\n".join(_example(profile)).rstrip() + "\n"


def _example(profile: str) -> Iterator[str]:
    yield "# The configuration of couchmend.  A line like `#name = value` shows what holds, or an"
    yield "# example; take its `#` away and change it."
    yield "# `couchmend config check` finds mistakes, `couchmend config show` says what holds."
    rows = {row.key: row for row in (*describe(), *describe_tables())}
    order = ("", "databases", "servers", *(name for name in SECTIONS if name))
    for section in order:
        kind = (SECTIONS | TABLES)[section]  # type: ignore[operator]
        is_table = section in TABLES
        yield ""
        if section:
            yield from _comment(_plainly(kind))
            yield ""
            yield f"#[[{section}]]" if is_table else f"[{section}]"
        for entry in dataclasses.fields(kind):
            row = rows[key_of(section, entry.name)]
            yield from _comment(row.help)
            if row.key == "profile":
                yield f"profile = {toml(profile)}"
            else:
                yield f"#{entry.name} = {toml(_shown(kind, row, section, entry.name, profile))}"
            yield ""
    yield POLICY


def _shown(kind: type, row: Row, section: str, name: str, profile: str) -> Any:
    given = fields_of(kind)[name]["example"]
    if given is not None:
        return given
    return PROFILE_DEFAULTS[profile].get((section, name), row.default)


def _plainly(kind: type) -> str:
    first, _, rest = (kind.__doc__ or "").partition("\n\n")
    about = first.partition(": ")[2]
    return " ".join(f"{about[:1].upper()}{about[1:]} {rest}".split())


def _comment(text: str) -> Iterator[str]:
    yield from textwrap.wrap(
        " ".join(text.split()), width=88, initial_indent="# ", subsequent_indent="# "
    )
