"""Nothing is lost, whatever happens in whatever order: histories that shrink."""

from __future__ import annotations

from typing import Any

import hypothesis.strategies as st
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from couchmend.core.policy.policy import Policy
from couchmend.core.values import ABSENT
from tests.invariants.installation import Installation
from tests.invariants.policies import COUNTERS, LEAST
from tests.invariants.truth import COUNTER
from tests.invariants.world import World, every_dead, look

REPLICAS = 2
DOCUMENT = "d"
where = st.integers(0, REPLICAS - 1)
values = st.sampled_from((ABSENT, 0, 1))
calls = st.integers(1, 45)
whens = st.sampled_from(("before", "after"))


class Histories(RuleBasedStateMachine):
    """One document, two replicas, an engine at each."""

    policy: Policy = LEAST
    counts = False

    @initialize()
    def begin(self) -> None:
        self.world = World.of(REPLICAS)
        self.engines = [Installation.start(self.world, n, self.policy) for n in range(REPLICAS)]
        body: dict[str, Any] = {"x": 1, "y": 1, "z": 1}
        self.world.create(0, DOCUMENT, body | ({"c": 0} if self.counts else {}))
        self.world.replicate(0, 1)

    def teardown(self) -> None:
        if hasattr(self, "engines"):
            for engine in self.engines:
                engine.close()
            self.world.close()

    @rule(at=where, name=st.sampled_from("xyz"), value=values, leaf=st.integers(0, 1))
    def edit(self, at: int, name: str, value: Any, leaf: int) -> None:
        self.world.edit(at, DOCUMENT, {(name,): value}, leaf)

    @rule(at=where, step=st.sampled_from((1, -1)), leaf=st.integers(0, 1))
    def count(self, at: int, step: int, leaf: int) -> None:
        if self.counts:
            self.world.edit(at, DOCUMENT, {COUNTER: step}, leaf)

    @rule(at=where)
    def delete(self, at: int) -> None:
        self.world.delete(at, DOCUMENT)

    @rule(at=where)
    def create_again(self, at: int) -> None:
        self.world.create(at, DOCUMENT, {"x": 0, "y": 1, "z": 1})

    @rule(source=where)
    def replicate(self, source: int) -> None:
        self.world.replicate(source, 1 - source)

    @rule(at=where)
    def compact(self, at: int) -> None:
        self.world.compact(at)

    @rule(at=where)
    def sweep(self, at: int) -> None:
        self.engines[at].sweep()

    @rule(at=where, call=calls, when=whens)
    def kill(self, at: int, call: int, when: Any) -> None:
        self.engines[at].killed_sweep(call, when)

    @rule(at=where, number=st.integers(0, 3))
    def decide(self, at: int, number: int) -> None:
        self.engines[at].decide_first(number)

    @invariant()
    def holds(self) -> None:
        """What each replica shows is right, and whatever an engine ended is in its archive."""
        if not hasattr(self, "engines"):
            return
        truth = self.world.truths[DOCUMENT]
        for at, engine in enumerate(self.engines):
            engine.check_archive()
            seen = look(self.world.replicas[at], DOCUMENT)
            for rev in seen.live:
                truth.check(rev, every_dead(seen, truth), f"at {at}")


class CountedHistories(Histories):
    """The same with a counter."""

    policy = COUNTERS
    counts = True


few = settings(
    max_examples=8,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
TestHistories = Histories.TestCase
TestHistories.settings = few
TestCountedHistories = CountedHistories.TestCase
TestCountedHistories.settings = few
