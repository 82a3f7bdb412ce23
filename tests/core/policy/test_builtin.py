"""The built-in resolvers, each as a table of what it makes of base, current and other."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from couchmend.core.document import JSON, dumps
from couchmend.core.policy.builtin import ALIASES, BUILTIN, prefer
from couchmend.core.policy.resolvers import Context, Form, Unresolved
from couchmend.core.policy.versions import Version
from couchmend.core.values import ABSENT, Value, same

_ = ABSENT
BIG = 12345678901234567890123


def context(current: int | None = None, other: int | None = None, *, exact: bool = True) -> Context:
    """Of two versions with these timestamps."""
    mine, theirs = Version("current", {}, current), Version("other", {}, other, rank=1)
    return Context(("field",), mine, theirs, {}, exact)


def decide(name: str, base: Value, current: Value, other: Value, **times: Any) -> Any:
    return BUILTIN[name].decide(base, current, other, context(**times))


def exactly(found: Any, expected: Value) -> bool:
    """Equal, with the types of numbers and the order of members."""
    if found is ABSENT or expected is ABSENT or isinstance(found, Unresolved):
        return found is expected
    return dumps(found) == dumps(expected)


DECIDED = [
    # resolver, base, current, other, result
    ("current", 1, 2, 3, 2),
    ("current", 1, _, 3, _),
    ("other", 1, 2, 3, 3),
    ("other", 1, 2, _, _),
    ("max", 0, 2, 3, 3),
    ("max", 0, 3, 2, 3),
    ("max", 9, 3, 2, 3),
    ("max", 0, 2, 2.5, 2.5),
    ("max", 0, 1, 1.0, 1),
    ("max", 0, 1.0, 1, 1.0),
    ("max", 0, BIG, BIG + 1, BIG + 1),
    ("max", 0, 1e22, 10**22 + 1, 10**22 + 1),
    ("max", 0, -2, -3, -2),
    ("max", _, "apple", "pear", "pear"),
    ("max", _, "Zoo", "apple", "apple"),
    ("max", _, "2024-02-29T12:00:00Z", "2024-02-29T12:30:00+01:00", "2024-02-29T12:00:00Z"),
    ("max", _, "2024-02-29T12:30:00+01:00", "2024-02-29T12:00:00Z", "2024-02-29T12:00:00Z"),
    ("max", _, "2024-02-29", "2024-02-29T00:00:00.001", "2024-02-29T00:00:00.001"),
    ("max", _, "2024-02-29T12:00:00Z", "2024-02-29T13:00:00+01:00", "2024-02-29T12:00:00Z"),
    ("max", _, "2024-02-29T12:00:00.1Z", "2024-02-29T12:00:00.1000000001Z",
     "2024-02-29T12:00:00.1000000001Z"),
    ("min", 0, 2, 3, 2),
    ("min", 0, 3, 2, 2),
    ("min", 0, 1, 1.0, 1),
    ("min", 0, 2, 1.5, 1.5),
    ("min", _, "pear", "apple", "apple"),
    ("min", _, "2024-02-29T12:00:00Z", "2024-02-29T12:30:00+01:00", "2024-02-29T12:30:00+01:00"),
    ("counter", 5, 6, 8, 9),
    ("counter", 5, 4, 6, 5),
    ("counter", 5, 6, 6, 7),
    ("counter", _, 2, 3, 5),
    ("counter", BIG, BIG + 1, BIG + 2, BIG + 3),
    ("counter", 0, 2, 0.5, 2.5),
    ("counter", 0.0, 0.1, 0.2, 0.3),
    ("counter", 0.1, 0.4, 0.3, 0.6),
    ("counter", 1.0, 2, 3, 4),
    ("counter", 0.5, 1, 2, 2.5),
    ("counter", 1, 2.0, 3, 4.0),
    ("append", [1], [1, 2], [1, 3], [1, 2, 3]),
    ("append", [1], [1, 2], [1, 2], [1, 2, 2]),
    ("append", _, [1], [2, 3], [1, 2, 3]),
    ("append", [], [], [2], [2]),
    ("append", [{"a": 1, "b": 2}], [{"b": 2, "a": 1}, 1], [{"a": 1.0, "b": 2}, 2],
     [{"b": 2, "a": 1}, 1, 2]),
    ("append", "log\n", "log\na\n", "log\nb\n", "log\na\nb\n"),
    ("append", _, "a", "b", "ab"),
    ("longest", _, "aa", "bbb", "bbb"),
    ("longest", _, "aaa", "bb", "aaa"),
    ("longest", _, "aa", "bb", "aa"),
    ("longest", _, [1], [2, 3], [2, 3]),
    ("longest", _, {"a": 1}, {"a": 2, "b": 3}, {"a": 2, "b": 3}),
    ("non-empty", "x", "", "y", "y"),
    ("non-empty", "x", "y", None, "y"),
    ("non-empty", "x", [], {"a": 1}, {"a": 1}),
    ("non-empty", "x", {}, 0, 0),
    ("non-empty", "x", False, _, False),
    ("non-empty", "x", _, "y", "y"),
    ("non-empty", "x", None, "", None),
    ("non-empty", "x", _, None, _),
    ("drop", 1, 2, 3, _),
    ("drop", 1, _, 3, _),
]  # fmt: skip


@pytest.mark.parametrize(("name", "base", "current", "other", "expected"), DECIDED)
def test_what_a_resolver_takes(
    name: str, base: Value, current: Value, other: Value, expected: Value
) -> None:
    assert exactly(decide(name, base, current, other), expected)


UNDECIDED = [
    # resolver, base, current, other, why
    ("max", 0, 1, "1", "a number with a string"),
    ("max", 0, True, 2, "true or false with a number"),
    ("max", 0, True, False, "true or false"),
    ("max", 0, None, 2, "null with a number"),
    ("max", 0, _, 2, "a value that was removed with a number"),
    ("max", 0, [1], [2], "a list"),
    ("max", 0, {"a": 1}, {"a": 2}, "an object"),
    ("max", 0, "2024-02-29", "soon", "a time with a string"),
    ("min", 0, "soon", "2024-02-29", "a string with a time"),
    ("min", 0, 1709208000, "2024-02-29", "a number with a time"),
    ("counter", 1, True, 2, "true or false"),
    ("counter", 1, "2", 3, "a string"),
    ("counter", None, 2, 3, "null"),
    ("counter", 1, _, 3, "a value that was removed"),
    ("counter", -1e308, 1e308, 1e308, "too large"),
    ("append", [1], [2], [1, 3], "more than append"),
    ("append", [1], [1, 2], [], "more than append"),
    ("append", [1], [True, 2], [1, 3], "more than append"),
    ("append", "a", "ab", "b", "more than append"),
    ("append", None, [1], [2], "more than append"),
    ("append", [], [1], "b", "a list and a string"),
    ("append", 1, 2, 3, "a number and a number"),
    ("longest", _, "a", ["a"], "a string with a list"),
    ("longest", _, "a", _, "a string with a value that was removed"),
    ("longest", _, 10, 100, "no length"),
    ("longest", _, None, _, "null with"),
    ("non-empty", _, "a", "b", "neither side is empty"),
    ("non-empty", _, 0, False, "neither side is empty"),
    ("manual", 1, 2, 3, "a person"),
]


@pytest.mark.parametrize(("name", "base", "current", "other", "why"), UNDECIDED)
def test_what_a_resolver_leaves_open_and_why(
    name: str, base: Value, current: Value, other: Value, why: str
) -> None:
    found = decide(name, base, current, other)
    assert isinstance(found, Unresolved)
    assert why in found.reason


@pytest.mark.parametrize(
    ("mine", "theirs", "latest", "earliest"),
    [
        (1, 2, "other", "current"),
        (2, 1, "current", "other"),
        (1, 1, "current", "current"),
        (None, None, "current", "current"),
        (None, -5, "other", "current"),
        (-5, None, "current", "other"),
        (10**17, 10**17 + 1, "other", "current"),
    ],
)
def test_latest_and_earliest_go_by_the_versions_timestamps(
    mine: int | None, theirs: int | None, latest: str, earliest: str
) -> None:
    for name, expected in (("latest", latest), ("earliest", earliest)):
        found = BUILTIN[name].resolve
        assert found is not None
        assert found(_, "current", "other", context(mine, theirs)) == expected


@pytest.mark.parametrize("name", ["counter", "append"])
def test_what_adds_up_needs_the_exact_base(name: str) -> None:
    base, current, other = (1, 2, 3) if name == "counter" else ([1], [1, 2], [1, 3])
    found = decide(name, base, current, other, exact=False)
    assert isinstance(found, Unresolved)
    assert "exact" in found.reason


@pytest.mark.parametrize(
    ("current", "other", "taken"),
    [
        ("done", "todo", "done"),
        ("todo", "done", "done"),
        ("todo", "later", "todo"),
        ("later", "todo", "todo"),
        (_, "todo", "todo"),
        (1.0, "later", 1.0),
        ("later", None, None),
    ],
)
def test_prefer_takes_what_stands_first_in_its_list(
    current: Value, other: Value, taken: Value
) -> None:
    found = prefer(["done", 1, "todo", None]).decide(_, current, other, context())
    assert exactly(found, taken)


@pytest.mark.parametrize(("current", "other"), [("a", "b"), (True, _), ("Done", "TODO")])
def test_prefer_leaves_open_what_is_not_in_its_list(current: Value, other: Value) -> None:
    found = prefer(["done", 1, "todo"]).decide(_, current, other, context())
    assert isinstance(found, Unresolved)


def test_prefer_has_its_list_in_its_name() -> None:
    assert prefer(["erledigt", "läuft"]).name == 'prefer:["erledigt", "läuft"]'


def test_some_resolvers_only_say_in_which_form_to_merge() -> None:
    forms = {name: resolver.form for name, resolver in BUILTIN.items() if resolver.form}
    assert forms == {
        "set": Form.SET,
        "keyed": Form.KEYED,
        "sequence": Form.SEQUENCE,
        "text": Form.TEXT,
        "atomic": Form.ATOMIC,
    }
    assert all((resolver.resolve is None) is (name in forms) for name, resolver in BUILTIN.items())


def test_every_resolver_that_the_policies_are_promised_is_there() -> None:
    assert set(BUILTIN) | {"prefer"} == {
        "current", "other", "latest", "earliest", "max", "min", "counter", "set", "keyed",
        "sequence", "text", "append", "longest", "prefer", "non-empty", "atomic", "drop", "manual",
    }  # fmt: skip
    assert ALIASES == {"local": "current", "remote": "other"}
    assert all(name == resolver.name for name, resolver in BUILTIN.items())
    assert all(resolver.about for resolver in BUILTIN.values())


def test_only_what_adds_up_is_not_idempotent() -> None:
    assert {name for name, resolver in BUILTIN.items() if not resolver.idempotent} == {
        "counter",
        "append",
    }
    assert {name for name, resolver in BUILTIN.items() if resolver.timed} == {"latest", "earliest"}


# --- laws

scalars: st.SearchStrategy[JSON] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 5),
    st.integers(),
    st.floats(-5, 5),
    st.sampled_from(["", "a", "b", "2024-02-29", "2024-02-29T12:00:00+01:00", "2024-02-28T23:59Z"]),
)
values: st.SearchStrategy[Value] = st.one_of(
    st.just(ABSENT),
    scalars,
    st.lists(scalars, max_size=3),
    st.dictionaries(st.sampled_from("ab"), scalars, max_size=2),
)
stamps = st.one_of(st.none(), st.integers(0, 3))
names = st.sampled_from([name for name, resolver in BUILTIN.items() if resolver.resolve])
SYMMETRIC = ("max", "min", "counter", "longest", "non-empty", "drop", "manual", "latest")


@given(names, values, values, values, stamps, stamps, st.booleans())
def test_no_resolver_fails_and_none_makes_up_a_value(
    name: str, base: Value, current: Value, other: Value, mine: Any, theirs: Any, exact: bool
) -> None:
    resolver = BUILTIN[name]
    found = resolver.decide(base, current, other, context(mine, theirs, exact=exact))
    if isinstance(found, Unresolved):
        assert found.reason
    elif found is not ABSENT:
        dumps(found)
        assert not resolver.idempotent or found is current or found is other


@given(st.sampled_from(SYMMETRIC), values, values, values, stamps, stamps)
def test_where_no_rule_prefers_a_side_swapping_them_changes_nothing(
    name: str, base: Value, current: Value, other: Value, mine: Any, theirs: Any
) -> None:
    one = BUILTIN[name].decide(base, current, other, context(mine, theirs))
    swapped = BUILTIN[name].decide(base, other, current, context(theirs, mine))
    if isinstance(one, Unresolved):
        assert isinstance(swapped, Unresolved)
    elif one is ABSENT or swapped is ABSENT or not same(one, swapped):
        # Of equally good ones it is current's: each side's own.
        tied = name in ("max", "min", "longest", "non-empty", "latest")
        assert one is swapped or (tied and one is current and swapped is other)


@given(names, values, values, values, stamps, stamps)
def test_what_is_idempotent_takes_the_same_again(
    name: str, base: Value, current: Value, other: Value, mine: Any, theirs: Any
) -> None:
    """Merging the result, which is as new as the newer, with either input again."""
    resolver = BUILTIN[name]
    found = resolver.decide(base, current, other, context(mine, theirs))
    if not resolver.idempotent or isinstance(found, Unresolved) or name in ("other", "earliest"):
        return
    newest = max((time for time in (mine, theirs) if time is not None), default=None)
    for side, time in ((current, mine), (other, theirs)):
        if not same(found, side):  # equal ones come to no resolver
            assert resolver.decide(base, found, side, context(newest, time)) is found


@given(st.integers(), st.integers(), st.integers())
def test_a_counter_has_what_both_sides_added(base: int, mine: int, theirs: int) -> None:
    found = decide("counter", base, base + mine, base + theirs)
    assert found == base + mine + theirs
    assert type(found) is int
