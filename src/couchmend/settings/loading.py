"""Reading settings: explicit arguments, environment, TOML file; each value with where it stands."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from couchmend.errors import UsageError
from couchmend.settings.checking import checked, shown
from couchmend.settings.effects import without_effect_in
from couchmend.settings.sections import (
    ATTRIBUTES,
    PROFILE_DEFAULTS,
    SECTIONS,
    TABLES,
    Settings,
    key_of,
)
from couchmend.settings.sources import (
    POLICIES,
    Given,
    from_arguments,
    from_environment,
    from_file,
)
from couchmend.settings.tables import entries

__all__ = ["POLICIES", "ConfigurationError", "Reading", "load", "read", "read_toml"]

CONFIG_VARIABLE = "COUCHMEND_CONFIG"
FILE_NAME = "couchmend.toml"


class ConfigurationError(UsageError):
    """The configuration is wrong; `problems` are the mistakes, all of them, each in a sentence
    that begins with where it stands."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("; ".join(problems), operation="settings")
        self.problems = tuple(problems)

    @property
    def mistakes(self) -> tuple[str, ...]:
        """The problems as they are."""
        return self.problems


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read: the settings as far as they are right, and what is wrong.

    origins: by key, where a value that was given stands; what is missing here is a default.
    text, tables: the file's text, and what it says.
    """

    settings: Settings
    problems: tuple[str, ...]
    origins: Mapping[str, str]
    text: str
    tables: Mapping[str, Any]


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
        UsageError: a file cannot be read.
        ConfigurationError: keys that do not exist or values that are not allowed: all of them
            at once, each with where it stands.
    """
    found = read(arguments, config=config, environment=environment)
    if found.problems:
        raise ConfigurationError(found.problems)
    return found.settings


def read(
    arguments: Mapping[str, Any] | None = None,
    *,
    config: str | Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> Reading:
    """As `load`, but what is wrong is told instead of raised.

    Raises:
        UsageError: a file cannot be read.
    """
    variables = os.environ if environment is None else environment
    problems: list[str] = []
    file = _file(config, variables)
    text, tables = ("", {}) if file is None else read_toml(file, "settings")
    given: dict[tuple[str, str], Given] = {}
    for found in (
        *from_file(file, text, tables, problems),
        *from_environment(variables, problems),
        *from_arguments(arguments or {}, problems),
    ):
        given[found.section, found.name] = found
    values = _checked(given, file, problems)
    problems += [
        f"{given[place].where}: {key_of(*place)} = {shown(given[place].value)} has no effect: {why}"
        for place, why in without_effect_in(values)
    ]
    profile = values.get(("", "profile"), "development")
    for place, value in PROFILE_DEFAULTS[profile].items():
        values.setdefault(place, value)
    kinds = {name: dict[str, Any]() for name in SECTIONS}
    for (section, name), value in values.items():
        kinds[section][name] = value
    sections: dict[str, Any] = {
        ATTRIBUTES.get(name, name): SECTIONS[name](**kinds[name]) for name in SECTIONS
    }
    rows: dict[str, Any] = {
        name: entries(name, tables.get(name, []), file, text, problems) for name in TABLES
    }
    return Reading(
        Settings(**sections, **rows, file=file),
        tuple(problems),
        {key_of(*place): found.where for place, found in given.items()},
        text,
        tables,
    )


def _checked(
    given: Mapping[tuple[str, str], Given], file: Path | None, problems: list[str]
) -> dict[tuple[str, str], Any]:
    values = {}
    for (section, name), found in given.items():
        try:
            # Paths count from the folder of the file that says them.
            folder = file if str(found.where).startswith(f"{file}") else None
            values[section, name] = checked(
                SECTIONS[section], name, found.value, strict=found.strict, file=folder
            )
        except ValueError as problem:
            problems.append(
                f"{found.where}: {key_of(section, name)} = {shown(found.value)} is not allowed:"
                f" {problem}"
            )
    return values


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
