"""Resolvers of one's own: whatever they do, a merge goes on."""

from __future__ import annotations

from typing import Any

import pytest

from couchmend.core.policy.builtin import BUILTIN
from couchmend.core.policy.resolvers import UNRESOLVED, Context, Resolver, Unresolved
from couchmend.core.policy.versions import Version
from couchmend.core.values import ABSENT, Value

CONTEXT = Context(
    ("a", "b"),
    Version("2-cc", {"a": {"b": 2}}, 20, "phone"),
    Version("2-aa", {"a": {"b": 3}}, 10, "laptop", rank=1),
    {"a": {"b": 1}},
    base_exact=True,
)


def returning(value: Any) -> Resolver:
    return Resolver("mine", lambda base, current, other, context: value)


@pytest.mark.parametrize("value", [None, True, 1, 10**40, 1.5, "x", [], {"a": [{}]}, ABSENT])
def test_what_it_returns_is_taken(value: Value) -> None:
    assert returning(value).decide(1, 2, 3, CONTEXT) is value


@pytest.mark.parametrize("value", [UNRESOLVED, Unresolved("too hard")])
def test_it_may_leave_the_value_open(value: Unresolved) -> None:
    assert returning(value).decide(1, 2, 3, CONTEXT) is value


def nested(levels: int) -> Value:
    value: Value = 1
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (float("nan"), "nan"),
        ([float("inf")], "inf"),
        ((1, 2), "tuple"),
        ({"a": {1, 2}}, "set"),
        ({1: 2}, "the key 1"),
        (b"x", "bytes"),
        ("\ud800", "surrogate"),
        (object(), "object"),
        (nested(201), "nested too deeply"),
        (nested(100_000), "nested too deeply"),
    ],
    ids=lambda value: str(value)[:20] if isinstance(value, str) else None,
)
def test_what_is_not_json_is_left_open_with_the_reason(value: Any, why: str) -> None:
    found = returning(value).decide(1, 2, 3, CONTEXT)
    assert isinstance(found, Unresolved)
    assert found.reason.startswith("it returned what is not JSON: ")
    assert why in found.reason


def test_as_many_levels_as_a_document_may_have_are_taken() -> None:
    assert returning(nested(200)).decide(1, 2, 3, CONTEXT) == nested(200)


@pytest.mark.parametrize(
    ("problem", "why"),
    [
        (ValueError("no such state"), "ValueError: no such state"),
        (KeyError("x"), "KeyError: 'x'"),
        (RecursionError("deep"), "RecursionError: deep"),
        (AssertionError(), "AssertionError: "),
    ],
)
def test_what_it_raises_is_the_reason(problem: Exception, why: str) -> None:
    def fail(base: Value, current: Value, other: Value, context: Context) -> Value:
        raise problem

    found = Resolver("mine", fail).decide(1, 2, 3, CONTEXT)
    assert found == Unresolved(f"it failed with {why}")


def test_that_the_program_is_to_end_is_not_held_up() -> None:
    def interrupted(base: Value, current: Value, other: Value, context: Context) -> Value:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Resolver("mine", interrupted).decide(1, 2, 3, CONTEXT)


def test_it_cannot_change_what_it_is_given() -> None:
    def careless(base: Value, current: Value, other: Value, context: Context) -> Value:
        current["tags"].extend(other["tags"])
        base.clear()
        return current

    base, current, other = {"tags": ["a"]}, {"tags": ["a", "b"]}, {"tags": ["c"]}
    found = Resolver("mine", careless).decide(base, current, other, CONTEXT)
    assert found == {"tags": ["a", "b", "c"]}
    assert (base, current, other) == ({"tags": ["a"]}, {"tags": ["a", "b"]}, {"tags": ["c"]})


def test_it_sees_the_versions() -> None:
    def tell(base: Value, current: Value, other: Value, context: Context) -> Value:
        return [
            base,
            list(context.path),
            context.current.name,
            context.other.device,
            context.other.body,
            context.base_body,
            context.base_exact,
        ]

    found = Resolver("mine", tell).decide(1, 2, 3, CONTEXT)
    assert found == [1, ["a", "b"], "2-cc", "laptop", {"a": {"b": 3}}, {"a": {"b": 1}}, True]


def test_a_form_decides_nothing_itself() -> None:
    assert isinstance(BUILTIN["set"].decide([], [1], [2], CONTEXT), Unresolved)
