"""What a normal selector says about single fields, which is what a choice of index needs."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from couchmend.core.document import JSON, Doc
from couchmend.core.selector_match import key_of
from couchmend.core.selector_normal import only

LAST: Final = "\uffff"
"""The character that ends the range of a prefix."""


class Limit(enum.Enum):
    """The ends of a range that is open."""

    LOWEST = "below every value"
    HIGHEST = "above every value"


Bound: TypeAlias = JSON | Limit


@dataclass(frozen=True, slots=True)
class Range:
    """The values of one field that a selector lets through, and maybe others: from `low` to
    `high`, with or without the ends themselves."""

    low: Bound = Limit.LOWEST
    low_included: bool = False
    high: Bound = Limit.HIGHEST
    high_included: bool = False

    @classmethod
    def exactly(cls, value: JSON) -> Range:
        """One value."""
        return cls(value, True, value, True)

    @property
    def is_one(self) -> bool:
        """Whether it holds one value."""
        return self.low_included and self.high_included and self.low is self.high


_INDEXABLE: Final = frozenset({"$lt", "$lte", "$eq", "$gt", "$gte", "$beginsWith", "$exists"})


def indexable_fields(normal: Doc) -> list[str]:
    """The fields with a condition that an index can serve, sorted."""
    if not normal:
        return []
    name, argument = only(normal)
    if name == "$and":
        return sorted({field for part in argument for field in indexable_fields(part)})
    if name[:1] == "$":
        return []
    operator, _ = only(argument)
    return [name] if operator in _INDEXABLE else []


def field_ranges(normal: Doc) -> list[tuple[str, Range | None]]:
    """The range of every indexable field, in their order.

    Where one is empty, no document matches, and it alone is listed, with None.
    """
    ranges: list[tuple[str, Range | None]] = []
    for field in indexable_fields(normal):
        found = _within(normal, field, Range())
        if found is None:
            return [(field, None)]
        ranges.append((field, found))
    return ranges


def _within(selector: Doc, field: str, known: Range | None) -> Range | None:
    name, argument = only(selector)
    if name == "$and":
        for part in argument:
            if known is None:
                return None
            known = _within(part, field, known)
        return known
    if name == field and known is not None:
        return _narrowed(known, field, *only(argument))
    return known


def _narrowed(known: Range, field: str, operator: str, value: JSON) -> Range | None:
    """What is left of a range under one more condition."""
    if operator == "$beginsWith":
        # The last character of the collation; ids, compared as bytes, may have later ones.
        above = _narrowed(known, field, "$gte", value)
        return None if above is None else _narrowed(above, field, "$lte", value + LAST)
    if operator not in _INDEXABLE or operator == "$exists":
        return known
    to_low, to_high = (_compare(field, value, end) for end in (known.low, known.high))
    inside_low = to_low > 0 or (to_low == 0 and known.low_included)
    inside_high = to_high < 0 or (to_high == 0 and known.high_included)
    match operator:
        case "$eq":
            return Range.exactly(value) if inside_low and inside_high else None
        case "$lt" | "$lte":
            included = operator == "$lte"
            if not inside_low or (to_low == 0 and not included):
                return None
            if to_low == 0:
                return Range.exactly(value)
            if to_high > 0 or (to_high == 0 and included):
                return known
            return replace(known, high=value, high_included=included)
        case _:
            included = operator == "$gte"
            if not inside_high or (to_high == 0 and not included):
                return None
            if to_high == 0:
                return Range.exactly(value)
            if to_low < 0 or (to_low == 0 and included):
                return known
            return replace(known, low=value, low_included=included)


def _compare(field: str, value: JSON, end: Bound) -> int:
    if end is Limit.LOWEST:
        return 1
    if end is Limit.HIGHEST:
        return -1
    key = key_of(field)
    a, b = key(value), key(end)
    return int(a > b) - int(a < b)


def requires(normal: Doc, fields: Sequence[str]) -> bool:
    """Whether every document that matches has all of these fields."""
    return not _not_required([normal] if normal else [], frozenset(fields))


def _not_required(selectors: Sequence[Doc], fields: frozenset[str]) -> frozenset[str]:
    for selector in selectors:
        name, argument = only(selector)
        if name == "$and":
            fields = _not_required(argument, fields)
        elif name == "$or":
            left = [_not_required([part], fields) for part in argument]
            fields = frozenset().union(*left) if left else fields
        elif argument != {"$exists": False}:
            fields -= {name}
    return fields


def is_constant(normal: Doc, field: str) -> bool:
    """Whether a field has the same value in every document that matches."""
    if not normal:
        return False
    name, argument = only(normal)
    if name == "$and":
        return any(is_constant(part, field) for part in argument)
    return name == field and "$eq" in argument


def all_fields(normal: Doc) -> list[str]:
    """Every field with a condition, as often as it has one."""
    if not normal:
        return []
    name, argument = only(normal)
    if name in ("$and", "$or"):
        return [field for part in argument for field in all_fields(part)]
    return [name]
