"""Replicas with an engine each come to one state, and without end they write nothing."""

from __future__ import annotations

import random
from dataclasses import dataclass

import pytest

from couchmend.core.policy.policy import Policy
from tests.invariants.installation import Installation
from tests.invariants.policies import GREATEST, LEAST, NEWEST
from tests.invariants.truth import Lost
from tests.invariants.world import World, look

DOCUMENTS = 20


@dataclass
class Result:
    """What came of some worlds."""

    histories: int = 0
    waiting: int = 0
    written: int = 0
    bound: float = 0.0
    rounds: int = 0


def _play(seed: int, policies: tuple[Policy, ...], *, timed: bool, pause: float) -> Result:
    """Users edit apart from each other; then everybody replicates and sweeps in any order."""
    chance = random.Random(seed)
    count = chance.choice((2, 3))
    world = World.of(count, timed=timed)
    engines = [
        Installation.start(world, where, policies[where % len(policies)]) for where in range(count)
    ]
    try:
        leaves = _edit(world, chance)
        rounds = _until_quiet(world, engines, chance, pause)
        result = _judged(world, engines, leaves)
        result.rounds = rounds
        return result
    finally:
        for engine in engines:
            engine.close()
        world.close()


def _edit(world: World, chance: random.Random) -> dict[str, int]:
    """The distinct live leaves of each document, all replicas together."""
    ids = [f"d{number}" for number in range(DOCUMENTS)]
    count = len(world.replicas)
    for id in ids:
        world.create(0, id, {"x": 1, "y": 1, "z": 1})
    for where in range(1, count):
        world.replicate(0, where)
    for id in ids:
        for where in range(count):
            for _ in range(chance.choice((0, 1, 1, 2))):
                world.pass_time(90)
                field = chance.choice("xyz")
                world.edit(where, id, {(field,): chance.randrange(100)}, chance.choice((0, 0, 1)))
            if chance.random() < 0.3:
                world.replicate(where, chance.choice([o for o in range(count) if o != where]), [id])
    return {
        id: len({rev for replica in world.replicas for rev in look(replica, id).live}) for id in ids
    }


def _until_quiet(
    world: World, engines: list[Installation], chance: random.Random, pause: float
) -> int:
    count = len(engines)
    before: list[str] = []
    for rounds in range(40):
        world.pass_time(pause)
        steps = [(one, other) for one in range(count) for other in range(count)]
        chance.shuffle(steps)
        for one, other in steps:
            if one == other:
                engines[one].sweep()
            else:
                world.replicate(one, other)
        now = [replica.info().update_seq for replica in world.replicas]
        if now == before:
            return rounds
        before = now
    raise Lost("there is no end of it")


def _judged(world: World, engines: list[Installation], leaves: dict[str, int]) -> Result:
    result = Result()
    waiting: set[str] = set().union(*(engine.open() for engine in engines))
    for where, engine in enumerate(engines):
        world.check_leaves(where, "in the end")
        engine.check_queue()
        engine.check_archive()
        engine.check_finished()
    for id in world.truths:
        result.histories += 1
        written = sum(engine.written.get(id, 0) for engine in engines)
        result.written += written
        seen = [look(replica, id) for replica in world.replicas]
        if any(one.tree != seen[0].tree for one in seen):
            assert {one.live[0] for one in seen} == {seen[0].live[0]}
        if id in waiting:
            result.waiting += 1
            continue
        assert all(len(one.live) == 1 for one in seen), id
        if leaves[id] > 1:
            result.bound = max(result.bound, written / (len(engines) * leaves[id]))
    return result


def _many(seeds: range, *policies: Policy, timed: bool = False, pause: float = 7200) -> Result:
    total = Result()
    for seed in seeds:
        one = _play(seed, policies, timed=timed, pause=pause)
        total.histories += one.histories
        total.waiting += one.waiting
        total.written += one.written
        total.bound = max(total.bound, one.bound)
        total.rounds = max(total.rounds, one.rounds)
    return total


def _told(what: str, total: Result) -> str:
    return (
        f"\n{what}: {total.histories} histories, {total.written} revisions written by engines, "
        f"at most {total.bound:.2f} by engine and leaf, quiet after {total.rounds} rounds, "
        f"{total.waiting} wait"
    )


WAYS: dict[str, tuple[tuple[Policy, ...], bool]] = {
    "least": ((LEAST,), False),
    "newest": ((NEWEST,), True),
}


@pytest.mark.parametrize("way", WAYS)
def test_replicas_converge(way: str, capsys: pytest.CaptureFixture[str]) -> None:
    policies, timed = WAYS[way]
    total = _many(range(2), *policies, timed=timed)
    with capsys.disabled():
        print(_told(f"convergence, {way}", total))  # noqa: T201
    assert total.bound <= 2
    assert total.written


def test_the_loop_brake_ends_a_quarrel(capsys: pytest.CaptureFixture[str]) -> None:
    total = _many(range(2), LEAST, GREATEST, pause=60)
    with capsys.disabled():
        print(_told("policies that differ", total))  # noqa: T201
    assert total.written


def test_what_keeps_coming_back_is_left_to_a_person() -> None:
    world = World.of(2)
    engine = Installation.start(world, 0, LEAST)
    try:
        world.create(0, "d", {"x": 0, "y": 0})
        for number in range(1, 12):
            world.replicate(0, 1)
            world.edit(0, "d", {("x",): number})
            world.edit(1, "d", {("y",): number})
            world.replicate(1, 0)
            world.pass_time(60)
            engine.sweep()
            if engine.waiting():
                break
        assert engine.waiting()["d"].check == "loop"
        assert engine.merges == 6
        world.pass_time(3600)
        engine.sweep(full=True)
        assert engine.waiting() == {}
        world.check_leaves(0, "in the end")
    finally:
        engine.close()
        world.close()


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("way", [*WAYS, "quarrel"])
def test_many_replicas_converge(way: str, capsys: pytest.CaptureFixture[str]) -> None:
    if way == "quarrel":
        total = _many(range(1000, 1200), LEAST, GREATEST, pause=60)
    else:
        policies, timed = WAYS[way]
        total = _many(range(1000, 1300), *policies, timed=timed)
        assert total.bound <= 2
    with capsys.disabled():
        print(_told(f"convergence, {way}", total))  # noqa: T201
