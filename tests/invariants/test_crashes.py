"""An engine that is killed at any of its calls, before or after: what comes of it in the end is
what comes of it without."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from couchmend.core.revtree import Rev
from couchmend.core.values import ABSENT
from tests.invariants.installation import Installation
from tests.invariants.policies import LEAST
from tests.invariants.truth import FILES
from tests.invariants.wires import When
from tests.invariants.world import World, look

State = dict[str, tuple[tuple[Rev, bool], ...]]
WHENS: tuple[When, ...] = ("before", "after")


@contextmanager
def conflicts() -> Iterator[tuple[World, Installation]]:
    """Documents in conflicts of all kinds at the first of two replicas, and an engine there."""
    world = World.of(2)
    for number in range(8):
        world.create(0, f"d{number}", {"x": 1, "y": 1, "z": 1})
    world.replicate(0, 1)
    two = (0, 1)
    for where in two:  # each side another field, both the same field, a file on one side
        world.edit(where, "d0", {("xy"[where],): 2 + where})
        world.edit(where, "d1", {("x",): 2 + where})
        world.edit(where, "d2", {("x",): 2, ("y",): 5} if where else {("x",): 2})
        world.edit(where, "d4", {("xy"[where],): 0, (FILES, "p"): b"one" if where else ABSENT})
    world.edit(0, "d2", {("y",): 5, ("z",): 4})  # it contains what the other has
    for where in two:
        world.edit(where, "d5", {("x",): 2 + where})
        world.edit(where, "d5", {("z",): 7})
    world.edit(1, "d6", {("x",): 3})
    world.delete(0, "d6")
    world.replicate(1, 0)
    world.edit(0, "d3", {("x",): 2})
    world.edit(1, "d3", {("y",): 2})
    world.edit(0, "d0", {("z",): 2}, leaf=1)
    world.replicate(1, 0)
    engine = Installation.start(world, 0, LEAST)
    try:
        yield world, engine
    finally:
        engine.close()
        world.close()


def state(world: World) -> State:
    """All leaves of all documents at the first replica."""
    return {
        id: tuple((leaf.rev, leaf.deleted) for leaf in look(world.replicas[0], id).tree.leaves())
        for id in world.truths
    }


def _hold(world: World, engine: Installation) -> None:
    engine.check_finished()
    engine.check_archive()
    engine.check_queue()
    world.check_leaves(0, "in the end")


Act = Callable[[World, Installation], None]


def _swept(world: World, engine: Installation) -> None:
    engine.engine.sweep()


def _resolved(world: World, engine: Installation) -> None:
    engine.engine.resolve(engine.waiting()["d6"].number, "delete", by="ann")


def _undone(how: str) -> Act:
    def act(world: World, engine: Installation) -> None:
        for id in ("d0", "d4"):
            world.truths[id].excused = "undone"
            number = next(one.id for one in engine.resolutions() if one.document == id)
            engine.engine.undo(number, how, by="ann")  # type: ignore[arg-type]

    return act


ACTS: dict[str, tuple[Act, bool]] = {
    "sweep": (_swept, False),
    "resolve": (_resolved, True),
    "restore": (_undone("restore"), True),
    "reopen": (_undone("reopen"), True),
}
"""What is killed, and whether a sweep comes before."""


def _without_a_kill(name: str) -> tuple[State, State, int]:
    """The state before, the state after, and the calls between."""
    act, swept = ACTS[name]
    with conflicts() as (world, engine):
        if swept:
            engine.sweep()
        before = state(world)
        engine.wire.calls.clear()
        act(world, engine)
        calls = len(engine.wire.calls)
        engine.sweep()
        _hold(world, engine)
        return before, state(world), calls


def _killed(name: str, at: int, when: When, again: int | None = None) -> State:
    act, swept = ACTS[name]
    with conflicts() as (world, engine):
        if swept:
            engine.sweep()
        assert engine.killed(lambda: act(world, engine), at, when)
        if again is not None:
            engine.killed_sweep(again, when)
        for _ in range(2):
            world.pass_time(3600)
            engine.sweep()
        _hold(world, engine)
        return state(world)


def _is_reached(name: str, before: State, after: State, found: State) -> bool:
    """Whether a run that nobody kills reaches a state: a sweep goes on by itself, and what a
    person ordered is done for each document, or was not yet begun."""
    if name == "sweep":
        return found == after
    return all(leaves in (before[id], after[id]) for id, leaves in found.items())


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", ACTS)
def test_killed_at_its_calls(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    before, after, calls = _without_a_kill(name)
    assert before != after
    kills = range(1, calls + 1, 4)
    for at in kills:
        when = WHENS[at // 4 % 2]
        found = _killed(name, at, when)
        assert _is_reached(name, before, after, found), (at, when)
    with capsys.disabled():
        print(f"\n{name}: killed at {len(kills)} of {calls} calls; lost: 0")  # noqa: T201


@pytest.mark.parametrize("name", ACTS)
def test_killed_twice(name: str) -> None:
    chance = random.Random(7)
    before, after, calls = _without_a_kill(name)
    for _ in range(2):
        found = _killed(
            name, chance.randrange(1, calls + 1), chance.choice(WHENS), chance.randrange(1, 30)
        )
        assert _is_reached(name, before, after, found)


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", ACTS)
def test_killed_twice_anywhere(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    before, after, calls = _without_a_kill(name)
    kills = 0
    reached = set()
    for at in range(1, calls + 1):
        for when in WHENS:
            found = _killed(name, at, when)
            assert _is_reached(name, before, after, found), (at, when)
            kills += 1
            reached.add(found == after)
            for again in range(1, 40, 3):
                found = _killed(name, at, when, again)
                assert _is_reached(name, before, after, found), (at, when, again)
                kills += 2
    with capsys.disabled():
        print(f"\n{name}: {kills} kills; lost: 0")  # noqa: T201
    assert True in reached
