"""The order of a list's elements, chosen by a person."""

from __future__ import annotations

import pytest

from couchmend import Merge, merge
from couchmend.core.document import Doc
from couchmend.errors import UsageError


def tasks(*ids: str, done: str = "") -> Doc:
    return {"tasks": [{"id": id, "done": id == done} for id in ids]}


@pytest.fixture
def merged() -> Merge:
    return merge(tasks("a", "b", "c"), tasks("c", "a", "b"), tasks("b", "c", "a", done="a"))


def test_an_order_is_taken_from_a_version_and_its_elements_stay_merged(merged: Merge) -> None:
    assert [one.aspect for one in merged.unresolved] == ["order"]
    for version, ids in (("current", "cab"), ("other", "bca")):
        chosen = merged.take("tasks", version)
        assert chosen.value == tasks(*ids, done="a")
        assert not chosen.unresolved


def test_an_order_is_not_a_value_to_be_put(merged: Merge) -> None:
    with pytest.raises(UsageError, match="only the order of its elements was decided"):
        merged.put("tasks", [])
