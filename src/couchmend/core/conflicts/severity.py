"""How grave a conflict is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Final, Literal, TypeAlias

from couchmend.core.paths import Element, Path, Step
from couchmend.core.policy.parts import ConflictType, FieldClass
from couchmend.core.policy.patterns import Patterns
from couchmend.core.policy.policy import Policy, Rule
from couchmend.core.values import ABSENT, Value, same

Severity: TypeAlias = Literal["low", "medium", "high", "critical"]

SEVERITIES: Final[tuple[Severity, ...]] = ("low", "medium", "high", "critical")
"""The least grave first."""

CLASSES: Final[tuple[FieldClass, ...]] = ("other", "medium", "high", "critical")
"""The classes of fields, the least weighty first."""

_HEADINGS: tuple[FieldClass, ...] = ("critical", "high", "medium", "other")
_ROWS: Mapping[ConflictType, tuple[Severity, ...]] = {
    "edit_edit": ("critical", "high", "medium", "low"),
    "edit_delete": ("critical", "high", "high", "medium"),
    "merge_candidates": ("high", "medium", "low", "low"),
    "version_mismatch": ("critical", "high", "high", "high"),
    "checksum_mismatch": ("critical", "critical", "high", "high"),
}
TABLE: Final[Mapping[ConflictType, Mapping[FieldClass, Severity]]] = MappingProxyType(
    {type: MappingProxyType(dict(zip(_HEADINGS, row, strict=True))) for type, row in _ROWS.items()}
)
"""By type of conflict and class of its weightiest field."""

Weighed: TypeAlias = tuple[FieldClass, Path]
"""A path with its class."""


def weightiest(weighed: Iterable[Weighed]) -> Weighed | None:
    """The weightiest, of equal ones the first."""
    best: Weighed | None = None
    for one in weighed:
        if best is None or CLASSES.index(one[0]) > CLASSES.index(best[0]):
            best = one
    return best


def weigh(path: Path, values: Sequence[Value], policy: Policy) -> Weighed:
    """The class of a path at which values differ, or of what is weightiest of that which
    differs beneath it."""
    severities = policy.severities
    rules = policy.rules
    for step in path:
        severities, rules = severities.beneath(step), rules.beneath(step)
    found = weightiest(_beneath(path, values, severities, rules))
    return found or (severities.value or "other", path)


def _beneath(
    path: Path, values: Sequence[Value], severities: Patterns[FieldClass], rules: Patterns[Rule]
) -> Iterator[Weighed]:
    """The paths at which values differ, from one on, but for metadata."""
    if rules.value is not None and rules.value.metadata:
        return
    if all(same(values[0], value) for value in values[1:]):
        return
    yield severities.value or "other", path
    names = dict.fromkeys(name for value in values if type(value) is dict for name in value)
    for name in names:
        parts = [value.get(name, ABSENT) if type(value) is dict else ABSENT for value in values]
        yield from _beneath((*path, name), parts, severities.beneath(name), rules.beneath(name))
    element = Element("", "")
    for place, parts in enumerate(_elements(values)):
        step: Step = place
        yield from _beneath(
            (*path, step), parts, severities.beneath(element), rules.beneath(element)
        )


def _elements(values: Sequence[Value]) -> Iterator[list[Value]]:
    """The elements of lists, place by place."""
    lists = [value if type(value) is list else [] for value in values]
    for place in range(max(map(len, lists))):
        yield [part[place] if place < len(part) else ABSENT for part in lists]
