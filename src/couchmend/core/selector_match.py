"""Normal selectors compiled into predicates.

A value is compared in the collation of views, so `$eq` holds for 1 and 1.0, and for an
accented letter written in two ways; what lies in a field `_id` is compared as CouchDB
compares ids, in the order of Erlang terms (strings as bytes, and above everything else).
"""

from __future__ import annotations

import operator
import unicodedata
from collections.abc import Callable, Hashable
from typing import Any, Final

from couchmend.core.collation import sort_key
from couchmend.core.document import JSON, Doc, dumps
from couchmend.core.fields import Absent, Path, get_field, parse_field
from couchmend.core.patterns import compile_pattern
from couchmend.core.selector_normal import only

Predicate = Callable[[JSON], bool]
Key = Callable[[JSON], Any]

_COMPARISONS: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "$lt": operator.lt, "$lte": operator.le, "$eq": operator.eq,
    "$ne": operator.ne, "$gte": operator.ge, "$gt": operator.gt,
}  # fmt: skip
_TYPES: Final[dict[str, tuple[type, ...]]] = {
    "null": (type(None),), "boolean": (bool,), "number": (int, float), "string": (str,),
    "array": (list,), "object": (dict,),
}  # fmt: skip
_NUMBERS: Final = _TYPES["number"]
_JOINERS: Final = "\u200d\U0001f3fb\U0001f3fc\U0001f3fd\U0001f3fe\U0001f3ff"


def raw_key(value: JSON) -> Hashable:
    """The order of Erlang terms: numbers < false < null < true < objects < arrays < strings."""
    kind = type(value)
    if kind is str:
        return 5, value.encode()
    if kind in _NUMBERS:
        return 0, value
    if kind is dict:
        return 3, tuple((name.encode(), raw_key(member)) for name, member in value.items())
    if kind is list:
        return 4, tuple(map(raw_key, value))
    return 1, "null" if value is None else str(value).lower()


def key_of(field: str) -> Key:
    """The order in which the values of a field are compared."""
    return raw_key if field == "_id" else sort_key


def compile_selector(normal: Doc, key: Key = sort_key) -> Predicate:
    """The predicate of a normal selector or condition."""
    if not normal:
        return _always
    name, argument = only(normal)
    if name[:1] != "$":
        return _field(name, argument, key)
    if name in _COMPARISONS:
        return _comparison(name, argument, key)
    match name:
        case "$and" | "$or" | "$nor" | "$not":
            return _combination(name, argument, key)
        case "$in" | "$nin":
            return _membership(name, argument, key)
        case "$elemMatch" | "$allMatch" | "$keyMapMatch":
            return _nested(name, compile_selector(argument, key))
        case "$exists":
            return _always if argument else _never
        case _:
            return _property(name, argument)


def _always(value: JSON) -> bool:
    return True


def _never(value: JSON) -> bool:
    return False


def _field(name: str, condition: Doc, key: Key) -> Predicate:
    if not name:
        return compile_selector(condition, key)
    path = parse_field(name)
    if condition == {"$exists": False}:
        return lambda value: get_field(value, path) is Absent.MISSING
    test = compile_selector(condition, raw_key if name == "_id" else key)
    if len(path) == 1:
        return _member(path, test)

    def deep(value: JSON) -> bool:
        found = get_field(value, path)
        return not isinstance(found, Absent) and test(found)

    return deep


def _member(path: Path, test: Predicate) -> Predicate:
    (name,) = path

    def member(value: JSON) -> bool:
        if type(value) is dict:
            return name in value and test(value[name])
        found = get_field(value, path)
        return not isinstance(found, Absent) and test(found)

    return member


def _combination(name: str, argument: JSON, key: Key) -> Predicate:
    if name == "$not":
        test = compile_selector(argument, key)
        return lambda value: not test(value)
    tests = [compile_selector(part, key) for part in argument]
    if name == "$nor":
        return lambda value: not any(test(value) for test in tests)
    if not tests:
        return _always  # `$or` of nothing too, as CouchDB has it
    if len(tests) == 2:
        first, second = tests
        if name == "$and":
            return lambda value: first(value) and second(value)
        return lambda value: first(value) or second(value)
    if name == "$and":
        return lambda value: all(test(value) for test in tests)
    return lambda value: any(test(value) for test in tests)


def _comparison(name: str, argument: JSON, key: Key) -> Predicate:
    compares = _COMPARISONS[name]
    bound = key(argument)
    if name == "$eq" and type(argument) is str and _is_plain(argument):

        def equals(value: JSON) -> bool:
            # Only a string that is not plain can equal a plain one without being it.
            if value == argument or type(value) is not str or _is_plain(value):
                return bool(value == argument)
            return bool(key(value) == bound)

        return equals
    if type(argument) in _NUMBERS:

        def of_number(value: JSON) -> bool:
            if type(value) in _NUMBERS:
                return compares(value, argument)
            return compares(key(value), bound)

        return of_number
    return lambda value: compares(key(value), bound)


def _is_plain(text: str) -> bool:
    return text.isascii() and text.isprintable()


def _membership(name: str, argument: list[JSON], key: Key) -> Predicate:
    wanted = frozenset(map(key, argument))

    def among(value: JSON) -> bool:
        if type(value) is list:
            return any(key(item) in wanted for item in value)
        return key(value) in wanted

    return among if name == "$in" else lambda value: not among(value)


def _nested(name: str, test: Predicate) -> Predicate:
    if name == "$elemMatch":
        return lambda value: type(value) is list and any(test(item) for item in value)
    if name == "$allMatch":
        return lambda value: (
            type(value) is list and bool(value) and all(test(item) for item in value)
        )
    return lambda value: type(value) is dict and any(test(member) for member in value)


def _property(name: str, argument: JSON) -> Predicate:
    match name:
        case "$type":
            kinds = _TYPES.get(argument, ())
            return lambda value: type(value) in kinds
        case "$size":
            return lambda value: type(value) is list and len(value) == argument
        case "$mod":
            return _remainder(*argument)
        case "$regex":
            search = compile_pattern(argument)
            return lambda value: type(value) is str and search(value)
        case "$beginsWith":
            return _prefix(argument)
        case _:
            return _all(argument)


def _remainder(divisor: int, remainder: int) -> Predicate:
    size = abs(divisor)

    def divides(value: JSON) -> bool:
        # The remainder has the sign of the dividend, and a float has none.
        if type(value) is not int:
            return False
        return remainder == (value % size if value >= 0 else -(-value % size))

    return divides


def _prefix(prefix: str) -> Predicate:
    length = len(prefix)

    def begins(value: JSON) -> bool:
        if type(value) is not str or not value.startswith(prefix):
            return False
        # What a reader sees as one character is taken whole: no accent may follow the prefix.
        after = value[length : length + 1]
        return not (prefix and after and _continues(after))

    return begins


def _continues(char: str) -> bool:
    return unicodedata.category(char)[0] == "M" or char in _JOINERS


def _all(wanted: list[JSON]) -> Predicate:
    """Every wanted value is in the list, or the only one is a list and the same."""
    if not wanted:
        return _never
    exact = frozenset(map(dumps, wanted))
    whole = raw_key(wanted[0]) if len(wanted) == 1 and type(wanted[0]) is list else None

    def holds(value: JSON) -> bool:
        if type(value) is not list:
            return False
        if exact <= {dumps(item) for item in value}:
            return True
        return whole is not None and raw_key(value) == whole

    return holds
