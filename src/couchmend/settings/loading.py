"""Reading settings: explicit arguments, environment, TOML file; each value with where it stands."""

from __future__ import annotations

import difflib
import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from couchmend.errors import UsageError
from couchmend.settings.sections import (
    PREFIX,
    SECTIONS,
    Settings,
    fields_of,
    in_words,
    types_of,
    variable,
)

CONFIG_VARIABLE = "COUCHMEND_CONFIG"
FILE_NAME = "couchmend.toml"


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
    given: dict[tuple[str, str], _Given] = {}
    for found in (
        *_from_file(file, problems),
        *_from_environment(variables, problems),
        *_from_arguments(arguments or {}, problems),
    ):
        given[found.section, found.name] = found
    values: dict[str, dict[str, Any]] = {section: {} for section in SECTIONS}
    for found in given.values():
        try:
            values[found.section][found.name] = _checked(found)
        except ValueError as problem:
            key = f"{found.section}.{found.name}"
            problems.append(f"{found.where}: {key} = {found.value!r} is not allowed: {problem}")
    if problems:
        raise UsageError("; ".join(problems), operation="settings")
    return Settings(**{name: SECTIONS[name](**values[name]) for name in SECTIONS}, file=file)


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


def _from_file(file: Path | None, problems: list[str]) -> Iterator[_Given]:
    if file is None:
        return
    import tomllib

    try:
        text = file.read_text(encoding="utf-8")
        tables = tomllib.loads(text)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as problem:
        raise UsageError(
            f"the configuration file cannot be read: {problem}",
            operation="settings",
            target=str(file),
            hint="it must be TOML in UTF-8",
        ) from problem
    for section, table in tables.items():
        where = _place(file, text, section)
        if section not in SECTIONS:
            problems.append(f"{where}: there is no section [{section}]{_nearest(section)}")
        elif not isinstance(table, dict):
            problems.append(f"{where}: {section} = {table!r} is not allowed: it is a section")
        else:
            for name, value in table.items():
                where = _place(file, text, section, name)
                if _exists(section, name, f"{section}.{name}", where, problems):
                    yield _Given(section, name, value, where)


def _from_environment(variables: Mapping[str, str], problems: list[str]) -> Iterator[_Given]:
    for key in sorted(variables):
        section, separator, name = key.removeprefix(PREFIX).lower().partition("__")
        if key.startswith(PREFIX) and separator:
            where = f"environment variable {key}"
            if section not in SECTIONS:
                every = [variable(s, n) for s in SECTIONS for n in fields_of(SECTIONS[s])]
                problems.append(f"{where}: there is no such setting{_nearest(key, every)}")
            elif _exists(section, name, key, where, problems):
                value = _parsed(types_of(SECTIONS[section])[name], variables[key])
                yield _Given(section, name, value, where, strict=False)


def _from_arguments(arguments: Mapping[str, Any], problems: list[str]) -> Iterator[_Given]:
    for key, value in arguments.items():
        section, _, name = key.partition(".")
        if section not in SECTIONS:
            problems.append(f"argument: there is no setting {key}{_nearest(key)}")
        elif _exists(section, name, key, "argument", problems) and value is not None:
            value = tuple(value) if isinstance(value, list) else value
            yield _Given(section, name, value, "argument")


def _exists(section: str, name: str, key: str, where: str, problems: list[str]) -> bool:
    names = fields_of(SECTIONS[section])
    if name in names:
        return True
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    if near:
        meant = variable(section, near[0]) if key.startswith(PREFIX) else f"{section}.{near[0]}"
        problems.append(f"{where}: there is no setting {key} (did you mean {meant}?)")
    else:
        problems.append(f"{where}: there is no setting {key} ([{section}] has {', '.join(names)})")
    return False


def _nearest(word: str, known: list[str] | None = None) -> str:
    """What may have been meant, as the end of a sentence."""
    known = known or [*SECTIONS, *(f"{s}.{n}" for s in SECTIONS for n in fields_of(SECTIONS[s]))]
    near = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    return f" (did you mean {near[0]}?)" if near else f" (there are {', '.join(SECTIONS)})"


def _place(file: Path, text: str, section: str, name: str | None = None) -> str:
    """`file:line` of a section or of a key in it, or the file alone where that is unclear."""
    inside = False
    for number, line in enumerate(text.splitlines(), 1):
        if header := re.match(r"\s*\[+\s*([^\]]+?)\s*\]", line):
            inside = header[1].strip("\"'") == section
            if inside and name is None:
                return f"{file}:{number}"
        elif name is None:
            if re.match(rf"\s*[\"']?{re.escape(section)}[\"']?\s*[=.]", line):
                return f"{file}:{number}"
        elif inside and re.match(rf"\s*[\"']?{re.escape(name)}[\"']?\s*[=.]", line):
            return f"{file}:{number}"
    return str(file)


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


def _checked(found: _Given) -> Any:
    """The value in its one form, or `ValueError` that says what is allowed."""
    from pydantic import Field, TypeAdapter, ValidationError

    section = SECTIONS[found.section]
    about = fields_of(section)[found.name]
    kind = types_of(section)[found.name]
    # A list is what TOML and JSON have; the settings themselves cannot change.
    is_list = kind == tuple[str, ...]
    bounds = {"ge": about["least"], "le": about["most"]}
    limits = Field(**{key: bound for key, bound in bounds.items() if bound is not None})
    value = list(found.value) if isinstance(found.value, tuple) else found.value
    allowed: Any = Annotated[list[str] if is_list else kind, limits]
    try:
        checked = TypeAdapter(allowed).validate_python(value, strict=found.strict)
    except ValidationError as problem:
        raise ValueError(f"it is {in_words(section, found.name)}") from problem
    if is_list:
        return tuple(_in_form(about["form"], item) for item in checked)
    return _in_form(about["form"], checked)


def _in_form(form: Callable[[str], str] | None, value: Any) -> Any:
    try:
        return value if form is None else form(value)
    except ValueError as problem:
        raise ValueError(f"{value!r}: {problem}") from problem
