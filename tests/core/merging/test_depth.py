"""Levels of lists and objects in versions that came from a database, which nobody has checked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from couchmend.core.document import JSON
from couchmend.core.merging.fold import fold
from couchmend.core.merging.three_way import MAX_DEPTH
from couchmend.core.policy.policy import PLAIN
from couchmend.errors import DocumentInvalid
from tests.core.conflicts.conflict_trees import doc, tree


def objects(levels: int, leaf: JSON) -> Any:
    """Nothing but objects, so many in one another."""
    value = leaf
    for _ in range(levels):
        value = {"a": value}
    return value


def records(levels: int, leaf: JSON) -> Any:
    """Objects and lists of records by turns, so many of both, or one less."""
    value: JSON = leaf
    for _ in range((levels - 1) // 2):
        value = [{"id": "a", "in": value}]
    return {"x": value}


def records_deeper(levels: int, leaf: JSON) -> Any:
    """The same, one level deeper: the lists stand where the objects did."""
    return {"x": records(levels - 1, leaf)}


def opened(kind: Callable[[int, JSON], Any], levels: int) -> int:
    one = doc(
        tree("1-a 2-b", "1-a 2-c"),
        {rev: kind(levels, leaf) for rev, leaf in (("1-a", 0), ("2-b", 1), ("2-c", 2))},
    )
    return len(fold(one.tree, one.bodies, PLAIN).side.open)


@pytest.mark.parametrize("kind", [objects, records, records_deeper])
def test_as_many_as_are_allowed(kind: Callable[[int, JSON], Any]) -> None:
    assert opened(kind, MAX_DEPTH) == 1


@pytest.mark.parametrize("kind", [objects, records, records_deeper])
def test_more_are_refused(kind: Callable[[int, JSON], Any]) -> None:
    with pytest.raises(DocumentInvalid, match="nested too deeply"):
        opened(kind, MAX_DEPTH + 2)
