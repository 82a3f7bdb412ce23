"""Lists: by what their elements know each other, and merging those that have no identities."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Final, NamedTuple, TypeAlias

import orjson

from couchmend.core.document import JSON
from couchmend.core.sequences.budget import Budget
from couchmend.core.sequences.diff3 import diff3, taken
from couchmend.core.sequences.order import merge_order
from couchmend.core.sequences.records import Within, are_records, merge_records
from couchmend.core.values import canonical

Values: TypeAlias = list[JSON]

_NAMES: Final = ("the current side", "the other side", "the base")
_IDENTITIES: Final = frozenset({str, int, float})


class Identity(NamedTuple):
    """The member by which the elements of lists know each other, or why there is none."""

    key: str | None
    why: str


_NONE: Final = Identity(None, "")


def identity_key(lists: Sequence[Values], names: Sequence[str]) -> Identity:
    """The first name that every element of every list has, as a string or a number that no
    other element of its list has.

    lists: current, other and, if there is one, base; of those without elements nothing is
        asked, but one must have some.  Why there is no such name is said where the elements
        are objects at all.
    """
    for elements in lists:
        if elements and type(elements[0]) is dict:
            first = elements[0]
            break
    else:
        return _NONE
    for name in names:
        if name in first and all(_identifies(elements, name) for elements in lists):
            return Identity(name, "")
    return Identity(None, _why_none(lists, names))


def _identifies(elements: Values, name: str) -> bool:
    try:
        found = [element[name] for element in elements]
    except (KeyError, TypeError):  # an object without it; no object
        return False
    kinds = set(map(type, found))
    if not kinds <= _IDENTITIES or (int in kinds and _are_slow(found)):
        return False
    return len(set(found)) == len(found)


def _is_large(value: str | float) -> bool:
    """Whether it is a number of more than 64 bits."""
    return type(value) is not str and not -_LARGE < value < _LARGE  # type: ignore[operator]


def _are_slow(values: Iterable[str | float]) -> bool:
    """Whether a dictionary of them was made to take hours: Python hashes integers modulo
    2**61 - 1, and large ones can be chosen so that all are alike."""
    large = (value % _MODULUS for value in values if type(value) is int and _is_large(value))
    return max(Counter(large).values(), default=0) > _MOST_ALIKE


def _why_none(lists: Sequence[Values], names: Sequence[str]) -> str:
    for place, elements in enumerate(lists):
        if any(type(element) is not dict for element in elements):
            return f"an element of {_side(place)} is no object"
    for name in names:
        if any(name in element for elements in lists for element in elements):
            return next(filter(None, (_why_not(lists, place, name) for place in range(len(lists)))))
    wanted = " or ".join(names) or "identity"
    return f"the elements have no {wanted}"


def _why_not(lists: Sequence[Values], place: int, name: str) -> str:
    if _are_slow([element.get(name, "") for element in lists[place]]):
        return f"too many {name} of {_side(place)} are large numbers that hash alike"
    seen = set()
    for element in lists[place]:
        if name not in element:
            return f"an element of {_side(place)} has no {name}"
        value = element[name]
        if type(value) not in _IDENTITIES:
            return f"the {name} of an element of {_side(place)} is neither a string nor a number"
        if value in seen:
            return f"two elements of {_side(place)} have the {name} {_shown(value)}"
        seen.add(value)
    return ""


def _side(place: int) -> str:
    return _NAMES[place] if place < len(_NAMES) else f"version {place + 1}"


def _shown(value: str | float) -> str:
    shown = str(value)
    return shown if len(shown) <= 40 else shown[:39] + "…"


def are_sets(lists: Sequence[Values]) -> bool:
    """Whether all elements are strings, none twice in a list.  Numbers never make a set:
    `[10, 20]` is a place on a map."""
    for elements in lists:
        for element in elements:
            if type(element) is not str:
                return False
        if len(set(elements)) != len(elements):
            return False
    return True


def merge_set(base: Values | None, current: Values, other: Values, budget: Budget) -> Values:
    """What either side removed is gone, what either added is there, nothing twice.

    The order is that of `merge_order`; sides that disagree about it are no conflict in a set.
    Without a base everything was added.

    Raises:
        TooMuchWork: the budget was used up.
    """
    key = _key_of([current, other] if base is None else [current, other, base])
    mine = _by_key(current, key)
    theirs = _by_key(other, key)
    before = None if base is None else list(_by_key(base, key))
    order = merge_order(before, list(mine), list(theirs), budget).keys
    gone = set(before or ()).difference(mine.keys() & theirs)
    return [mine[id] if id in mine else theirs[id] for id in order if id not in gone]


def merge_sequence(
    base: Values, current: Values, other: Values, budget: Budget, within: Within | None = None
) -> Values | None:
    """Merge two lists whose elements have no identities; none, if both sides changed one place.

    Equal elements are current's.

    within: merges one element that is an object, where both sides changed such elements at one
        place; None leaves that a conflict.

    Raises:
        TooMuchWork: the budget was used up.
    """
    key = _key_of([current, other, base])
    was, mine, theirs = _keys(base, key), _keys(current, key), _keys(other, key)
    merged: Values = []
    by_record = False
    for region in diff3(was, mine, theirs, budget):
        was_here = base[region.base.start : region.base.stop]
        here = current[region.current.start : region.current.stop]
        there = other[region.other.start : region.other.stop]
        both_changed = region.kind in ("clash", "same")
        if both_changed and within is not None and are_records(was_here, here, there):
            records = merge_records(was_here, here, there, within, budget)
            if records is None:
                return None
            merged += records
            by_record = True
        elif region.kind == "clash":
            return None
        else:
            merged += taken(region, current, other)
    result = _keys(merged, key)
    if moved_twice(was, mine, theirs, result):
        return None
    if by_record and _more_often(result, mine, theirs):
        return None
    if not by_record and not holds_when_merged_again(was, mine, theirs, result, budget):
        return None
    return merged


def _more_often(
    merged: Sequence[Hashable], current: Sequence[Hashable], other: Sequence[Hashable]
) -> bool:
    """Whether something is there more often than on the side that has it most often: then one
    record that both sides added was taken for two."""
    if len(set(merged)) == len(merged):
        return False
    mine, theirs = Counter(current), Counter(other)
    return any(times > max(mine[one], theirs[one], 1) for one, times in Counter(merged).items())


def holds_when_merged_again(
    base: Sequence[Hashable],
    current: Sequence[Hashable],
    other: Sequence[Hashable],
    merged: Sequence[Hashable],
    budget: Budget,
) -> bool:
    """Whether merging the result with either side changes nothing, or is a clash: where elements
    are equal, what one side did can look like something else that was done to the result."""
    if len(set(merged)) == len(merged):
        return True
    for side in (current, other):
        found = diff3(base, merged, side, budget)
        if all(region.kind != "clash" for region in found):
            again = [element for region in found for element in taken(region, merged, side)]
            if again != list(merged):
                return False
    return True


def moved_twice(
    base: Sequence[Hashable],
    current: Sequence[Hashable],
    other: Sequence[Hashable],
    merged: Sequence[Hashable],
) -> bool:
    """Whether something was moved on both sides, to different places, or moved on one and
    removed on the other.

    Compared place by place, that looks like a removal and an insertion or two, which would
    double the element, or bring it back.  Only what no side has twice is looked at: of equal
    elements nobody can tell which was moved.
    """
    present = set(merged)
    removed = set(base).difference(set(current).intersection(other))
    suspects = removed & present
    if len(present) < len(merged):
        times = Counter(merged)
        suspects.update(element for element in base if times[element] > 1)
    if not suspects:
        return False
    before, mine, theirs = Counter(base), Counter(current), Counter(other)
    return any(
        before[element] == 1 and mine[element] <= 1 and theirs[element] <= 1 for element in suspects
    )


def _key_of(lists: Sequence[Values]) -> Callable[[JSON], Hashable] | None:
    """What is the same for elements that are the same, for no others; none, if they are that
    themselves, as strings and numbers are."""
    for elements in lists:
        kinds = set(map(type, elements))
        if not kinds <= _PLAIN or (kinds - {str} and any(map(_is_large, elements))):
            break
    else:
        return None
    # Most elements are in every list, written the same way.  They are kept as strings: bytes of
    # orjson's keep hold of more memory than they fill, which is slow for many.
    written: dict[str, tuple[str]] = {}

    def key(value: JSON) -> Hashable:
        if type(value) in _PLAIN and not _is_large(value):
            plain: str | float = value
            return plain
        try:
            text = orjson.dumps(value).decode()
        except TypeError:  # large integers, deep nesting
            return (canonical(value).decode(),)
        found = written.get(text)
        if found is None:
            # Without fractions and exponents only the order of members is left to settle.
            if _FLOAT.search(text):
                found = (canonical(value).decode(),)
            else:
                found = (orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode(),)
            written[text] = found
        return found

    return key


_PLAIN: Final = frozenset({str, int, float})
_LARGE: Final = 1 << 64
_MODULUS: Final = (1 << 61) - 1
_MOST_ALIKE: Final = 20
_FLOAT: Final = re.compile(r"[0-9][.eE]")


def _keys(elements: Values, key: Callable[[JSON], Hashable] | None) -> Sequence[Hashable]:
    return elements if key is None else list(map(key, elements))


def _by_key(elements: Values, key: Callable[[JSON], Hashable] | None) -> dict[Hashable, JSON]:
    return dict(zip(_keys(elements, key), elements, strict=True))
