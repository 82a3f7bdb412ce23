"""Where settings are given: explicit arguments, environment variables, the TOML file."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from couchmend.settings.checking import nearest, place, shown, unknown_key
from couchmend.settings.fields import fields_of, types_of
from couchmend.settings.sections import PREFIX, SECTIONS, TABLES, key_of, variable

POLICIES = "policies"
"""The tables of the same file that are no settings: `couchmend.policies` reads them."""
LOG_LEVEL = "LOG_LEVEL"
"""What many programs call the variable; it is read too."""


@dataclass(frozen=True, slots=True)
class Given:
    """A value as it was given.  `strict` tells that its type must be right as it stands."""

    section: str
    name: str
    value: Any
    where: str
    strict: bool = True


def from_file(
    file: Path | None, text: str, tables: Mapping[str, Any], problems: list[str]
) -> Iterator[Given]:
    """What the file says, its tables aside."""
    for section, table in tables.items():
        if section in TABLES or section == POLICIES:
            continue
        where = place(file, text, section)
        if section in fields_of(SECTIONS[""]):
            yield Given("", section, table, where)
        elif section not in SECTIONS or not section:
            said = f"section [{section}]" if isinstance(table, dict) else f"setting {section}"
            problems.append(f"{where}: there is no {said}{nearest(section)}")
        elif not isinstance(table, dict):
            problems.append(f"{where}: {section} = {shown(table)} is not allowed: it is a section")
        else:
            for name, value in table.items():
                where = place(file, text, section, name)
                if _exists(section, name, f"{section}.{name}", where, problems):
                    yield Given(section, name, value, where)


def from_environment(variables: Mapping[str, str], problems: list[str]) -> Iterator[Given]:
    """What the environment says.  An empty `LOG_LEVEL` says nothing."""
    if variables.get(LOG_LEVEL, "").strip():
        yield Given("logs", "level", variables[LOG_LEVEL], f"environment variable {LOG_LEVEL}")
    for name in fields_of(SECTIONS[""]):
        key = variable("", name)
        if key in variables:
            yield Given("", name, variables[key].strip(), f"environment variable {key}")
    for key in sorted(variables):
        section, separator, name = key.removeprefix(PREFIX).lower().partition("__")
        if key.startswith(PREFIX) and separator:
            where = f"environment variable {key}"
            if section in TABLES:
                problems.append(f"{where}: [[{section}]] stands in the configuration file only")
            elif section not in SECTIONS or not section:
                every = [variable(s, n) for s in SECTIONS for n in fields_of(SECTIONS[s])]
                problems.append(f"{where}: there is no such setting{nearest(key, every)}")
            elif _exists(section, name, key, where, problems):
                kind = SECTIONS[section]
                if fields_of(kind)[name]["in_file_only"]:
                    problems.append(f"{where}: {section}.{name} stands in the file only")
                    continue
                value = _parsed(types_of(kind)[name], variables[key])
                yield Given(section, name, value, where, strict=False)


def from_arguments(arguments: Mapping[str, Any], problems: list[str]) -> Iterator[Given]:
    """What was given explicitly; None is not."""
    for key, value in arguments.items():
        section, dot, name = key.rpartition(".")
        if section not in SECTIONS:
            problems.append(f"argument: there is no setting {key}{nearest(key)}")
        elif not dot and key in SECTIONS:
            problems.append(f"argument: {key} is a section, its settings are {key}.NAME")
        elif _exists(section, name, key, "argument", problems) and value is not None:
            value = tuple(value) if isinstance(value, list) else value
            yield Given(section, name, value, "argument")


def _exists(section: str, name: str, key: str, where: str, problems: list[str]) -> bool:
    if name in fields_of(SECTIONS[section]):
        return True
    if not section:
        problems.append(f"{where}: there is no setting {key}{nearest(key)}")
        return False

    def said(meant: str) -> str:
        return variable(section, meant) if key.startswith(PREFIX) else key_of(section, meant)

    why = unknown_key(SECTIONS[section], name, f"[{section}]", said)
    problems.append(f"{where}: there is no setting {key}{why}")
    return False


def _parsed(kind: Any, text: str) -> Any:
    """What an environment variable says: lists as JSON or with commas, the rest as it stands."""
    if kind != tuple[str, ...]:
        return text.strip()
    if text.lstrip().startswith("["):
        try:
            return json.loads(text)
        except ValueError:
            return text
    return [part for part in (part.strip() for part in text.split(",")) if part]
