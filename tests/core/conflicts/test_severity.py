"""The class of a path at which values differ."""

from __future__ import annotations

from couchmend.core.conflicts.severity import weigh, weightiest
from couchmend.core.policy.policy import Policy

POLICY = Policy(severity={"critical": ["x"], "high": ["o.h"], "medium": ["o"]})


def test_a_path_has_its_class_though_nothing_differs() -> None:
    assert weigh(("x",), [1, 1], POLICY) == ("critical", ("x",))
    assert weigh(("x",), [1], POLICY) == ("critical", ("x",))


def test_one_of_several_that_differs_is_enough() -> None:
    for values in ([0, 0, 1], [0, 1, 0], [1, 0, 0]):
        assert weigh((), [{"x": value} for value in values], POLICY) == ("critical", ("x",))


def test_what_is_alike_counts_for_nothing() -> None:
    here, there = {"o": {"h": 1, "l": 1}, "x": 1}, {"o": {"h": 1, "l": 2}, "x": 1}
    assert weigh((), [here, there], POLICY) == ("medium", ("o",))


def test_of_equal_ones_the_first() -> None:
    assert weightiest([]) is None
    assert weightiest([("other", ("a",)), ("high", ("b",)), ("high", ("c",))]) == ("high", ("b",))
