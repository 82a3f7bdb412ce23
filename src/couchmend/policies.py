"""Policies from a configuration file: its tables `[policies.NAME]`.

A field's rule may also be a resolver that is installed, by the name of its entry point in the
group `couchmend.resolvers`, or one of one's own, `module:function`: a module that is installed,
or a file `module.py` beside the configuration file.  The latter is code, and is taken from
configuration files only.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from couchmend.core.document import JSON
from couchmend.core.policy.data import Key, PolicyError, Problem, did_you_mean, dotted
from couchmend.core.policy.policy import DEFAULT, Policy, choose
from couchmend.core.policy.resolvers import Resolver
from couchmend.core.policy.rules import MODULE_AND_FUNCTION, as_resolver, is_known
from couchmend.errors import UsageError
from couchmend.functions import imported
from couchmend.settings.checking import place
from couchmend.settings.loading import POLICIES, read_toml

GROUP = "couchmend.resolvers"

_FAILED = Resolver("failed", about="stands for one that could not be loaded")


@dataclass(frozen=True, slots=True)
class Policies:
    """The policies of a configuration file, in its order."""

    each: tuple[Policy, ...] = ()

    def __iter__(self) -> Iterator[Policy]:
        return iter(self.each)

    def __len__(self) -> int:
        return len(self.each)

    @property
    def default(self) -> Policy:
        """The one named `default`, or what holds where nothing is said."""
        return next((policy for policy in self.each if policy.name == "default"), DEFAULT)

    def named(self, name: str) -> Policy:
        """The one of a name.

        Raises:
            UsageError: there is none.
        """
        for policy in (*self.each, self.default):
            if policy.name == name:
                return policy
        names = list(dict.fromkeys([*(policy.name for policy in self.each), "default"]))
        hint = did_you_mean(name, names).strip(" ()") or f"there are {', '.join(names)}"
        raise UsageError(f"there is no policy {name!r}", hint=hint)

    def choose(self, doc: Mapping[str, JSON], names: Iterable[str] | None = None) -> Policy:
        """The policy for a document, with its `_id`: the first that matches, else the default.

        names: those to choose from, in this order; by default all that have a `match` or `ids`.
            One without either is for whoever names it, and matches any document.

        Raises:
            UsageError: there is no policy of a name.
        """
        if names is None:
            among = [policy for policy in self.each if policy.match is not None or policy.ids]
        else:
            among = [self.named(name) for name in names]
        return choose([*among, self.default], doc)


def load(file: str | Path) -> Policies:
    """The policies of a configuration file.

    Raises:
        UsageError: the file cannot be read, or is not TOML.
        PolicyError: all that is wrong with them, each with where it stands.
    """
    file = Path(file)
    text, tables = read_toml(file, "policies")
    return from_tables(tables.get(POLICIES, {}), file=file, text=text)


def from_tables(given: Any, *, file: Path, text: str = "") -> Policies:
    """The policies that tables of a configuration file say.

    given: what the file has under `policies`.
    text: the file's text, for the lines at which mistakes stand.

    Raises:
        PolicyError: all that is wrong with them, each with where it stands.
    """
    problems: list[Problem] = []
    found = []
    if not isinstance(given, dict):
        problems.append(_not_a_table((POLICIES,), given))
        given = {}
    for name, table in given.items():
        if not isinstance(table, dict):
            problems.append(_not_a_table((POLICIES, name), table))
            continue
        resolvers = _resolvers(name, table, file, problems)
        try:
            found.append(Policy.from_data(table, name=name, resolvers=resolvers))
        except PolicyError as problem:
            problems += problem.problems
    if problems:
        raise PolicyError(_placed(problems, file, text))
    return Policies(tuple(found))


def _not_a_table(key: Key, value: object) -> Problem:
    written = f"[{dotted(key)}]" if len(key) > 1 else f"[{key[0]}.NAME]"
    return Problem(key, f"{dotted(key)} = {value!r} is not allowed: it is a table {written}")


def _placed(problems: Iterable[Problem], file: Path, text: str) -> list[Problem]:
    """Mistakes with where they stand, in the order of the file."""
    placed = []
    for problem in problems:
        where = _place(file, text, problem.key)
        line = where.removeprefix(f"{file}:")
        at = int(line) if line.isdecimal() else 0
        placed.append((at, Problem(problem.key, f"{where}: {problem.message}")))
    return [problem for _, problem in sorted(placed, key=lambda one: one[0])]


def _place(file: Path, text: str, key: Key) -> str:
    """`file:line` of a key, of the innermost table around it that is found, or the file."""
    for end in range(len(key), 1, -1):
        for cut in range(end - 1, 0, -1):
            found = place(file, text, ".".join(key[:cut]), ".".join(key[cut:end]))
            if found != str(file):
                return found
        found = place(file, text, ".".join(key[:end]))
        if found != str(file):
            return found
    return place(file, text, key[0])


# --- resolvers


def registered() -> Mapping[str, Resolver]:
    """The installed resolvers, by the names of their entry points.

    Raises:
        UsageError: one cannot be loaded.
    """
    found = {}
    for name, point in _points().items():
        try:
            found[name] = as_resolver(name, _callable(point.load()))
        except Exception as problem:  # anyone's code; its message is kept
            raise UsageError(
                f"the resolver cannot be loaded: {_told(problem)}",
                operation="policies",
                target=f"{name} = {point.value}",
                hint=f"it is installed as an entry point of {GROUP}",
            ) from problem
    return found


def _resolvers(
    policy: str, table: Mapping[str, Any], file: Path, problems: list[Problem]
) -> dict[str, Resolver]:
    """The resolvers that a policy's fields name and that are not built in."""
    fields = table.get("fields")
    found: dict[str, Resolver] = {}
    points = None
    for field, name in fields.items() if isinstance(fields, dict) else ():
        if not isinstance(name, str) or is_known(name) or name in found:
            continue
        points = _points() if points is None else points
        try:
            if name in points:
                found[name] = as_resolver(name, _callable(points[name].load()))
            elif MODULE_AND_FUNCTION.fullmatch(name):
                found[name] = as_resolver(name, _callable(imported(name, file)))
        except Exception as problem:  # noqa: BLE001  # anyone's code; its message is kept
            key = (POLICIES, policy, "fields", field)
            why = f"{dotted(key)} = {name!r} cannot be loaded: {_told(problem)}"
            problems.append(Problem(key, why))
            found[name] = _FAILED
    return found


def _points() -> dict[str, Any]:
    from importlib.metadata import entry_points

    return {point.name: point for point in entry_points(group=GROUP)}


def _told(problem: Exception) -> str:
    if isinstance(problem, UsageError):
        return problem.message
    return f"{type(problem).__name__}: {problem}"


def _callable(found: Any) -> Any:
    """A resolver, or a function that may be one.

    Raises:
        UsageError: it is neither.
    """
    if isinstance(found, Resolver):
        return found
    if not callable(found):
        raise UsageError(f"it is {type(found).__name__}, not a function")
    import inspect

    try:
        inspect.signature(found).bind(None, None, None, None)
    except TypeError as problem:
        raise UsageError("it does not take (base, current, other, context)") from problem
    except ValueError:  # some that are not written in Python do not say what they take
        pass
    return found
