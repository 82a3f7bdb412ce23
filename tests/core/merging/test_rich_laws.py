"""Laws of merging, on documents with all kinds of values."""

from __future__ import annotations

from collections import Counter
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from couchmend.core.document import JSON, dumps
from couchmend.core.merging.applying import apply_decisions
from couchmend.core.merging.fold import fold
from couchmend.core.merging.joined import joined
from couchmend.core.merging.merge import merge_json
from couchmend.core.policy.policy import PLAIN
from couchmend.core.values import canonical, same
from tests.core.merging.rich_documents import documents, edited
from tests.core.merging.trees import History, histories, live


@st.composite
def threes(draw: st.DrawFn) -> tuple[JSON, JSON, JSON]:
    """A base and two versions of it."""
    base = draw(documents())
    return base, draw(edited(base)), draw(edited(base))


@given(threes())
def test_the_decisions_make_the_result(three: tuple[JSON, JSON, JSON]) -> None:
    merge = merge_json(*three)
    assert dumps(apply_decisions(three[1], merge.decisions)) == dumps(merge.value)


@given(threes())
def test_merging_the_result_again_gives_it_or_asks(three: tuple[JSON, JSON, JSON]) -> None:
    base, *sides = three
    merge = merge_json(base, *sides)
    assume(not merge.unresolved)
    for side in sides:
        again = merge_json(base, merge.value, side)
        assert again.unresolved or same(again.value, merge.value)


@given(threes())
def test_nothing_is_there_that_neither_side_has(three: tuple[JSON, JSON, JSON]) -> None:
    """Nor more often than both sides together have it."""
    _, here, there = (Counter(_atoms(value)) for value in three)
    assert Counter(_atoms(merge_json(*three).value)) <= here + there


def _atoms(value: Any) -> list[bytes]:
    """Each value that is no container; of texts, the words."""
    if type(value) is dict:
        return [atom for member in value.values() for atom in _atoms(member)]
    if type(value) is list:
        return [atom for element in value for atom in _atoms(element)]
    return [word.encode() for word in value.split()] if type(value) is str else [canonical(value)]


@given(threes())
def test_the_sides_exchanged(three: tuple[JSON, JSON, JSON]) -> None:
    base, here, there = three
    one, two = merge_json(base, here, there), merge_json(base, there, here)
    assert bool(one.unresolved) == bool(two.unresolved)
    assert {d.path for d in one.unresolved} == {d.path for d in two.unresolved}


@st.composite
def rich_histories(draw: st.DrawFn) -> History:
    """Histories whose bodies have all kinds of values."""
    history = draw(histories())
    root = min(history.bodies)
    bodies: dict[Any, JSON] = {root: draw(documents())}
    for rev in sorted(history.bodies):
        if rev != root:
            parent = history.tree.parent(rev)
            assert parent is not None
            bodies[rev] = draw(edited(bodies[parent]))
    return History(history.chains, bodies)


@given(rich_histories())
def test_of_several_leaves_the_decisions_make_the_result(history: History) -> None:
    assume(len(live(history)) > 1)
    side = (folded := fold(history.tree, history.bodies, PLAIN)).side
    decisions = joined(side, [meeting.decisions for meeting in folded.meetings])
    assert same(apply_decisions(side.versions[0].body, decisions), side.value)
    assert {one.place for one in decisions if one.unresolved} == set(side.open)
