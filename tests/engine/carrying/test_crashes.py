"""A process dies at each of its calls, before or after their effect; the next one recovers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from couchmend.core.document import Doc
from couchmend.engine.carrying import DeletedSince, Moved, Order, Resolved, Site, carry_out
from couchmend.engine.carrying.recovery import recover
from couchmend.engine.deciding.undo import undo
from couchmend.events import ResolutionFailed
from couchmend.journal import records
from tests.engine.failing import Died, FailingJournal, FailingReplica, Interruption
from tests.engine.sites import PLAIN, World, branch, embedded, fork, inline

BASE: Doc = {"a": 1, "b": 1, "c": 1}


def _two(world: World) -> None:
    fork(world.replica, "d", BASE, {**BASE, "a": 2}, {**BASE, "b": 2})


def _three(world: World) -> None:
    fork(world.replica, "d", BASE, {**BASE, "a": 2}, {**BASE, "b": 2}, {**BASE, "c": 2})


def _files(world: World) -> None:
    fork(
        world.replica,
        "d",
        {**BASE, "_attachments": {"base.png": inline(b"base")}},
        {**BASE, "a": 2, "_attachments": {"one.png": inline(b"one" * 1000)}},
        {**BASE, "b": 2, "_attachments": {"two.png": inline(b"two" * 1000)}},
    )


def _contained(world: World) -> None:
    """The winner has what the loser says: that is only deleted."""
    _two(world)
    doc = world.replica.get("d")
    world.replica.put({**doc, "a": 2, "b": 2})


SHAPES: dict[str, tuple[Callable[[World], None], str]] = {
    "merge": (_two, "merge"),
    "three": (_three, "merge"),
    "files": (_files, "merge"),
    "contained": (_contained, "merge"),
    "keep-current": (_two, "keep-current"),
    "delete": (_three, "delete"),
}


@pytest.fixture
def world() -> Iterator[World]:
    world = embedded()
    yield world
    world.close()


def _site(world: World, interruption: Interruption) -> Site:
    return replace(
        world.site,
        replica=FailingReplica(world.replica, interruption),
        journal=FailingJournal(world.journal, interruption),
    )


def _state(world: World, id: str = "d") -> Any:
    """What there is: live bodies with the contents of their attachments, the winner's first."""
    bodies = []
    doc = world.read(id)
    for rev in (leaf.rev for leaf in doc.tree.leaves() if not leaf.deleted):
        body = {key: value for key, value in doc.bodies[rev].items() if key != "_attachments"}
        files = {
            name: world.replica.attachment(id, name, rev=str(rev)).read()
            for name in doc.bodies[rev].get("_attachments", {})
        }
        bodies.append((body, files))
    return bodies


def _count(shape: str) -> int:
    world = embedded()
    prepare, strategy = SHAPES[shape]
    prepare(world)
    order = world.order("d", strategy)
    interruption = Interruption()
    (came,) = carry_out(_site(world, interruption), [order])
    assert isinstance(came, Resolved)
    world.close()
    return len(interruption.calls)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("shape", SHAPES)
def test_a_process_that_dies_at_any_call_is_recovered(shape: str, after: bool) -> None:
    prepare, strategy = SHAPES[shape]
    ends = []
    with_crash = embedded()
    prepare(with_crash)
    untouched = _state(with_crash)
    with_crash.resolve("d", strategy)
    resolved = _state(with_crash)
    with_crash.close()
    calls = _count(shape)
    assert calls >= 6
    for at in range(1, calls + 1):
        world = embedded()
        prepare(world)
        before = list(world.read("d").bodies.values())
        order = world.order("d", strategy)
        with pytest.raises(Died):
            carry_out(_site(world, Interruption(at, after=after)), [order])
        world.clock.sleep(3600)
        recover(world.site)
        assert world.unfinished() == []
        assert recover(world.site) == []
        state = _state(world)
        assert state in (untouched, resolved), at
        conflict = world.conflict(order.conflict)
        assert conflict.state == ("resolved" if state == resolved else "pending"), at
        with world.journal.read() as tx:
            assert records.pending_operations(tx) == []
        # Nothing is lost: whatever is no leaf's any more is in the archive.
        said = [*world.read("d").bodies.values(), *_archived(world)]
        assert all(body in said for body in before), at
        ends.append(state == resolved)
        if state == untouched:
            # As if nothing had been: the next attempt succeeds.
            assert isinstance(world.resolve("d", strategy), Resolved)
            assert _state(world) == resolved
        world.close()
    assert any(ends)
    assert not all(ends)


def _archived(world: World) -> list[Doc]:
    return [one.body for one in world.kept("d").values() if one.body is not None]


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize(
    "shape",
    ["merge", *(pytest.param(shape, marks=pytest.mark.long) for shape in ("files", "contained"))],
)
def test_a_process_that_dies_while_it_recovers_is_recovered(shape: str, after: bool) -> None:
    prepare, strategy = SHAPES[shape]
    calls = _count(shape)
    for first in range(calls // 2, calls + 1):
        at = 0
        while True:
            at += 1
            world = embedded()
            prepare(world)
            order = world.order("d", strategy)
            with pytest.raises(Died):
                carry_out(_site(world, Interruption(first, after=after)), [order])
            died = False
            try:
                recover(_site(world, Interruption(at, after=not after)))
            except Died:
                died = True
            recover(world.site)
            assert world.unfinished() == []
            live = _state(world)
            assert len(live) in (1, 2)
            conflict = world.conflict(order.conflict)
            assert conflict.state == ("resolved" if len(live) == 1 else "pending")
            world.close()
            if not died:
                break
        assert at >= 1


@pytest.mark.parametrize("how", ["restore", "reopen"])
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("shape", ["merge", "three", "files", "delete"])
def test_an_undo_whose_process_dies_at_any_call_is_recovered(
    shape: str, after: bool, how: Any
) -> None:
    prepare, strategy = SHAPES[shape]

    def resolved() -> tuple[World, int]:
        world = embedded()
        prepare(world)
        came = world.resolve("d", strategy)
        assert came.resolution is not None
        return world, came.resolution

    world, number = resolved()
    untouched = _state(world)
    counting = Interruption()
    undo(_site(world, counting), number, how, by="me", policy=PLAIN)
    undone = _state(world)
    assert undone != untouched
    world.close()
    for at in range(1, len(counting.calls) + 1):
        world, number = resolved()
        with pytest.raises(Died):
            undo(_site(world, Interruption(at, after=after)), number, how, by="me", policy=PLAIN)
        recover(world.site)
        assert world.unfinished() == []
        state = _state(world)
        assert state in (untouched, undone), at
        assert (world.resolution(number).undone_by is not None) == (state == undone)
        conflict = world.conflict(1)
        assert (conflict.state, conflict.excluded) == (
            ("pending", True) if how == "reopen" and state == undone else ("resolved", False)
        )
        world.close()


def _dies_after_the_merge(world: World, order: Order) -> None:
    """The merge is stored, and nothing else after it."""
    calls = Interruption()
    other = embedded()
    _two(other)
    carry_out(_site(other, calls), [other.order("d")])
    other.close()
    at = calls.calls.index("bulk_docs") + 1
    with pytest.raises(Died):
        carry_out(_site(world, Interruption(at, after=True)), [order])
    assert order.plan.write is not None
    assert order.plan.write.expected in world.live("d")
    assert len(world.live("d")) == 2


def test_a_user_goes_on_with_the_merge_before_it_is_recovered(world: World) -> None:
    _two(world)
    order = world.order("d")
    _dies_after_the_merge(world, order)
    doc = world.replica.get("d")
    world.replica.put({**doc, "c": 7})
    (came,) = recover(world.site)
    assert isinstance(came, Resolved)
    assert came.edited
    assert world.winner("d") == {"a": 2, "b": 2, "c": 7}
    assert len(world.live("d")) == 1


def test_3_9_e_what_a_user_deleted_meanwhile_is_not_brought_back(world: World) -> None:
    """Another engine deletes the loser, and the user what is left, before it is recovered."""
    _two(world)
    order = world.order("d")
    _dies_after_the_merge(world, order)
    assert order.plan.write is not None
    (loser,) = (tombstone.rev for tombstone in order.plan.tombstones)
    world.replica.delete("d", str(loser))
    world.replica.delete("d", str(order.plan.write.expected))
    before = world.read("d").tree
    (came,) = recover(world.site)
    assert isinstance(came, DeletedSince)
    assert world.read("d").tree == before
    assert world.unfinished() == []
    (event,) = world.told("resolution.failed")
    assert isinstance(event, ResolutionFailed)
    assert event.type == "deleted"


def test_what_a_user_deleted_meanwhile_takes_no_loser_with_it(world: World) -> None:
    """The merge is deleted, the loser is not: it stays, and the conflict is planned again."""
    _two(world)
    order = world.order("d")
    _dies_after_the_merge(world, order)
    assert order.plan.write is not None
    (loser,) = (tombstone.rev for tombstone in order.plan.tombstones)
    world.replica.delete("d", str(order.plan.write.expected))
    (came,) = recover(world.site)
    assert isinstance(came, Moved)
    assert world.live("d") == [loser]
    assert world.conflict(order.conflict).state == "pending"


def test_a_loser_that_grew_meanwhile_is_a_new_version(world: World) -> None:
    _two(world)
    order = world.order("d")
    _dies_after_the_merge(world, order)
    (loser,) = (tombstone.rev for tombstone in order.plan.tombstones)
    grown = branch(world.replica, "d", world.read("d").tree.chain(loser), {**BASE, "b": 3})
    (came,) = recover(world.site)
    assert isinstance(came, Moved)
    assert came.written == order.plan.write.expected if order.plan.write else False
    assert grown in world.live("d")
    assert world.unfinished() == []
    # The merge counts as ours all the same.
    assert came.written in world.read("d").recorded
