"""A policy's plain data, checked: what configuration files and programs write.

Everything that is wrong is found at once, each mistake with its key, its value, what is allowed,
and the nearest name where one was misspelt.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, Literal, TypeAlias, get_args

from couchmend.core.document import JSON, check
from couchmend.core.paths import Path
from couchmend.core.policy.builtin import ALIASES, BUILTIN, prefer
from couchmend.core.policy.metadata import Checksum
from couchmend.core.policy.metadata import Form as ChecksumForm
from couchmend.core.policy.patterns import Pattern, Wild
from couchmend.core.policy.resolvers import Resolver
from couchmend.core.selector import Selector
from couchmend.errors import BadRequest, DocumentInvalid, UsageError

Key: TypeAlias = tuple[str, ...]

ConflictType: TypeAlias = Literal[
    "merge_candidates", "edit_edit", "edit_delete", "version_mismatch", "checksum_mismatch"
]
FieldClass: TypeAlias = Literal["critical", "high", "medium", "other"]
Limit: TypeAlias = Literal["never", "low", "medium", "high", "critical"]
NoAncestor: TypeAlias = Literal["manual", "union", "last-write-wins"]
Attachments: TypeAlias = Literal["manual", "keep-both"]
DeadBranches: TypeAlias = Literal["ignore", "report"]

TYPES: Final[tuple[ConflictType, ...]] = get_args(ConflictType)
STRATEGIES: Final = (
    "merge", "last-write-wins", "keep-current", "keep-other", "preserve-non-deleted", "delete",
    "manual",
)  # fmt: skip
STRATEGY_ALIASES: Final[Mapping[str, str]] = MappingProxyType(
    {"local": "keep-current", "remote": "keep-other"}
)
ALGORITHMS: Final = ("md5", "sha1", "sha256", "sha512")

SEVERITY: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "critical": ("id", "title", "status"),
        "high": ("dueDate", "priority", "completed", "projectId"),
        "medium": ("description", "tags", "subtasks", "assignee"),
    }
)
MAX_SEVERITY: Final[Mapping[str, Limit]] = MappingProxyType(
    {
        **dict.fromkeys(TYPES, "never"),
        "merge_candidates": "critical",
        "edit_edit": "medium",
    }
)  # type: ignore[arg-type]
STRATEGY: Final[Mapping[str, str]] = MappingProxyType(
    {**dict.fromkeys(TYPES, "manual"), "merge_candidates": "merge", "edit_edit": "last-write-wins"}
)


@dataclass(frozen=True, slots=True)
class Auto:
    """What may be resolved without a person.

    max_severity: by type of conflict, the gravest that may.
    strategy: by type of conflict, how.
    min_time_gap_seconds: how far apart timestamps must be for a decision to rest on them.
    """

    max_severity: Mapping[str, Limit] = field(default_factory=lambda: MAX_SEVERITY)
    strategy: Mapping[str, str] = field(default_factory=lambda: STRATEGY)
    min_time_gap_seconds: float = 60


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake: the key that it is at, and a sentence that names it."""

    key: Key
    message: str


class PolicyError(UsageError):
    """A policy's data is wrong; `problems` are the mistakes, all of them."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("; ".join(problem.message for problem in problems), operation="policy")
        self.problems = tuple(problems)


def dotted(key: Key) -> str:
    """A key as a configuration file writes it."""
    return ".".join(
        part if re.fullmatch(r"[\w-]+", part, re.ASCII) else json.dumps(part, ensure_ascii=False)
        for part in key
    )


def near(word: object, known: Iterable[str]) -> str:
    """What may have been meant, as the end of a sentence."""
    found = difflib.get_close_matches(str(word), list(known), n=1, cutoff=0.5)
    return f" (did you mean {found[0]}?)" if found else ""


def one_of(names: Iterable[str]) -> str:
    """Names in a sentence."""
    *others, last = names
    return f"{', '.join(others)} or {last}" if others else last


class Reader:
    """Reads values, and collects what is wrong with them.  What is wrong is read as the
    default."""

    def __init__(self, prefix: Key) -> None:
        self.prefix = prefix
        self.problems: list[Problem] = []

    def wrong(self, key: Key, value: object, why: str) -> None:
        """Note that a value is not allowed."""
        whole = (*self.prefix, *key)
        self.problems.append(
            Problem(whole, f"{dotted(whole)} = {_shown(value)} is not allowed: {why}")
        )

    def unknown(self, key: Key, known: Collection[str]) -> None:
        """Note that a key does not exist."""
        whole = (*self.prefix, *key)
        meant = near(key[-1], known) or f" (there are {', '.join(known)})"
        self.problems.append(Problem(whole, f"there is no setting {dotted(whole)}{meant}"))

    def finish(self) -> None:
        """Raise what was noted.

        Raises:
            PolicyError: anything was.
        """
        if self.problems:
            raise PolicyError(self.problems)

    # --- kinds of values

    def table(self, key: Key, value: object, known: Collection[str] = ()) -> Mapping[str, Any]:
        """A table; where `known` says which keys it may have, only those of them."""
        if not isinstance(value, Mapping) or not all(isinstance(name, str) for name in value):
            self.wrong(key, value, "it is a table")
            return {}
        if not known:
            return value
        for name in value:
            if name not in known:
                self.unknown((*key, name), known)
        return {name: value[name] for name in value if name in known}

    def choice(
        self,
        key: Key,
        value: object,
        choices: Sequence[str],
        default: str,
        aliases: Mapping[str, str] = MappingProxyType({}),
    ) -> Any:
        """One of several words."""
        if isinstance(value, str):
            value = aliases.get(value, value)
            if value in choices:
                return value
        self.wrong(key, value, f"it is {one_of(choices)}{near(value, choices)}")
        return default

    def number(self, key: Key, value: object, default: float) -> float:
        """A number that is not negative."""
        if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < 1e12:
            return value
        self.wrong(key, value, "it is a number of seconds, at least 0")
        return default

    def texts(self, key: Key, value: object) -> tuple[str, ...]:
        """A list of texts, none of them empty or twice."""
        if isinstance(value, str) or not isinstance(value, Sequence):
            self.wrong(key, value, "it is a list of texts")
            return ()
        found: list[str] = []
        for text in value:
            if not isinstance(text, str) or not text:
                self.wrong(key, text, "it is a list of texts")
            elif text in found:
                self.wrong(key, text, "it stands there twice")
            else:
                found.append(text)
        return tuple(found)

    def pattern(self, key: Key, text: str) -> Pattern | None:
        """A pattern of fields."""
        try:
            return Pattern.parse(text)
        except UsageError as problem:
            self.wrong(key, text, f"{problem.message} ({problem.hint})")
            return None

    def patterns(self, key: Key, texts: Iterable[str]) -> tuple[Pattern, ...]:
        """Patterns, without those that are none."""
        found = (self.pattern(key, text) for text in texts)
        return tuple(pattern for pattern in found if pattern)

    def path(self, key: Key, value: object) -> Path:
        """The one place that a pattern of names names; the root where it is wrong."""
        if not isinstance(value, str) or not value:
            self.wrong(key, value, "it is the name of a member")
            return ()
        pattern = self.pattern(key, value)
        if pattern is None:
            return ()
        names = names_of(pattern)
        if not names:
            self.wrong(key, value, "it is the name of one member, without *, ** and []")
        return names


def names_of(pattern: Pattern) -> Path:
    """The path that a pattern of nothing but names is; else the root."""
    if any(isinstance(step, Wild) for step in pattern.steps):
        return ()
    return tuple(step for step in pattern.steps if isinstance(step, str))


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}…"


# --- the parts of a policy


def read_resolver(
    reader: Reader, key: Key, value: object, custom: Mapping[str, Resolver]
) -> Resolver | None:
    """The resolver that a value names: a name, or `{"prefer": [values]}`."""
    known = [*BUILTIN, *ALIASES, *custom]
    if isinstance(value, Mapping):
        if set(value) == {"prefer"}:
            return _read_prefer(reader, key, value["prefer"])
        meant = near(next(iter(value)), ["prefer"]) if value else ""
        reader.wrong(key, dict(value), f"it is a name or {{ prefer = [values] }}{meant}")
        return None
    if not isinstance(value, str):
        reader.wrong(key, value, "it is the name of a resolver or { prefer = [values] }")
        return None
    if value in custom:
        return custom[value]
    found = BUILTIN.get(ALIASES.get(value, value))
    if found is not None:
        return found
    if value.startswith("prefer:"):
        try:
            return _read_prefer(reader, key, json.loads(value.removeprefix("prefer:")))
        except ValueError:
            reader.wrong(key, value, 'it is written like prefer:["done", "todo"]')
            return None
    if re.fullmatch(r"[\w.]+:[\w.]+", value):
        why = "module:function is taken from a configuration file only"
        reader.wrong(key, value, why)
        return None
    meant = near(value, known) or f" (there are {', '.join(known)}, prefer)"
    reader.wrong(key, value, f"there is no such resolver{meant}")
    return None


def _read_prefer(reader: Reader, key: Key, values: object) -> Resolver | None:
    if not isinstance(values, (list, tuple)) or not values:
        reader.wrong(key, {"prefer": values}, "prefer has a list of values, the best first")
        return None
    try:
        check(list(values))
    except DocumentInvalid as problem:
        reader.wrong(key, {"prefer": values}, f"prefer has values of JSON: {problem.message}")
        return None
    return prefer(values)


def read_severity(reader: Reader, value: object) -> dict[str, tuple[str, ...]]:
    """The patterns of each class; those that are not given have the default ones, but for what
    is named in another class."""
    given = {
        name: reader.texts(("severity", name), texts)
        for name, texts in reader.table(("severity",), value, tuple(SEVERITY)).items()
    }
    named: dict[tuple[str | Wild, ...], str] = {}
    for name, texts in given.items():
        for pattern in reader.patterns(("severity", name), texts):
            if pattern.steps in named:
                why = f"it stands in {named[pattern.steps]}, too"
                reader.wrong(("severity", name), pattern.text, why)
            named[pattern.steps] = name
    return {
        name: given[name]
        if name in given
        else tuple(text for text in texts if Pattern.parse(text).steps not in named)
        for name, texts in SEVERITY.items()
    }


def read_auto(reader: Reader, value: object) -> Auto:
    """What may be resolved without a person; what is not given is as by default."""
    if isinstance(value, Auto):
        value = auto_data(value)
    known = ("max_severity", "strategy", "min_time_gap_seconds")
    given = reader.table(("auto",), value, known)
    limits: dict[str, Any] = {**MAX_SEVERITY}
    key: Key = ("auto", "max_severity")
    for name, limit in reader.table(key, given.get("max_severity", {}), TYPES).items():
        limits[name] = reader.choice((*key, name), limit, get_args(Limit), MAX_SEVERITY[name])
    strategies = {**STRATEGY}
    key = ("auto", "strategy")
    for name, strategy in reader.table(key, given.get("strategy", {}), TYPES).items():
        strategies[name] = _read_strategy(reader, (*key, name), strategy)
    gap = reader.number(("auto", "min_time_gap_seconds"), given.get("min_time_gap_seconds", 60), 60)
    return Auto(MappingProxyType(limits), MappingProxyType(strategies), gap)


def _read_strategy(reader: Reader, key: Key, value: object) -> str:
    if isinstance(value, str) and re.fullmatch(r"custom:\S+", value):
        return value
    found = reader.choice(key, value, (*STRATEGIES, "custom:NAME"), "manual", STRATEGY_ALIASES)
    return str(found)


def auto_data(auto: Auto) -> dict[str, JSON]:
    """The plain data of it."""
    return {
        "max_severity": dict(auto.max_severity),
        "strategy": dict(auto.strategy),
        "min_time_gap_seconds": auto.min_time_gap_seconds,
    }


def read_checksum(reader: Reader, value: object) -> Checksum | None:
    """How the checksum is made, from `{field, algorithm, over, form}`."""
    if value is None or isinstance(value, Checksum):
        return value
    given = reader.table(("checksum",), value, ("field", "algorithm", "over", "form"))
    if "field" not in given:
        if isinstance(value, Mapping):
            reader.wrong(("checksum",), dict(value), "it has a field, where the checksum stands")
        return None
    forms = get_args(ChecksumForm)
    return Checksum(
        reader.path(("checksum", "field"), given["field"]),
        reader.choice(
            ("checksum", "algorithm"), given.get("algorithm", "sha256"), ALGORITHMS, "sha256"
        ),
        _read_over(reader, given.get("over", "*")),
        reader.choice(("checksum", "form"), given.get("form", forms[0]), forms, forms[0]),
    )


def _read_over(reader: Reader, value: object) -> tuple[Pattern, ...] | None:
    key = ("checksum", "over")
    if value == "*":
        return None
    if isinstance(value, str):
        reader.wrong(key, value, 'it is "*", everything, or a list of field patterns')
        return None
    patterns = reader.patterns(key, reader.texts(key, value))
    for pattern in patterns:
        if Wild.DEEP in pattern.steps:
            reader.wrong(key, pattern.text, "a checksum names what it is over, without **")
    return patterns


def checksum_data(checksum: Checksum) -> dict[str, JSON]:
    """The plain data of it."""
    from_names = ".".join(json.dumps(step) if not re.fullmatch(r"[^\s.*\"\[\]]+", str(step))
                          else str(step) for step in checksum.field)  # fmt: skip
    over = checksum.over
    return {
        "field": from_names,
        "algorithm": checksum.algorithm,
        "over": "*" if over is None else [pattern.text for pattern in over],
        "form": checksum.form,
    }


def read_match(reader: Reader, value: object) -> tuple[Mapping[str, JSON] | None, Selector | None]:
    """The Mango selector, as it was given and compiled."""
    if value is None:
        return None, None
    given = reader.table(("match",), value)
    try:
        check(dict(given))
        return given, Selector(given)
    except (BadRequest, DocumentInvalid) as problem:
        reader.wrong(("match",), given, problem.reason)
        return None, None


def as_resolver(name: str, given: Resolver | Callable[..., Any]) -> Resolver:
    """A resolver under a name: of a function it is one that is not idempotent, unless the
    function has an attribute `idempotent` that says so; `timed` likewise."""
    if isinstance(given, Resolver):
        return given if given.name == name else _renamed(given, name)
    return Resolver(
        name,
        given,
        idempotent=bool(getattr(given, "idempotent", False)),
        timed=bool(getattr(given, "timed", False)),
        about=(given.__doc__ or "").strip().partition("\n")[0],
    )


def _renamed(resolver: Resolver, name: str) -> Resolver:
    from dataclasses import replace

    return replace(resolver, name=name)
