"""What was resolved and reopened is as it was: the leaves, the winning body, the conflict."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable
from typing import Any

import pytest

from couchmend.core.document import Doc
from couchmend.core.values import ABSENT, canonical
from couchmend.journal import conflicts
from tests.invariants.installation import Installation
from tests.invariants.policies import COUNTERS, LEAST, NEWEST
from tests.invariants.truth import COUNTER, FILES, TAGS
from tests.invariants.world import World, look

DOCUMENTS = 12
POLICIES = {"least": LEAST, "counters": COUNTERS, "newest": NEWEST}


def _conflicts(world: World, chance: random.Random, counts: bool) -> None:
    for number in range(DOCUMENTS):
        body: Doc = {"x": 1, "y": 1, "z": 1, TAGS: ["a", "b"], **({"c": 0} if counts else {})}
        world.create(0, f"d{number}", body)
    for where in range(1, len(world.replicas)):
        world.replicate(0, where)
    for id in world.truths:
        for where in range(len(world.replicas)):
            for _ in range(chance.choice((0, 1, 1, 2))):
                world.pass_time(100)
                changes: dict[Any, Any] = {(chance.choice("xyz"),): chance.choice((ABSENT, 0, 5))}
                if chance.random() < 0.4:
                    changes[TAGS, chance.choice("abc")] = chance.choice((ABSENT, True))
                if chance.random() < 0.4:
                    changes[FILES, "pq"[where % 2]] = b"what it is about"
                if counts and chance.random() < 0.5:
                    changes[COUNTER] = chance.choice((1, -1))
                world.edit(where, id, changes)
    for where in range(1, len(world.replicas)):
        world.replicate(where, 0)


def _bodies(world: World, id: str) -> tuple[Counter[bytes], bytes]:
    seen = look(world.replicas[0], id)
    said = [canonical(seen.bodies[rev]) for rev in seen.live]
    return Counter(said), said[0]


def _types(engine: Installation, numbers: Iterable[int]) -> dict[str, str]:
    with engine.journal.read() as tx:
        found = [conflicts.get(tx, number) for number in numbers]
    return {one.document: one.type for one in found}


def _reopened(seed: int, name: str) -> int:
    """How many documents were resolved and reopened."""
    chance = random.Random(seed)
    world = World.of(3, timed=name == "newest")
    engine = Installation.start(world, 0, POLICIES[name])
    try:
        _conflicts(world, chance, name == "counters")
        before = {id: _bodies(world, id) for id in world.truths}
        engine.sweep()
        done = [one for one in engine.resolutions() if one.state == "done"]
        types = _types(engine, [one.conflict for one in done if one.conflict is not None])
        for one in done:
            world.truths[one.document].excused = "undone"
            engine.engine.undo(one.id, "reopen", by="ann")
            assert _bodies(world, one.document) == before[one.document], one.document
        engine.sweep()
        waiting = engine.waiting()
        assert {one.document for one in done} <= waiting.keys()
        again = _types(engine, [waiting[one.document].number for one in done])
        assert again == types
        for one in done:
            assert _bodies(world, one.document) == before[one.document], "it is left to people"
        return len(done)
    finally:
        engine.close()
        world.close()


@pytest.mark.parametrize("name", POLICIES)
def test_reopened_it_is_as_it_was(name: str) -> None:
    assert sum(_reopened(seed, name) for seed in range(2)) > 3


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", POLICIES)
def test_whatever_is_reopened_is_as_it_was(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    count = sum(_reopened(seed, name) for seed in range(100, 250))
    with capsys.disabled():
        print(f"\nreopened, {name}: {count} documents as they were")  # noqa: T201
