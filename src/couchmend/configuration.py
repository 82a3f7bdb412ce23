"""The whole configuration: settings, policies and hooks, read together, so that all that is wrong
is told at once."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from couchmend import settings as of_settings
from couchmend.errors import UsageError
from couchmend.functions import imported
from couchmend.settings import ConfigurationError, Settings
from couchmend.settings.checking import nearest, place, shown
from couchmend.settings.loading import POLICIES

if TYPE_CHECKING:
    from couchmend.policies import Policies

Hook: TypeAlias = Callable[[Any], object]

DEFAULT = "default"
"""The policy that there always is."""


@dataclass(frozen=True, slots=True)
class Configuration:
    """Everything that is configured, and nothing wrong with it.

    hooks: the functions that the file names, by what they are called for.
    origins: by key, where a setting that was given stands; what is missing is a default.
    tables: what the file says, as TOML has it.
    """

    settings: Settings
    policies: Policies
    hooks: Mapping[str, tuple[Hook, ...]]
    origins: Mapping[str, str] = field(default_factory=dict)
    tables: Mapping[str, Any] = field(default_factory=dict)


def load_all(
    arguments: Mapping[str, Any] | None = None,
    *,
    config: str | Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> Configuration:
    """The configuration in force; arguments as for `settings.load`.

    Raises:
        UsageError: the file cannot be read.
        ConfigurationError: all that is wrong with it, each mistake with where it stands.
    """
    from couchmend import policies
    from couchmend.core.policy.data import PolicyError

    reading = of_settings.read(arguments, config=config, environment=environment)
    settings = reading.settings
    problems = list(reading.problems)
    file = settings.file
    found = policies.Policies()
    hooks: dict[str, tuple[Hook, ...]] = {}
    if file is not None:
        given = reading.tables.get(POLICIES, {})
        try:
            found = policies.from_tables(given, file=file, text=reading.text)
        except PolicyError as problem:
            problems += [one.message for one in problem.problems]
        names = [*given] if isinstance(given, dict) else []
        problems += _unknown_policies(reading.tables, names, file, reading.text)
        hooks = _hooks(settings, file, reading.text, problems)
    if problems:
        raise ConfigurationError(_in_order(problems, file))
    return Configuration(settings, found, hooks, reading.origins, reading.tables)


def _unknown_policies(
    tables: Mapping[str, Any], names: Sequence[str], file: Path, text: str
) -> Iterator[str]:
    """Policies that a database names and that there are not."""
    known = list(dict.fromkeys([*names, DEFAULT]))
    entries = tables.get("databases", [])
    for number, entry in enumerate(entries if isinstance(entries, list) else []):
        wanted = entry.get("policy") if isinstance(entry, dict) else None
        for name in wanted if isinstance(wanted, list) else [wanted]:
            if isinstance(name, str) and name not in known:
                where = place(file, text, "databases", "policy", number)
                meant = nearest(name, known) or f" (there are {', '.join(known)})"
                yield (
                    f"{where}: databases[{number}].policy = {shown(wanted)} is not allowed: there"
                    f" is no policy {name!r}{meant}"
                )


def _hooks(
    settings: Settings, file: Path, text: str, problems: list[str]
) -> dict[str, tuple[Hook, ...]]:
    found: dict[str, tuple[Hook, ...]] = {}
    for kind in fields(settings.hooks):
        functions = []
        for name in getattr(settings.hooks, kind.name):
            try:
                function = imported(name, file)
                if not callable(function):
                    raise UsageError(f"it is {type(function).__name__}, not a function")
                functions.append(function)
            except Exception as problem:  # noqa: BLE001  # anyone's code; its message is kept
                why = (
                    problem.message
                    if isinstance(problem, UsageError)
                    else f"{type(problem).__name__}: {problem}"
                )
                where = place(file, text, "hooks", kind.name)
                problems.append(f"{where}: hooks.{kind.name} = {name!r} cannot be loaded: {why}")
        found[kind.name] = tuple(functions)
    return found


def _in_order(problems: Sequence[str], file: Path | None) -> list[str]:
    """Mistakes in the order of the file's lines; what stands elsewhere comes last."""

    def line(problem: str) -> float:
        match = re.match(rf"{re.escape(str(file))}:(\d+): ", problem)
        return int(match[1]) if match else float("inf")

    return sorted(problems, key=line)
