"""Documents, and edits that two sides make of one, so that what a merge should give is known."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

from couchmend.core.document import JSON
from couchmend.core.paths import Element, Path
from couchmend.core.values import ABSENT, Value, same

NAMES = st.sampled_from(
    ["a", "b", "c", "title", "é", "", "a.b", "x[0]", "__proto__", "constructor"]
)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.integers(2**63, 2**64 + 3),
    st.floats(allow_nan=False, allow_infinity=False, width=16),
    st.text("abé\U0001f600 ", max_size=4),
)


def documents(depth: int = 3) -> st.SearchStrategy[dict[str, JSON]]:
    """Objects of scalars, objects and lists whose elements have ids."""
    values = SCALARS
    for _ in range(depth - 1):
        values = st.one_of(SCALARS, st.dictionaries(NAMES, values, max_size=3), keyed_lists(values))
    return st.dictionaries(NAMES, values, max_size=3)


def keyed_lists(values: st.SearchStrategy[JSON]) -> st.SearchStrategy[list[JSON]]:
    """Lists of objects with unique ids."""
    ids = st.lists(st.one_of(st.integers(0, 9), st.sampled_from("stuv")), unique=True, max_size=3)
    members = st.dictionaries(NAMES, values, max_size=2)
    return ids.flatmap(
        lambda found: st.lists(members, min_size=len(found), max_size=len(found)).map(
            lambda rest: [{"id": one, **more} for one, more in zip(found, rest, strict=True)]
        )
    )


@dataclass
class Edited:
    """A base, what two sides made of it, and what a merge should make of them."""

    base: dict[str, JSON]
    current: dict[str, JSON] = field(default_factory=dict)
    other: dict[str, JSON] = field(default_factory=dict)
    merged: dict[str, JSON] = field(default_factory=dict)
    conflicts: set[Path] = field(default_factory=set)
    changed_by_current: set[Path] = field(default_factory=set)
    changed_by_other: set[Path] = field(default_factory=set)


@st.composite
def edits(draw: st.DrawFn) -> Edited:
    """Each member that is no container is left alone, or changed, removed or added by one side,
    by both alike or by both differently."""
    made = Edited(draw(documents(2)))
    made.current, made.other, made.merged = _edited(draw, made, (), made.base)
    return made


def _edited(draw: st.DrawFn, made: Edited, path: Path, base: dict[str, JSON]) -> Any:
    results: tuple[dict[str, JSON], ...] = ({}, {}, {})
    added = draw(st.sampled_from([(), ("new",), ("new", "newer")]))
    for name, value in {**base, **dict.fromkeys(added, ABSENT)}.items():
        if name == "id" and path and isinstance(path[-1], Element):
            trio: Any = (value, value, value)
        elif type(value) is dict and value:
            trio = _edited(draw, made, (*path, name), value)
        elif type(value) is list and value:
            elements = [
                _edited(draw, made, (*path, name, Element("id", one["id"])), one) for one in value
            ]
            trio = tuple(map(list, zip(*elements, strict=True)))
        else:
            trio = _member(draw, made, (*path, name), value)
        for result, found in zip(results, trio, strict=True):
            if found is not ABSENT:
                result[name] = found
    return results


def _member(draw: st.DrawFn, made: Edited, path: Path, value: Value) -> tuple[Value, Value, Value]:
    who = draw(st.sampled_from(["nobody", "current", "other", "both alike", "both"]))
    if who == "nobody":
        return value, value, value
    change = draw(_unlike(value))
    if who == "current":
        made.changed_by_current.add(path)
        return change, value, change
    if who == "other":
        made.changed_by_other.add(path)
        return value, change, change
    if who == "both alike":
        return change, change, change
    rival = draw(_unlike(value, change))
    made.conflicts.add(path)
    return change, rival, change


def _unlike(*values: Value) -> st.SearchStrategy[Value]:
    """A scalar, or nothing, that is none of these.  No strings, and so no texts to be merged."""
    return st.one_of(st.just(ABSENT), SCALARS).filter(
        lambda found: not any(same(found, value) for value in values)
    )
