"""Decisions that do not fit what they are applied to."""

from __future__ import annotations

from couchmend.core.document import JSON
from couchmend.core.merging.applying import apply_decisions
from couchmend.core.merging.decisions import Aspect, Decision
from couchmend.core.paths import Element, Path
from couchmend.core.values import ABSENT, Value


def decided(path: Path, taken: Value, aspect: Aspect = "value") -> Decision:
    return Decision(path, "combined", {}, ABSENT, taken, (), "", "chosen", aspect)


def test_elements_without_an_identity_stand_where_they_do() -> None:
    """A string may have the key inside it, and is no object."""
    current: JSON = {"list": [{"id": "a", "n": 1}, "id", 7, None, {"x": 1}, {"id": "b"}]}
    found = apply_decisions(current, [decided(("list", Element("id", "a"), "n"), 2)])
    assert found == {"list": [{"id": "a", "n": 2}, "id", 7, None, {"x": 1}, {"id": "b"}]}


def test_elements_without_an_identity_stand_after_those_that_are_arranged() -> None:
    current: JSON = {"list": [7, {"id": "a"}, {"id": "b"}, 8]}
    order = decided(("list",), [{"id": "b"}, {"id": "a"}], "order")
    assert apply_decisions(current, [order]) == {"list": [{"id": "b"}, {"id": "a"}, 7, 8]}


def test_a_member_of_a_list_is_passed_over() -> None:
    """What was an object is a list now."""
    list_now = decided(("o",), [1, {"id": "a"}])
    member = decided(("o", "x"), 5)
    assert apply_decisions({"o": {"x": 1}}, [list_now, member]) == {"o": [1, {"id": "a"}]}
    element = decided(("o", Element("id", "a"), "n"), 5)
    found = apply_decisions({"o": {"x": 1}}, [list_now, member, element])
    assert found == {"o": [1, {"id": "a", "n": 5}]}


def test_an_element_of_an_object_is_passed_over() -> None:
    element = decided(("o", Element("id", "a")), {"id": "a"})
    assert apply_decisions({"o": {"x": 1}}, [element]) == {"o": {"x": 1}}


def test_nothing_is_added_to_what_is_no_object_or_list() -> None:
    for value in ("text", 1, None):
        decisions = [decided(("o", "x"), 1), decided(("o", Element("id", "a")), {"id": "a"})]
        assert apply_decisions({"o": value}, decisions) == {"o": value}
        assert apply_decisions(value, [decided(("x",), 1)]) == value
