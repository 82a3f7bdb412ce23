"""Records next to each other: merged one by one, and never one for another."""

from __future__ import annotations

from typing import Any

import pytest

from couchmend import Policy, merge
from couchmend.core.document import JSON

Record = dict[str, Any]


def task(text: str, *, done: bool = False) -> Record:
    return {"text": text, "done": done}


def sold(sku: str, count: int) -> Record:
    return {"sku": sku, "count": count}


MILK, BREAD, EGGS = task("milk"), task("bread"), task("eggs")
MILK_DONE, BREAD_DONE = task("milk", done=True), task("bread", done=True)
A, B, NEW = sold("a", 1), sold("b", 7), sold("new", 2)


@pytest.mark.parametrize(
    ("base", "current", "other", "merged"),
    [
        pytest.param([MILK, BREAD], [MILK_DONE, BREAD], [MILK, BREAD_DONE],
                     [MILK_DONE, BREAD_DONE], id="neighbours, one edited by each"),
        pytest.param([{"t": "a", "x": 1, "y": 1}], [{"t": "a", "x": 2, "y": 1}],
                     [{"t": "a", "x": 1, "y": 2}], [{"t": "a", "x": 2, "y": 2}],
                     id="one record, two members"),
        pytest.param([MILK], [MILK_DONE], [MILK, EGGS], [MILK_DONE, EGGS],
                     id="edited, and another put after it"),
        pytest.param([MILK], [MILK, {"t": 1}], [MILK, {"u": 2}], [MILK, {"t": 1}, {"u": 2}],
                     id="nothing in common: current's first"),
        pytest.param([A], [NEW, B], [A, NEW], [NEW, B], id="added by both, removed by one"),
    ],
)  # fmt: skip
def test_records(
    base: list[Record], current: list[Record], other: list[Record], merged: list[Record]
) -> None:
    found = merge({"l": base}, {"l": current}, {"l": other})
    assert (found.value["l"], found.unresolved) == (merged, ())


@pytest.mark.parametrize(
    ("base", "current", "other"),
    [
        pytest.param([MILK, BREAD], [BREAD, EGGS], [MILK_DONE, BREAD_DONE],
                     id="removed here, edited there: eggs are not done"),
        pytest.param([MILK], [EGGS, task("oat milk")], [MILK_DONE], id="replaced by two"),
        pytest.param([MILK, BREAD, EGGS], [EGGS, MILK, BREAD],
                     [MILK_DONE, BREAD_DONE, task("eggs", done=True)],
                     id="moved here, all edited there"),
        pytest.param([A], [NEW, B], [NEW, A], id="added by both, one replaced"),
        pytest.param([A], [NEW], [NEW, A], id="added by both, one removed"),
        pytest.param([A], [A, sold("x", 1)], [A, sold("x", 2)], id="both add of one thing"),
        pytest.param([sold("a", 1), sold("a", 1)], [sold("a", 2), sold("a", 1)],
                     [sold("a", 3), sold("a", 1)], id="one member, two values"),
    ],
)  # fmt: skip
def test_doubt_is_a_conflict(
    base: list[Record], current: list[Record], other: list[Record]
) -> None:
    for here, there in ((current, other), (other, current)):
        found = merge({"l": base}, {"l": here}, {"l": there})
        assert [one.path for one in found.unresolved] == [("l",)]
        assert found.value == {"l": here}


def test_what_adds_up_adds_up_within_records() -> None:
    def apples(count: int) -> JSON:
        return {"l": [{"sku": "a", "name": "apples", "count": count}]}

    counters = Policy(fields={"l[].count": "counter"})
    found = merge(apples(1), apples(2), apples(2), counters)
    assert (found.value, found.unresolved) == (apples(3), ())
    found = merge(apples(1), apples(2), apples(2))
    assert found.value == apples(2)
    assert [one.kind for one in found.decisions] == ["same"]
    # Half in common: is it the same record?
    found = merge({"l": [A]}, {"l": [sold("a", 2)]}, {"l": [sold("a", 2)]}, counters)
    assert [one.path for one in found.unresolved] == [("l",)]


def test_a_record_in_place_of_another_takes_none_of_its_edits() -> None:
    found = merge({"l": [MILK]}, {"l": [EGGS]}, {"l": [MILK_DONE]})
    assert [one.path for one in found.unresolved] == [("l",)]


def test_many_records_at_one_place_are_one_conflict_soon() -> None:
    many = [[{"n": 2 * number + odd} for number in range(3_000)] for odd in (0, 1)]
    found = merge({"l": []}, {"l": many[0]}, {"l": many[1]})
    assert [one.path for one in found.unresolved] == [("l",)]
