"""The parts of a policy and what they are by default, read from plain data."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, Literal, TypeAlias, get_args

from couchmend.core.document import JSON, check
from couchmend.core.policy.data import Key, Reader
from couchmend.core.policy.metadata import Checksum, ChecksumForm
from couchmend.core.policy.patterns import Pattern, Wild
from couchmend.core.selector import Selector
from couchmend.errors import BadRequest, DocumentInvalid

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
MAX_SEVERITY: Final[Mapping[ConflictType, Limit]] = MappingProxyType(
    {
        "merge_candidates": "critical",
        "edit_edit": "medium",
        "edit_delete": "never",
        "version_mismatch": "never",
        "checksum_mismatch": "never",
    }
)
STRATEGY: Final[Mapping[ConflictType, str]] = MappingProxyType(
    {
        "merge_candidates": "merge",
        "edit_edit": "last-write-wins",
        "edit_delete": "manual",
        "version_mismatch": "manual",
        "checksum_mismatch": "manual",
    }
)


@dataclass(frozen=True, slots=True)
class Auto:
    """What may be resolved without a person.

    max_severity: by type of conflict, the gravest that may.
    strategy: by type of conflict, how.
    min_time_gap_seconds: how far apart timestamps must be for a decision to rest on them.
    """

    max_severity: Mapping[ConflictType, Limit] = field(default_factory=lambda: MAX_SEVERITY)
    strategy: Mapping[ConflictType, str] = field(default_factory=lambda: STRATEGY)
    min_time_gap_seconds: float = 60

    def to_data(self) -> dict[str, JSON]:
        """The plain data of it."""
        return {
            "max_severity": dict(self.max_severity),
            "strategy": dict(self.strategy),
            "min_time_gap_seconds": self.min_time_gap_seconds,
        }


def read_auto(reader: Reader, value: object) -> Auto:
    """What may be resolved without a person; what is not given is as by default."""
    if isinstance(value, Auto):
        value = value.to_data()
    keys = ("max_severity", "strategy", "min_time_gap_seconds")
    given = reader.table(("auto",), value, keys)
    limits = {**MAX_SEVERITY}
    key: Key = ("auto", "max_severity")
    for name, limit in reader.table(key, given.get("max_severity", {}), TYPES).items():
        limits[_type(name)] = reader.choice((*key, name), limit, get_args(Limit), "never")
    strategies = {**STRATEGY}
    key = ("auto", "strategy")
    for name, strategy in reader.table(key, given.get("strategy", {}), TYPES).items():
        strategies[_type(name)] = _read_strategy(reader, (*key, name), strategy)
    gap = reader.seconds(
        ("auto", "min_time_gap_seconds"), given.get("min_time_gap_seconds", 60), 60
    )
    return Auto(MappingProxyType(limits), MappingProxyType(strategies), gap)


def _type(name: str) -> ConflictType:
    return next(known for known in TYPES if known == name)


def _read_strategy(reader: Reader, key: Key, value: object) -> str:
    if isinstance(value, str) and re.fullmatch(r"custom:\S+", value):
        return value
    choices = (*STRATEGIES, "custom:<name>")
    return str(reader.choice(key, value, choices, "manual", STRATEGY_ALIASES))


def read_severity(reader: Reader, value: object) -> dict[str, tuple[str, ...]]:
    """The patterns of each class.  A class that is not given has the default ones, but for
    those that are given in another class."""
    given = {
        name: reader.texts(("severity", name), texts)
        for name, texts in reader.table(("severity",), value, tuple(SEVERITY)).items()
    }
    named: dict[tuple[str | Wild, ...], str] = {}
    for name, texts in given.items():
        for pattern in reader.patterns(("severity", name), texts):
            if pattern.steps in named:
                why = f"it is in severity.{named[pattern.steps]}, too"
                reader.wrong(("severity", name), pattern.text, why)
            named[pattern.steps] = name
    return {
        name: given[name]
        if name in given
        else tuple(text for text in texts if (text,) not in named)
        for name, texts in SEVERITY.items()
    }


def read_checksum(reader: Reader, value: object) -> Checksum | None:
    """How a checksum is made, from `{field, algorithm, over, form}`."""
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
        reader.wrong(key, value, 'it is "*", for everything, or a list of field patterns')
        return None
    patterns = reader.patterns(key, reader.texts(key, value))
    for pattern in patterns:
        if Wild.DEEP in pattern.steps:
            reader.wrong(key, pattern.text, "what a checksum is over is named without **")
    return patterns


def checksum_data(checksum: Checksum) -> dict[str, JSON]:
    """The plain data of it."""
    over = checksum.over
    return {
        "field": Pattern.of_names(checksum.field).text,
        "algorithm": checksum.algorithm,
        "over": "*" if over is None else [pattern.text for pattern in over],
        "form": checksum.form,
    }


def read_match(reader: Reader, value: object) -> tuple[Mapping[str, JSON] | None, Selector | None]:
    """A Mango selector, as it was given and compiled."""
    if value is None:
        return None, None
    given = copy.deepcopy(dict(reader.table(("match",), value)))
    try:
        check(given)
        return MappingProxyType(given), Selector(given)
    except (BadRequest, DocumentInvalid) as problem:
        reader.wrong(("match",), given, f"{problem.reason} (it is a Mango selector)")
        return None, None
