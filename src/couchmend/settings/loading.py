"""Reading settings: explicit arguments, environment, TOML file; each value with where it stands."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from couchmend.errors import UsageError
from couchmend.settings.checking import checked, nearest, place, shown, unknown_key
from couchmend.settings.sections import (
    PREFIX,
    SECTIONS,
    TABLES,
    Settings,
    fields_of,
    types_of,
    variable,
)
from couchmend.settings.tables import entries

CONFIG_VARIABLE = "COUCHMEND_CONFIG"
FILE_NAME = "couchmend.toml"
POLICIES = "policies"
"""The tables of the same file that are no settings: `couchmend.policies` reads them."""


@dataclass(frozen=True, slots=True)
class _Given:
    """A value as it was given.  `strict` tells that its type must be right as it stands."""

    section: str
    name: str
    value: Any
    where: str
    strict: bool = True


def load(
    arguments: Mapping[str, Any] | None = None,
    *,
    config: str | Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> Settings:
    """The settings in force: of each the first that is given of an explicit argument, the
    environment variable `COUCHMEND_SECTION__NAME`, the TOML file, the default.

    arguments: explicit values by key (`"replica_server.port"`); None means not given.
    config: the TOML file; by default `$COUCHMEND_CONFIG`, or the first that exists of
        `./couchmend.toml`, `~/.config/couchmend/couchmend.toml` and
        `/etc/couchmend/couchmend.toml`.
    environment: variables to read instead of the process's own.

    Raises:
        UsageError: a file that cannot be read, a key that does not exist or a value that is
            not allowed: all of them at once, each with where it stands.
    """
    variables = os.environ if environment is None else environment
    problems: list[str] = []
    file = _file(config, variables)
    text, tables = ("", {}) if file is None else read_toml(file, "settings")
    given: dict[tuple[str, str], _Given] = {}
    for found in (
        *_from_file(file, text, tables, problems),
        *_from_environment(variables, problems),
        *_from_arguments(arguments or {}, problems),
    ):
        given[found.section, found.name] = found
    values: dict[str, dict[str, Any]] = {section: {} for section in SECTIONS}
    for found in given.values():
        try:
            kind = SECTIONS[found.section]
            value = checked(kind, found.name, found.value, strict=found.strict, file=file)
            values[found.section][found.name] = value
        except ValueError as problem:
            key = f"{found.section}.{found.name}"
            problems.append(
                f"{found.where}: {key} = {shown(found.value)} is not allowed: {problem}"
            )
    rows: dict[str, Any] = {
        name: entries(name, tables.get(name, []), file, text, problems) for name in TABLES
    }
    if problems:
        raise UsageError("; ".join(problems), operation="settings")
    sections: dict[str, Any] = {name: SECTIONS[name](**values[name]) for name in SECTIONS}
    return Settings(**sections, **rows, file=file)


def _file(config: str | Path | None, variables: Mapping[str, str]) -> Path | None:
    """The configuration file: one that is named must exist, the others may."""
    named = config or variables.get(CONFIG_VARIABLE)
    if named:
        file = Path(named).expanduser()
        if not file.is_file():
            source = "--config" if config else CONFIG_VARIABLE
            raise UsageError(
                "there is no such file",
                operation="settings",
                target=str(file),
                hint=f"{source} names it",
            )
        return file
    home = variables.get("HOME")
    candidates = [Path(FILE_NAME), Path("/etc/couchmend", FILE_NAME)]
    if home:
        candidates.insert(1, Path(home, ".config", "couchmend", FILE_NAME))
    return next((file for file in candidates if file.is_file()), None)


def read_toml(file: Path, operation: str) -> tuple[str, dict[str, Any]]:
    """The text of a configuration file, and what it says.

    operation: what errors call it that the file is read for.

    Raises:
        UsageError: it cannot be read, or is not TOML.
    """
    import tomllib

    try:
        text = file.read_text(encoding="utf-8")
        return text, tomllib.loads(text)
    except OSError as problem:
        raise UsageError(
            f"the configuration file cannot be read: {problem.strerror}",
            operation=operation,
            target=str(file),
        ) from problem
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as problem:
        raise UsageError(
            f"the configuration file cannot be read: {problem}",
            operation=operation,
            target=str(file),
            hint="it must be TOML in UTF-8",
        ) from problem


def _from_file(
    file: Path | None, text: str, tables: Mapping[str, Any], problems: list[str]
) -> Iterator[_Given]:
    for section, table in tables.items():
        if section in TABLES or section == POLICIES:
            continue
        where = place(file, text, section)
        if section not in SECTIONS:
            problems.append(f"{where}: there is no section [{section}]{nearest(section)}")
        elif not isinstance(table, dict):
            problems.append(f"{where}: {section} = {shown(table)} is not allowed: it is a section")
        else:
            for name, value in table.items():
                where = place(file, text, section, name)
                if _exists(section, name, f"{section}.{name}", where, problems):
                    yield _Given(section, name, value, where)


def _from_environment(variables: Mapping[str, str], problems: list[str]) -> Iterator[_Given]:
    for key in sorted(variables):
        section, separator, name = key.removeprefix(PREFIX).lower().partition("__")
        if key.startswith(PREFIX) and separator:
            where = f"environment variable {key}"
            if section in TABLES:
                problems.append(f"{where}: [[{section}]] stands in the configuration file only")
            elif section not in SECTIONS:
                every = [variable(s, n) for s in SECTIONS for n in fields_of(SECTIONS[s])]
                problems.append(f"{where}: there is no such setting{nearest(key, every)}")
            elif _exists(section, name, key, where, problems):
                value = _parsed(types_of(SECTIONS[section])[name], variables[key])
                yield _Given(section, name, value, where, strict=False)


def _from_arguments(arguments: Mapping[str, Any], problems: list[str]) -> Iterator[_Given]:
    for key, value in arguments.items():
        section, _, name = key.partition(".")
        if section not in SECTIONS:
            problems.append(f"argument: there is no setting {key}{nearest(key)}")
        elif _exists(section, name, key, "argument", problems) and value is not None:
            value = tuple(value) if isinstance(value, list) else value
            yield _Given(section, name, value, "argument")


def _exists(section: str, name: str, key: str, where: str, problems: list[str]) -> bool:
    if name in fields_of(SECTIONS[section]):
        return True

    def said(meant: str) -> str:
        return variable(section, meant) if key.startswith(PREFIX) else f"{section}.{meant}"

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
