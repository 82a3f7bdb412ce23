"""Histories in which something would be lost, each with the one rule that prevents it: with the
rule it holds, and without the rule the loss is found.

First each as it was found, step by step; then in histories played by chance.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from couchmend.core.policy.policy import Policy
from couchmend.core.values import ABSENT, Value
from tests.invariants.installation import Installation
from tests.invariants.playing import play
from tests.invariants.policies import COUNTERS, LEAST, NEWEST
from tests.invariants.rules import RULES, without
from tests.invariants.truth import Lost
from tests.invariants.ways import WAYS
from tests.invariants.world import World, look

D = "d"


class Story:
    """One document at several replicas, each with an engine."""

    def __init__(self, count: int, policy: Policy, *, timed: bool = False, **body: Any) -> None:
        self.world = World.of(count, timed=timed)
        self.engines = [Installation.start(self.world, where, policy) for where in range(count)]
        self.world.create(0, D, {"x": 1, "y": 1, "z": 1, **body})
        for where in range(1, count):
            self.world.replicate(0, where)

    def close(self) -> None:
        """End it."""
        for engine in self.engines:
            engine.close()
        self.world.close()

    def edit(self, where: int, leaf: int = 0, **values: Value) -> None:
        """A user edits what they see; `c` is how much is added."""
        self.world.pass_time(100)
        self.world.edit(where, D, {(name,): value for name, value in values.items()}, leaf)

    def to(self, source: int, *targets: int) -> None:
        """Replicate."""
        for target in targets:
            self.world.replicate(source, target)

    def sweep(self, where: int) -> None:
        """The engine of a replica sweeps."""
        self.engines[where].sweep()

    def waits(self, where: int) -> bool:
        """Whether the document waits for a person there."""
        return D in self.engines[where].waiting()

    def why(self, where: int) -> str:
        """What it waits for, for people."""
        return str(self.engines[where].waiting())

    def says(self, where: int) -> dict[str, Any]:
        """What the replica shows; nothing where the document is deleted."""
        seen = look(self.world.replicas[where], D)
        return dict(seen.bodies[seen.live[0]]) if seen.live else {}


@contextmanager
def story(count: int, policy: Policy, **more: Any) -> Iterator[Story]:
    """A story, closed in the end."""
    told = Story(count, policy, **more)
    try:
        yield told
    finally:
        told.close()


def a_dead_leaf_hides_a_deletion() -> None:
    with story(2, LEAST) as told:
        told.edit(0, x=2)
        told.edit(1, y=2)
        told.to(1, 0)
        told.sweep(0)
        told.to(0, 1)
        told.world.delete(1, D)
        told.edit(0, z=2)
        told.to(1, 0)
        told.sweep(0)
        if not told.waits(0):
            raise Lost("nobody hears of the deletion")


def b_the_tree_forgets_merges() -> None:
    with story(2, LEAST) as told:
        told.edit(0, x=ABSENT, y=ABSENT)
        told.edit(1, y=0)
        told.to(1, 0)
        told.edit(1, z=ABSENT)
        told.to(1, 0)
        told.to(0, 1)
        told.sweep(1)
        told.edit(0, leaf=1, y=1)
        told.to(1, 0)
        told.sweep(0)
        if not told.waits(0):
            raise Lost(f"nobody is asked, and it says {told.says(0)}")


def c_contained_by_coincidence() -> None:
    with story(2, COUNTERS, c=0) as told:
        told.edit(0, c=1)
        told.edit(1, c=-1)
        told.edit(1, c=1)
        told.to(0, 1)
        told.sweep(1)
        if not told.waits(1) and told.says(1)["c"] != 1:
            raise Lost(f"it counts {told.says(1)}")


def d_counted_twice() -> None:
    with story(3, COUNTERS, c=0) as told:
        told.edit(2, c=1)
        for value in (2, 3):
            told.edit(0, y=value)
            told.to(0, 1)
        told.to(2, 1)
        told.sweep(1)
        told.edit(1, x=2)
        told.edit(1, x=3)
        told.edit(0, z=2)
        told.to(0, 1)
        told.to(2, 0)
        told.sweep(0)
        told.to(0, 1)
        told.sweep(1)
        if not told.waits(1) and told.says(1)["c"] != 1:
            raise Lost(f"it counts {told.says(1)}")


def e_revived_after_a_crash() -> None:
    with story(2, LEAST) as told:
        told.edit(0, x=2)
        told.edit(1, y=2)
        told.to(0, 1)
        told.to(1, 0)
        first = told.engines[0]
        _kill_after_the_merge(first)
        told.to(0, 1)
        told.sweep(1)
        told.to(1, 0)
        assert len(look(told.world.replicas[0], D).live) == 1
        told.world.delete(0, D)
        told.sweep(0)
        if told.says(0):
            raise Lost(f"it is there again: {told.says(0)}")


def _kill_after_the_merge(engine: Installation) -> None:
    wire, judge = engine.wire, engine.wire.told

    def told(wrote: Any) -> None:
        judge(wrote)
        wire.at, wire.when, wire.action = len(wire.calls), "after", wire.kill

    wire.told = told
    wire.arm(None, "after", wire.kill)
    assert engine.killed(engine.engine.sweep, 10_000, "after")
    assert len(look(engine.replica, D).live) == 2


def f_a_resolution_without_a_body() -> None:
    with story(3, LEAST) as told:
        for value in (2, 3, 4):
            told.edit(0, y=value)
            told.to(0, 2)
        told.edit(1, x=0)
        told.to(1, 0, 2)
        told.edit(1, x=1)
        told.to(1, 0)
        told.sweep(0)
        assert len(look(told.world.replicas[0], D).live) == 1
        told.sweep(2)
        told.to(2, 0)
        told.sweep(0)
        if told.says(0)["x"] != 1 and not told.waits(0):
            raise Lost(f"what was taken back stands again: {told.says(0)}")


def g_revived_by_a_reopen() -> None:
    with story(2, LEAST) as told:
        told.edit(0, y=5)
        told.edit(0, z=5)
        told.edit(1, x=0)
        told.to(0, 1)
        told.to(1, 0)
        told.sweep(0)
        told.to(0, 1)
        (done,) = told.engines[0].resolutions()
        told.world.truths[D].excused = "undone"
        told.engines[0].engine.undo(done.id, "reopen", by="ann")
        assert len(look(told.world.replicas[0], D).live) == 2
        told.to(0, 1)
        told.sweep(1)
        if told.says(1)["x"] != 0 and not told.waits(1):
            raise Lost(f"what was revived is gone: {told.says(1)}")


def h_newest_of_those_that_compete() -> None:
    with story(3, NEWEST, timed=True) as told:
        told.edit(0, x=10)
        told.edit(1, x=20)
        told.edit(2, y=7)
        told.to(1, 0)
        told.to(2, 0)
        told.sweep(0)
        said = told.says(0)
        if (said["x"], said["y"]) != (20, 7):
            raise Lost(f"it says {said}")


STORIES: dict[str, Callable[[], None]] = {
    told.__name__[0]: told
    for told in (
        a_dead_leaf_hides_a_deletion,
        b_the_tree_forgets_merges,
        c_contained_by_coincidence,
        d_counted_twice,
        e_revived_after_a_crash,
        f_a_resolution_without_a_body,
        g_revived_by_a_reopen,
        h_newest_of_those_that_compete,
    )
}


def test_there_is_a_story_for_each_rule() -> None:
    assert STORIES.keys() == RULES.keys()


@pytest.mark.parametrize("letter", STORIES)
def test_it_holds(letter: str) -> None:
    STORIES[letter]()


@pytest.mark.parametrize("letter", STORIES)
def test_it_is_lost_without_the_rule(letter: str) -> None:
    with without(letter), pytest.raises(Lost):
        STORIES[letter]()


def test_our_own_merge_overtakes_nothing() -> None:
    with story(2, COUNTERS, c=0) as told:
        for step in (-1, -1):
            told.edit(0, c=step)
            told.to(0, 1)
        told.edit(1, leaf=1, x=0)
        told.edit(1, leaf=1, c=1)
        told.sweep(1)
        assert not told.waits(1), told.why(1)
        told.edit(1, c=1)
        told.sweep(1)
        assert not told.waits(1), told.why(1)


def test_what_was_revived_has_two_guards() -> None:
    with without("b"):
        STORIES["g"]()


PLAYED: dict[str, tuple[str, int]] = {
    "b": ("fields", 7),
    "c": ("counters", 0),
    "d": ("counters", 8),
}
"""Histories by chance in which the loss is found: of which way, and the seed of the first world."""


@pytest.mark.parametrize(
    "letter", [pytest.param(one, marks=pytest.mark.long if one > "b" else ()) for one in PLAYED]
)
def test_it_is_found_by_chance(letter: str) -> None:
    way, seed = PLAYED[letter]
    assert play([seed], WAYS[way]).lost == []
    with without(letter):
        assert play([seed], WAYS[way]).lost != []
