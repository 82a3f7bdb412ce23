"""Documents that somebody made to do harm, or that grew beyond all measure: the merge answers
with an error or a conflict that says so, within seconds.

What bounds the work is counted, so the bounds on time here are generous.
"""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import pytest

from couchmend import ABSENT, Merge, Policy, merge, merge_json
from couchmend.core.document import JSON, dumps, loads
from couchmend.core.merging.fold import fold
from couchmend.core.merging.merge import MAX_BYTES
from couchmend.core.merging.serial import from_json, to_json
from couchmend.core.merging.three_way import MAX_DEPTH
from couchmend.core.paths import from_pointer, from_readable, pointer, readable
from couchmend.core.revtree import Rev, RevTree
from couchmend.errors import BadRequest, DocumentInvalid, TooLarge

MIB = 1 << 20
MANY = 100_000
TOO_MUCH = "too much work"


@contextmanager
def within(seconds: float) -> Generator[None]:
    """Of time that this process computes: others on the machine do not count."""
    start = time.process_time()
    yield
    assert time.process_time() - start < seconds


def only(merged: Merge) -> Any:
    (decision,) = merged.decisions
    return decision


# --- long strings


def words(count: int, change: int = -1) -> str:
    return " ".join("other" if place == change else f"w{place}" for place in range(count))


def test_strings_of_a_mebibyte() -> None:
    base = "x" * MIB
    with within(10):
        merged = merge({"s": base}, {"s": base + "a"}, {"s": base + "b"})
    assert only(merged).unresolved
    assert merged.value == {"s": base + "a"}


def test_a_line_of_a_mebibyte_without_a_space() -> None:
    base = "x" * MIB + "\n"
    with within(10):
        merged = merge({"s": base}, {"s": "a" + base}, {"s": base + "b\n"})
    assert merged.value == {"s": "a" + base + "b\n"} or only(merged).unresolved


def test_texts_of_many_lines_changed_once_on_each_side() -> None:
    lines = [f"line {number}\n" for number in range(MANY)]
    here, there = lines.copy(), lines.copy()
    here[7], there[-7] = "here\n", "there\n"
    with within(20):
        merged = merge({"s": "".join(lines)}, {"s": "".join(here)}, {"s": "".join(there)})
    assert not merged.unresolved
    here[-7] = "there\n"
    assert merged.value == {"s": "".join(here)}


def test_texts_changed_everywhere_are_one_conflict() -> None:
    base, here, there = (
        "".join(f"{side} {number * step % 99_991}\n" for number in range(MANY))
        for side, step in (("line", 1), ("line", 7), ("line", 11))
    )
    with within(20):
        merged = merge({"s": base}, {"s": here}, {"s": there})
    assert only(merged).unresolved
    assert merged.value == {"s": here}


def test_one_line_of_very_many_words() -> None:
    base, here, there = words(MANY), words(MANY, 5), words(MANY, MANY - 5)
    with within(20):
        merged = merge({"s": base + "\n"}, {"s": here + "\n"}, {"s": there + "\n"})
    assert not merged.unresolved
    assert merged.value["s"].count("other") == 2


def test_very_many_different_lines_side_by_side() -> None:
    """Each line is compared with each in search of which became which: too much work."""
    base, here, there = (
        "".join(f"{word} {number} {word}\n" for number in range(5000)) for word in ("a", "b", "c")
    )
    with within(20):
        merged = merge({"s": base}, {"s": here}, {"s": there})
    assert only(merged).unresolved


# --- depth


def nested(levels: int, leaf: JSON, kind: type = dict) -> JSON:
    """So many levels, the outermost being the document."""
    value = leaf
    for _ in range(levels - 1):
        value = {"a": value} if kind is dict else [value]
    return {"x": value} if levels else leaf


@pytest.mark.parametrize("kind", [dict, list])
def test_two_hundred_levels_are_merged(kind: type) -> None:
    base, here, there = (nested(MAX_DEPTH, leaf, kind) for leaf in (0, 1, 2))
    merged = merge(base, here, there)
    decision = only(merged)
    assert decision.unresolved
    assert merged.value == here
    path = decision.path
    assert len(path) == (MAX_DEPTH if kind is dict else 1)
    assert from_pointer(pointer(path)) == path
    assert from_readable(readable(path)) == path
    assert from_json(loads(dumps(to_json(merged.decisions)))) == merged.decisions


@pytest.mark.parametrize("kind", [dict, list])
@pytest.mark.parametrize("side", [0, 1, 2])
@pytest.mark.parametrize("levels", [MAX_DEPTH + 1, 5000])
def test_one_level_more_is_refused(kind: type, side: int, levels: int) -> None:
    sides: list[JSON] = [{"x": 0}, {"x": 1}, {"x": 2}]
    sides[side] = nested(levels, 0, kind)
    for how in (merge, merge_json):
        with pytest.raises(DocumentInvalid, match="nested too deeply") as refused:
            how(*sides)
        assert refused.value.target == ("the base", "current", "other")[side]


def test_nested_records_are_bounded_too() -> None:
    def boards(levels: int, leaf: JSON) -> JSON:
        value = {"id": "a", "v": leaf}
        for _ in range(levels):
            value = {"id": "a", "in": [value]}
        return value

    merged = merge_json(*(boards(99, leaf) for leaf in (0, 1, 2)))
    assert only(merged).unresolved
    with pytest.raises(DocumentInvalid):
        merge_json(*(boards(100, leaf) for leaf in (0, 1, 2)))


# --- long lists


def permuted(step: int) -> list[int]:
    return [number * step % MANY for number in range(MANY)]


def mixed(few: int) -> list[int]:
    """So few different values, in a way in which everything may have become everything."""
    return [number * number % few for number in range(MANY)]


@pytest.mark.parametrize(
    ("base", "here", "there"),
    [
        ([0] * MANY, [1] * MANY, [2] * MANY),
        (permuted(1), permuted(7), permuted(11)),
        (mixed(10), mixed(7), mixed(9)),
        ([], permuted(7), permuted(11)),
        (permuted(1), list(reversed(permuted(1))), permuted(7)),
    ],
    ids=["all other", "permuted", "few values", "from nothing", "reversed"],
)
def test_lists_changed_everywhere_on_both_sides_are_one_conflict(
    base: JSON, here: JSON, there: JSON
) -> None:
    with within(30):
        merged = merge({"l": base}, {"l": here}, {"l": there})
    decision = only(merged)
    assert decision.unresolved
    assert decision.path == ("l",)
    assert merged.value == {"l": here}


def test_the_conflict_says_that_it_was_too_much_work() -> None:
    base, here, there = map(mixed, (10, 7, 9))
    with within(30):
        decision = only(merge({"l": base}, {"l": here}, {"l": there}))
    assert decision.unresolved
    assert TOO_MUCH in decision.reason


def test_long_lists_changed_once_on_each_side_are_merged() -> None:
    base, here, there = list(range(MANY)), list(range(MANY)), list(range(MANY))
    here[1], there[-2] = -1, -2
    with within(10):
        merged = merge({"l": base}, {"l": here}, {"l": there})
    here[-2] = -2
    assert merged.value == {"l": here}
    assert not merged.unresolved


def test_long_lists_of_records() -> None:
    def records(**values: int) -> JSON:
        return {"l": [{"id": n, "v": values.get(f"n{n}", 0)} for n in range(MANY)]}

    with within(30):
        merged = merge(records(), records(n5=1), records(n99995=2))
    assert merged.value == records(n5=1, n99995=2)
    assert not merged.unresolved


def test_long_lists_of_records_rearranged_on_both_sides() -> None:
    """The work that finding an order is allowed may be used up; nothing is lost over it."""

    def records(step: int) -> JSON:
        return {"l": [{"id": number} for number in permuted(step)]}

    with within(30):
        merged = merge(records(1), records(7), records(11))
    assert merged.unresolved
    assert merged.value == records(7)


def test_long_sets() -> None:
    def tags(*more: str) -> JSON:
        return {"tags": [*(f"t{number}" for number in range(MANY)), *more]}

    with within(30):
        merged = merge(tags(), tags("here"), tags("there"))
    assert merged.value == tags("here", "there")
    assert not merged.unresolved


def test_records_without_identities_changed_everywhere() -> None:
    def records(value: int) -> JSON:
        return {"l": [{"name": f"n{number}", "v": value} for number in range(3000)]}

    with within(30):
        decision = only(merge(records(0), records(1), records(2)))
    assert decision.unresolved


def test_many_lists_share_one_bound() -> None:
    def lists(few: int) -> JSON:
        return {f"l{place}": [n * place % few for n in range(3000)] for place in range(1, 60)}

    with within(60):
        merged = merge(lists(10), lists(7), lists(9))
    assert merged.unresolved
    assert any(TOO_MUCH in decision.reason for decision in merged.unresolved)


# --- many members


def test_ten_thousand_members() -> None:
    def members(**values: int) -> JSON:
        return {f"k{number}": values.get(f"k{number}", 0) for number in range(10_000)}

    with within(10):
        merged = merge(members(), members(k7=1), members(k9000=2))
    assert merged.value == members(k7=1, k9000=2)
    assert [decision.path for decision in merged.decisions] == [("k7",), ("k9000",)]


def test_ten_thousand_conflicts() -> None:
    base, here, there = ({f"k{n}": value for n in range(10_000)} for value in range(3))
    with within(20):
        merged = merge(base, here, there)
        assert len(merged.unresolved) == 10_000
        text = repr(merged)
    assert merged.value == here
    assert "10000 left to decide" in text
    assert len(text) < 5000


def test_ten_thousand_conflicts_of_three_leaves() -> None:
    """What was open where two leaves met is open where the third comes in."""
    revs = [Rev(2, "b"), Rev(2, "c"), Rev(2, "d")]
    root = Rev(1, "a")
    tree = RevTree.of([([rev, root], False) for rev in revs])
    bodies = {
        rev: {f"k{n}": value for n in range(1_000)} for value, rev in enumerate([root, *revs])
    }
    with within(60):
        folded = fold(tree, bodies, Policy())
    assert len(folded.side.open) == 1_000
    assert all(len(rivals) == 3 for rivals in folded.side.open.values())


def test_patterns_for_any_depth_over_a_deep_document() -> None:
    policy = Policy(fields={"**.a.**.a.**.a": "max", "**.a.**": "min", "**": "current"})
    base, here, there = (nested(MAX_DEPTH, leaf) for leaf in (0, 1, 2))
    with within(10):
        merged = merge(base, here, there, policy)
    assert not merged.unresolved


# --- numbers


def test_huge_integers() -> None:
    huge = 10**4000
    text = f'{{"n":{huge}}}'.encode()
    assert loads(text) == {"n": huge}
    with within(10):
        merged = merge({"n": huge}, {"n": huge + 1, "m": 1}, {"n": huge})
    assert merged.value == {"n": huge + 1, "m": 1}
    merged = merge({"n": huge}, {"n": huge + 1}, {"n": huge + 2}, Policy(fields={"n": "counter"}))
    assert merged.value == {"n": huge + 3}
    merged = merge({"l": [huge, 1]}, {"l": [huge, 2]}, {"l": [huge, 1]})
    assert merged.value == {"l": [huge, 2]}


def test_a_huge_integer_and_a_float() -> None:
    for resolver in ("counter", "max", "min"):
        policy = Policy(fields={"n": resolver})
        merged = merge({"n": 0.5}, {"n": 10**400}, {"n": 1.5}, policy)
        assert dumps(merged.value)
    assert merge({"n": 0.5}, {"n": 10**400}, {"n": 1.5}, Policy(fields={"n": "counter"})).unresolved


def test_a_huge_timestamp() -> None:
    merged = merge({"updatedAt": 1}, {"updatedAt": 10**4000}, {"updatedAt": 1e308})
    assert merged.value == {"updatedAt": 10**4000}


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("side", [0, 1, 2])
def test_what_is_no_number_is_refused(number: float, side: int) -> None:
    for wrong in ({"x": number}, {"x": [{"y": number}]}):
        sides: list[JSON] = [{"x": 0}, {"x": 1}, {"x": 2}]
        sides[side] = wrong
        for how in (merge, merge_json):
            with pytest.raises(DocumentInvalid, match="is not a JSON number"):
                how(*sides)


def test_text_that_is_no_number_is_refused() -> None:
    for text in (b'{"x":NaN}', b'{"x":Infinity}', b'{"x":1e400}'):
        with pytest.raises(BadRequest):
            loads(text)


@pytest.mark.parametrize(
    "wrong", [{"x": (1, 2)}, {"x": {1: 2}}, {"x": b"y"}, {"x": {1, 2}}, {"x": "\ud800"}]
)
def test_what_is_not_json_is_refused(wrong: JSON) -> None:
    for sides in ([wrong, {}, {}], [{}, wrong, {}], [{}, {}, wrong]):
        for how in (merge, merge_json):
            with pytest.raises(DocumentInvalid):
                how(*sides)


# --- names


NAMES = (
    "__proto__", "constructor", "prototype", "hasOwnProperty", "", " ", ".", "..", "a.b", "x[0]",
    "[]", "*", "**", "/", "~", "~0", "~1", "~[id=\"s1\"]", '"', '\\"', "'", "\\", "\n", "\x00",
    "id", "0", "-1", "true", "null", "$where", "{{x}}", "<b>", "é", "e\u0301", "👩‍👩‍👧", "\u202e",
    "\ufeff", "x" * 10_000,
)  # fmt: skip


@pytest.mark.parametrize("name", NAMES, ids=lambda name: ascii(name)[:20])
def test_any_name_is_a_name(name: str) -> None:
    def at(value: int) -> JSON:
        return {"in": {name: value, "list": [{"id": name, "v": value}, {"id": name + "2", "v": 0}]}}

    merged = merge(at(0), at(1), at(2))
    paths = [decision.path for decision in merged.decisions]
    assert len(paths) == 2
    assert all(decision.unresolved for decision in merged.decisions)
    for path in paths:
        assert from_pointer(pointer(path)) == path
        assert from_readable(readable(path)) == path
    assert merged.value == at(1)
    chosen = merged
    for path in paths:
        chosen = chosen.take(readable(path), "other")
    assert chosen.value == at(2)
    assert not chosen.unresolved


def test_names_are_told_apart() -> None:
    """No two names, and no nesting of names, make one path."""
    value = {"in": {name: dict.fromkeys(NAMES, 0) for name in NAMES}}
    wanted = len(NAMES) ** 2
    other = {"in": {name: dict.fromkeys(NAMES, 1) for name in NAMES}}
    merged = merge(value, other, value)
    assert len(merged.decisions) == wanted
    paths = [decision.path for decision in merged.decisions]
    assert len({pointer(path) for path in paths}) == wanted
    assert len({readable(path) for path in paths}) == wanted


@pytest.mark.parametrize("name", ["__proto__", "_hidden", "_"])
def test_a_reserved_member_that_couchdb_does_not_know_is_refused(name: str) -> None:
    with pytest.raises(DocumentInvalid, match="special document member"):
        merge({}, {name: 1}, {})
    assert merge_json({}, {name: 1}, {}).value == {name: 1}


# --- size


def test_a_version_that_is_too_large_is_refused() -> None:
    large = {"s": "x" * MAX_BYTES}
    for sides in ([large, {}, {}], [{}, large, {}], [{}, {}, large], [ABSENT, {}, large]):
        with pytest.raises(TooLarge, match="is the limit"):
            merge(*sides)


def test_numbers_that_hash_alike() -> None:
    """Python hashes integers modulo a prime, so that multiples of it make dictionaries slow."""
    alike = [number * ((1 << 61) - 1) for number in range(1, 20_000)]
    base, here, there = (
        {"l": [{"id": number, "v": value} for number in alike]} for value in range(3)
    )
    with within(30):
        merged = merge(base, here, there)
    assert only(merged).unresolved
    was, mine, theirs = ({"l": side["l"][:40]} for side in (base, here, there))
    few = merge(was, mine, theirs)
    assert "large numbers that hash alike" in only(few).reason
    with within(30):
        merged = merge({"l": alike}, {"l": alike[::-1]}, {"l": alike[1::2] + alike[::2]})
    assert only(merged).unresolved


def test_large_numbers_are_compared_by_value() -> None:
    base = [1e22, 10**22 + 1, 3, 1]
    merged = merge_json(base, [10**22, 10**22 + 1, 3, 2], [1e22, 10**22 + 2, 3, 1])
    assert dumps(merged.value) == dumps([10**22, 10**22 + 2, 3, 2])
