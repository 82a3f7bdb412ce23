"""The order of JSON values: CouchDB's documentation, what CouchDB 3.5.0 answered, and laws."""

from __future__ import annotations

import json
import math
import unicodedata
from functools import cmp_to_key
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from couchmend.core.collation import ARRAY, END, HIGHEST, compare, sort_key

RECORDED = Path(__file__).parent.parent / "contract" / "couchdb-3.5.0-collation.json"

# https://docs.couchdb.org/en/stable/ddocs/views/collation.html#collation-specification, and
# numbers of every size.
IN_ORDER: list[Any] = [
    None,
    False,
    True,
    -(10**400),
    -(10**309),
    -1.7976931348623157e308,
    -(2**53) - 3,
    -(2**53) - 2,
    -(2**53) - 1,
    -(2**53),
    -1.5,
    -1,
    -5e-324,
    0,
    5e-324,
    0.5,
    1,
    2,
    3.0,
    4,
    2**53,
    2**53 + 1,
    2**53 + 2,
    12345678901234567890123,
    12345678901234567890124,
    1.7976931348623157e308,
    10**309,
    10**309 + 1,
    10**400,
    "",
    "a",
    "A",
    "aa",
    "b",
    "B",
    "ba",
    "bb",
    [],
    [None],
    ["a"],
    ["b"],
    ["b", "c"],
    ["b", "c", "a"],
    ["b", "d"],
    ["b", "d", "e"],
    [[]],
    [[], 0],
    [{}],
    {},
    {"a": 1},
    {"a": 2},
    {"b": 1},
    {"b": 2},
    {"b": 2, "a": 1},
    {"b": 2, "c": 2},
]

json_values: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(min_value=-(2**70), max_value=2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize("place", range(len(IN_ORDER) - 1))
def test_couchdbs_order(place: int) -> None:
    assert sort_key(IN_ORDER[place]) < sort_key(IN_ORDER[place + 1])
    assert compare(IN_ORDER[place], IN_ORDER[place + 1]) < 0
    assert compare(IN_ORDER[place + 1], IN_ORDER[place]) > 0


def test_the_whole_order_is_that_of_the_keys() -> None:
    backwards = IN_ORDER[::-1]
    assert sorted(backwards, key=sort_key) == IN_ORDER


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (1, 1.0),
        (0, -0.0),
        (0.0, 0),
        (10**22, 1e22),
        ("é", "e\u0301"),
        ("a", "a\u0001"),
        ("ab", "a\u00adb"),
    ],
)
def test_values_that_are_equal(a: Any, b: Any) -> None:
    assert sort_key(a) == sort_key(b)
    assert compare(a, b) == 0
    assert sort_key([a, {"m": a}]) == sort_key([b, {"m": b}])


@pytest.mark.parametrize(
    "text",
    [
        "_-,;:!?.'\"()[]{}@*/\\&#%`^+<=>|~$0123456789aAbBcCxXyYzZ",
        "aáàäbcçdđeéèfghiîjklłmnñoóôöøpqrsštuüvwxyÿzžþ",
        "αβγδεζηθικλμνξοπρστυφχψω",
        "абвгґдеєжзиійклмнопрстуфхцчшщъыьэюя",
    ],
)
def test_alphabets(text: str) -> None:
    backwards = text[::-1]
    assert "".join(sorted(backwards, key=sort_key)) == text


def test_strings_are_ordered_as_couchdb_has_ordered_them() -> None:
    groups: list[list[str]] = json.loads(RECORDED.read_text())
    assert len(groups) > 400
    for group in groups:
        assert len({sort_key(text) for text in group}) == 1, group
    for before, after in pairwise(groups):
        assert sort_key(before[0]) < sort_key(after[0]), (before, after)


def test_an_accent_counts_less_than_any_letter_and_case_less_than_any_accent() -> None:
    assert sorted(["Résumé", "resumes", "resume", "résumé", "Resume"], key=sort_key) == [
        "resume", "Resume", "résumé", "Résumé", "resumes",
    ]  # fmt: skip


def test_the_documented_upper_end_of_a_range_of_strings() -> None:
    for text in ("foo", "foobar", "fooZ", "fooé", "foo😀", "foo漢"):
        assert sort_key("foo") <= sort_key(text) < sort_key("foo\ufff0") < sort_key("foo\uffff")
    assert sort_key("fop") > sort_key("foo\uffff")


# --- laws


def reference(a: Any, b: Any) -> int:
    """The documented order in its plainest form, for strings of small letters."""

    def rank(value: Any) -> int:
        kinds: tuple[Any, ...] = (type(None), bool, (int, float), str, list, dict)
        return next(place for place, kind in enumerate(kinds) if isinstance(value, kind))

    if rank(a) != rank(b):
        return -1 if rank(a) < rank(b) else 1
    if isinstance(a, dict):
        a, b = ([part for item in value.items() for part in item] for value in (a, b))
    if isinstance(a, list):
        for left, right in zip(a, b, strict=False):
            found = reference(left, right)
            if found:
                return found
        return (len(a) > len(b)) - (len(a) < len(b))
    return 0 if a is None else (a > b) - (a < b)


small = st.text("abc", max_size=3)
plain_values: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-3, 3)
    | st.sampled_from([2**53, 2**53 + 1, float(2**53), -(2**64), 1e300, 10**300, -(10**310)])
    | st.floats(allow_nan=False, allow_infinity=False)
    | small,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(small, inner, max_size=3),
    max_leaves=6,
)


@given(st.lists(plain_values, max_size=6))
def test_sorting_by_keys_is_sorting_by_the_documented_order(values: list[Any]) -> None:
    by_key, by_reference = (
        sorted(values, key=sort_key),
        sorted(values, key=cmp_to_key(reference)),
    )
    assert repr(by_key) == repr(by_reference)


@given(plain_values, plain_values)
def test_keys_are_equal_when_values_are(a: Any, b: Any) -> None:
    assert (sort_key(a) == sort_key(b)) == (reference(a, b) == 0)


@given(json_values, json_values)
def test_compare_and_the_keys_agree(a: Any, b: Any) -> None:
    assert (
        math.copysign(1, compare(a, b)) == math.copysign(1, -compare(b, a))
        or a == b
        or (compare(a, b) == compare(b, a) == 0)
    )
    assert (compare(a, b) < 0) == (sort_key(a) < sort_key(b))


@given(json_values, json_values)
def test_no_key_is_the_beginning_of_another(a: Any, b: Any) -> None:
    a_key, b_key = sort_key(a), sort_key(b)
    assert a_key == b_key or not b_key.startswith(a_key)
    assert END < a_key < HIGHEST


@given(st.lists(json_values, max_size=3), st.lists(json_values, max_size=3), st.binary(max_size=3))
def test_the_key_of_a_row_is_the_key_of_its_values_then_the_id(
    a: list[Any], b: list[Any], id: bytes
) -> None:
    assert sort_key(a) == ARRAY + b"".join(map(sort_key, a)) + END
    if sort_key(a) < sort_key(b):
        assert sort_key(a) + b"\xff" + id < sort_key(b) + id


@given(st.integers(), st.integers())
def test_integers_of_any_size(a: int, b: int) -> None:
    assert (sort_key(a) < sort_key(b)) == (a < b)
    assert (sort_key(a * 10**300) < sort_key(b * 10**300)) == (a < b)


@given(st.integers(), st.floats(allow_nan=False, allow_infinity=False))
def test_integers_among_floats(a: int, b: float) -> None:
    assert (sort_key(a) < sort_key(b)) == (a < b)
    assert (sort_key(a) == sort_key(b)) == (a == b)


@given(st.text(), st.text())
def test_strings_are_equal_only_when_they_look_alike(a: str, b: str) -> None:
    def seen(text: str) -> str:
        """What is left when marks without a look are gone, and digits are European."""
        return "".join(
            str(unicodedata.decimal(char, char))
            for char in unicodedata.normalize("NFD", text)
            if char in "\t\n\v\f\r\x85"
            or (unicodedata.category(char) not in ("Cc", "Cf", "Mn", "Mc") and char != "\u0640")
        )

    if sort_key(a) == sort_key(b):
        assert seen(a) == seen(b)
    if unicodedata.normalize("NFD", a) == unicodedata.normalize("NFD", b):
        assert sort_key(a) == sort_key(b)


@given(st.text(), st.text(min_size=1))
def test_a_string_sorts_before_what_begins_with_it(a: str, b: str) -> None:
    if not unicodedata.combining(b[0]) and not unicodedata.category(b[0]).startswith("M"):
        assert sort_key(a) <= sort_key(a + b)
