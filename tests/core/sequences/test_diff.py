"""What changed, and doing it again: to the byte."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from couchmend.core.document import JSON, dumps
from couchmend.core.paths import from_readable
from couchmend.core.sequences.budget import Budget
from couchmend.core.sequences.diff import Change, apply, diff
from couchmend.core.values import ABSENT, Value
from couchmend.errors import UsageError

NAMES = st.sampled_from(["a", "b", "id", "", "a.b", "__proto__", "x[0]"])
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 2),
    st.sampled_from([0.0, 1.0, 1.5, 10**25]),
    st.sampled_from(["", "x", "one\ntwo\n", "é"]),
)
VALUES: st.SearchStrategy[JSON] = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=15,
)
RECORDS: st.SearchStrategy[JSON] = st.lists(
    st.fixed_dictionaries({"id": st.integers(0, 6)}, optional={"v": VALUES, "w": SCALARS}),
    max_size=7,
    unique_by=lambda record: record["id"],
)


def written(changes: tuple[Change, ...]) -> list[str]:
    return [str(change) for change in changes]


def holds(before: Value, after: Value) -> None:
    changes = diff(before, after)
    again = apply(changes, before)
    if after is ABSENT:
        assert again is ABSENT
    else:
        assert dumps(again) == dumps(after)


# --- laws


@given(VALUES, VALUES)
def test_applied_to_the_first_it_gives_the_second_to_the_byte(before: JSON, after: JSON) -> None:
    kept = dumps(before)
    holds(before, after)
    assert dumps(before) == kept


@given(RECORDS, RECORDS)
def test_so_it_does_where_elements_have_identities(before: JSON, after: JSON) -> None:
    holds({"tasks": before}, {"tasks": after})


@given(st.lists(VALUES, max_size=6), st.data())
def test_so_it_does_where_elements_of_a_list_were_edited(before: JSON, data: st.DataObject) -> None:
    after = [
        data.draw(VALUES) if data.draw(st.booleans(), label="edited") else element
        for element in before
    ]
    holds(before, after)


@given(VALUES)
def test_nothing_changed_from_a_value_to_itself(value: JSON) -> None:
    copied = apply(diff(None, value), None)
    assert diff(value, copied) == ()
    assert diff(value, [value]) != ()


# --- what it says


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        ({"done": False}, {"done": True}, ["done: false → true"]),
        ({"a": 1}, {"a": 1, "b": 2}, ["b: added 2"]),
        ({"a": 1, "b": 2}, {"b": 2}, ["a: removed 1"]),
        ({"a": None}, {}, ["a: removed null"]),
        ({"n": 1}, {"n": 1.0}, ["n: 1 → 1.0"]),
        ({"n": 1}, {"n": True}, ["n: 1 → true"]),
        ({"a": {"b": {"c": 1}}}, {"a": {"b": {"c": 2}}}, ["a.b.c: 1 → 2"]),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, ['.: order of members ["a","b"] → ["b","a"]']),
        ({"a.b": 1}, {"a.b": 2}, ['"a.b": 1 → 2']),
        ([1, 2, 3], [1, 5, 3], ["[1]: 2 → 5"]),
        ([1, 2, 3], [1, 3], ["[1]: [2] → []"]),
        ([1, 3], [1, 2, 2, 3], ["[1]: [] → [2,2]"]),
        ([[0, 0], [1, 1]], [[0, 0], [1, 7]], ["[1][1]: 1 → 7"]),
        ({"t": "a\nb\n"}, {"t": "a\nc\n"}, ['t: "a\\nb\\n" → "a\\nc\\n"']),
        ([], {}, [".: [] → {}"]),
        (ABSENT, {"a": 1}, ['.: added {"a":1}']),
        ({"a": 1}, ABSENT, ['.: removed {"a":1}']),
    ],
)
def test_changes_are_readable(before: Value, after: Value, says: list[str]) -> None:
    assert written(diff(before, after)) == says
    holds(before, after)


def tasks(*ids: str, **edits: Any) -> list[JSON]:
    return [{"id": id, "done": edits.get(id, False)} for id in ids]


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        (tasks("s", "t"), tasks("s", "t", t=True), ['[id="t"].done: false → true']),
        (tasks("s", "t"), tasks("t", "s"), ['[id="t"]: moved from 1 to 0']),
        (tasks("s", "t", "u"), tasks("t", "u", "s"), ['[id="s"]: moved from 0 to 2']),
        (tasks("s", "t", "u"), tasks("u", "s", "t"), ['[id="u"]: moved from 2 to 0']),
        (tasks("s", "t"), tasks("t"), ['[id="s"]: removed {"id":"s","done":false}']),
        (tasks("s"), tasks("s", "t"), ['[id="t"]: added {"id":"t","done":false}']),
        (
            tasks("s"),
            tasks("t", "s"),
            ['[id="t"]: added {"id":"t","done":false}', '[id="t"]: placed at 0'],
        ),
        (
            tasks("s", "t"),
            tasks("t", "s", s=True),
            ['[id="s"].done: false → true', '[id="t"]: moved from 1 to 0'],
        ),
    ],
)
def test_elements_with_identities_are_told_by_them(
    before: JSON, after: JSON, says: list[str]
) -> None:
    assert written(diff(before, after)) == says
    holds(before, after)


def test_a_long_value_is_cut_short_for_people() -> None:
    (change,) = diff({"t": ""}, {"t": "x" * 1000})
    assert len(str(change)) < 100


def test_only_the_names_that_are_given_are_identities() -> None:
    before, after = [{"nr": 1, "a": 1}, {"nr": 2}], [{"nr": 2}, {"nr": 1, "a": 1}]
    assert written(diff(before, after, ["nr"])) == ["[nr=2]: moved from 1 to 0"]
    assert all(change.aspect == "elements" for change in diff(before, after))


# --- bounds


def test_a_list_that_is_too_much_work_changes_as_a_whole() -> None:
    random_numbers = random.Random(7)
    before = [random_numbers.randrange(50) for _ in range(3000)]
    after = [random_numbers.randrange(50) for _ in range(3000)]
    assert diff(before, after, budget=Budget(10_000)) == (Change((), before, after),)
    holds(before, after)


def test_what_is_nested_deeper_than_compared_changes_as_a_whole() -> None:
    before: JSON = 1
    after: JSON = 2
    for _ in range(480):
        before, after = [before], {"a": after}
    holds(before, after)
    deep: JSON = 3
    for _ in range(240):
        deep = {"a": deep}
    other: JSON = 4
    for _ in range(240):
        other = {"a": other}
    (change,) = diff(deep, other)
    assert len(change.path) == 200
    holds(deep, other)


# --- changes of something else


@pytest.mark.parametrize(
    ("changes", "value"),
    [
        (diff({"a": 1}, {"a": 2}), {"a": 3}),
        (diff({"a": 1}, {"a": 2}), {}),
        (diff({}, {"a": 2}), {"a": 1}),
        (diff({"a": {"b": 1}}, {"a": {"b": 2}}), {"a": [1]}),
        (diff({"a": {"b": 1}}, {"a": {"b": 2}}), {"a": "text"}),
        (diff([1, 2, 3], [1, 3]), [1, 5, 3]),
        (diff([1, 2, 3], [1, 2, 4]), [1, 2]),
        (diff([1, 2, 3], [1, 2, 4]), {"2": 3}),
        (diff(tasks("s"), tasks("s", s=True)), tasks("t")),
        (diff(tasks("s"), tasks("s", s=True)), [1]),
        (diff({"a": 1, "b": 2}, {"b": 2, "a": 1}), {"a": 1}),
        ((Change(from_readable("[0][id=1]"), 1, 2), Change((0, 0), 1, 2)), [[{"id": 1}]]),
        ((Change(("a",), [1], [2], "elements"),), [1]),
        ((Change((2,), [], [2], "elements"),), [1]),
    ],
)
def test_changes_of_another_value_are_refused(changes: tuple[Change, ...], value: JSON) -> None:
    with pytest.raises(UsageError, match="is not one of this value"):
        apply(changes, value)
