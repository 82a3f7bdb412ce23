"""Histories played by chance: every document of a world has one of its own, and they share the
replications, sweeps, kills and compactions, so that batches are broken off in their midst.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from couchmend.core.policy.policy import Policy
from couchmend.core.values import ABSENT, Value
from tests.invariants.installation import Installation, Waiting
from tests.invariants.truth import COUNTER, FILES, TAGS, Lost, Place
from tests.invariants.wires import When
from tests.invariants.world import World, look

FIELDS = ("x", "y", "z")
ROUNDS = 12
"""In the end everybody replicates and sweeps at most so many times until nothing more happens."""


@dataclass(frozen=True)
class Way:
    """What may happen in histories, and how often beside the rest.

    policies: one for each engine in turn; most ways have one for all.
    people: how often somebody decides what waits.
    jumps: whether the engines' clocks are set back and forth.
    """

    policies: tuple[Policy, ...]
    counts: bool = False
    timed: bool = False
    tags: bool = False
    files: bool = False
    compacts: float = 0
    deletes: float = 0
    kills: float = 0
    pauses: float = 0
    people: float = 0
    purges: float = 0
    undoes: float = 0
    jumps: bool = False
    steps: int = 20
    documents: int = 40


@dataclass
class Tally:
    """What came of many histories."""

    histories: int = 0
    steps: int = 0
    sweeps: int = 0
    kills: int = 0
    pauses: int = 0
    decided: int = 0
    undone: int = 0
    merges: int = 0
    clean: int = 0
    excused: int = 0
    waits: Counter[str] = field(default_factory=Counter)
    lost: list[tuple[int, str, list[str]]] = field(default_factory=list)
    revived: int = 0

    def __str__(self) -> str:
        waits = ", ".join(f"{why} {count}" for why, count in sorted(self.waits.items()))
        return (
            f"{self.histories} histories, {self.steps} steps, {self.sweeps} sweeps, "
            f"{self.kills} kills, {self.pauses} pauses, {self.decided} decided by a person, "
            f"{self.undone} undone; {self.merges} merges; {self.clean} clean, "
            f"{self.waits.total()} wait ({waits}), {self.excused} not judged, "
            f"{self.revived} revived; lost: {len(self.lost)}"
        )


class Play:
    """One world's histories."""

    def __init__(self, seed: int, way: Way, tally: Tally) -> None:
        self.seed, self.way, self.tally = seed, way, tally
        self.chance = random.Random(seed)
        self.world = World.of(self.chance.choice((2, 3, 3)), timed=way.timed)
        self.engines = [
            Installation.start(self.world, where, way.policies[where % len(way.policies)])
            for where in range(len(self.world.replicas))
        ]
        self._paused = False

    # --- from the beginning to the end

    def play(self) -> None:
        """Play it to its end, when everybody knows everything."""
        try:
            self._begin()
            for _ in range(self.way.steps):
                self.world.pass_time(self.chance.choice((1, 60, 1800)))
                self.step()
            self.settle()
            for where in range(len(self.engines) if self.way.people else 0):
                self.people(where)
                self.settle()
            self._judge()
        except Lost as problem:
            self.tally.lost.append((self.seed, str(problem), self.world.log))
        finally:
            self._count()
            for engine in self.engines:
                engine.close()
            self.world.close()

    def _begin(self) -> None:
        for number in range(self.way.documents):
            body: dict[str, Any] = dict.fromkeys(FIELDS, 1)
            if self.way.counts:
                body["c"] = 0
            if self.way.tags:
                body[TAGS] = ["a", "b"]
            self.world.create(0, f"d{number}", body)
        for where in range(1, len(self.world.replicas)):
            self.world.replicate(0, where)

    def settle(self) -> None:
        """Replicate and sweep until nothing more happens."""
        count = len(self.world.replicas)
        before: list[str] = []
        for _ in range(ROUNDS):
            self.world.pass_time(7200)
            for one in range(count):
                for other in range(count):
                    if one != other:
                        self.world.replicate(one, other)
            for where in range(count):
                self.sweep(where)
            now = [replica.info().update_seq for replica in self.world.replicas]
            if now == before:
                return
            before = now
        raise Lost(f"no end after {ROUNDS} rounds of replication and sweeps")

    def _judge(self) -> None:
        overtaken = {
            id
            for engine in self.engines
            for id, waiting in engine.waiting().items()
            if waiting.check == "overtaken"
        }
        for where, engine in enumerate(self.engines):
            before = engine.replica.info().update_seq
            engine.sweep(full=True)
            if engine.replica.info().update_seq != before:
                raise Lost(f"what was resolved at {where} is resolved once more")
            self.world.check_leaves(where, "in the end", overtaken)
            engine.check_queue()
            engine.check_archive()
            engine.check_finished()

    def _count(self) -> None:
        tally = self.tally
        tally.histories += len(self.world.truths)
        tally.steps += self.world.steps
        waiting: dict[str, Waiting] = {}
        for engine in self.engines:
            waiting |= engine.waiting()
            tally.merges += engine.merges
            tally.revived += engine.revived
        for id, truth in self.world.truths.items():
            tally.excused += bool(truth.excused)
            if id in waiting:
                tally.waits[waiting[id].check] += 1
            elif not truth.excused:
                tally.clean += 1

    # --- a step

    def step(self) -> None:
        """Something happens somewhere."""
        way, chance = self.way, self.chance
        where = chance.randrange(len(self.world.replicas))
        happens: dict[Callable[[int], None], float] = {
            self.edits: 6,
            self.replication: 5,
            self.sweep: 5,
            self.compaction: way.compacts,
            self.deletions: way.deletes,
            self.people: way.people,
            self.purge: way.purges,
            self.undoing: way.undoes,
        }
        if not self._paused:
            happens |= {self.kill: way.kills, self.pause: way.pauses}
        (chosen,) = chance.choices(list(happens), list(happens.values()))
        chosen(where)

    def edits(self, where: int) -> None:
        """Users edit some of the documents."""
        for id in self.some(0.6):
            leaf = 0 if self.chance.random() < 0.85 else 1
            self.world.edit(where, id, self.changes(), leaf)

    def changes(self) -> dict[Place, Value | bytes]:
        """What a user changes in a document."""
        chance, way = self.chance, self.way
        made: dict[Place, Value | bytes] = {}
        if way.counts and chance.random() < 0.6:
            made[COUNTER] = chance.choice((1, -1))
            if chance.random() < 0.7:
                return made
        if way.tags and chance.random() < 0.4:
            made[TAGS, chance.choice("abcd")] = chance.choice((True, ABSENT))
        if way.files and chance.random() < 0.2:
            made[FILES, chance.choice("pq")] = chance.choice((b"one", b"two", ABSENT))
        for name in chance.sample(FIELDS, chance.choice((1, 1, 2))):
            made[name,] = chance.choice((ABSENT, 0, 1))
        return made

    def replication(self, where: int) -> None:
        """Everything, or some documents, come to another replica."""
        other = self.chance.choice([n for n in range(len(self.world.replicas)) if n != where])
        ids = None if self.chance.random() < 0.3 else self.some(0.5)
        self.world.replicate(where, other, ids)

    def sweep(self, where: int) -> None:
        """An engine sweeps."""
        if self.way.jumps:
            self.engines[where].clock.skew_seconds = self.chance.uniform(-86_400, 86_400)
        self.engines[where].sweep()
        self.tally.sweeps += 1

    def kill(self, where: int) -> None:
        """An engine sweeps, and is killed; a new one takes over, and may be killed, too."""
        while True:
            at = self.chance.randrange(1, 26)
            when: When = "before" if self.chance.random() < 0.5 else "after"
            if not self.engines[where].killed_sweep(at, when):
                break
            self.tally.kills += 1
            if self.chance.random() < 0.7:
                break
        if self.chance.random() < 0.5:
            self.sweep(where)

    def pause(self, where: int) -> None:
        """An engine is stopped in its midst, and much happens until it goes on."""
        self._paused = True
        try:
            at = self.chance.randrange(2, 26)
            if self.engines[where].interrupted_sweep(at, lambda: self._meanwhile(where)):
                self.tally.pauses += 1
        finally:
            self._paused = False

    def _meanwhile(self, where: int) -> None:
        stopped = self.engines[where]
        with stopped.deputy() as deputy:
            self.engines[where] = deputy
            try:
                for _ in range(self.chance.randrange(1, 5)):
                    self.world.pass_time(120)
                    self.step()
                self.sweep(where)
            finally:
                self.engines[where] = stopped

    def compaction(self, where: int) -> None:
        """A replica is compacted."""
        self.world.compact(where)

    def deletions(self, where: int) -> None:
        """Users delete some documents, and make some anew."""
        for id in self.some(0.1):
            if look(self.world.replicas[where], id).live:
                self.world.delete(where, id)
            else:
                self.world.create(where, id, {**dict.fromkeys(FIELDS, 1), "x": 0})

    def people(self, where: int) -> None:
        """Somebody decides what waits."""
        self.tally.decided += self.engines[where].decide(self.chance)

    def purge(self, where: int) -> None:
        """An administrator purges a leaf of a document."""
        self.world.purge(where, self.chance.choice(sorted(self.world.truths)))

    def undoing(self, where: int) -> None:
        """Somebody takes a resolution back."""
        self.tally.undone += self.engines[where].undo(self.chance)

    def some(self, share: float) -> list[str]:
        """Some documents, at least one."""
        ids = sorted(self.world.truths)
        return [id for id in ids if self.chance.random() < share] or [self.chance.choice(ids)]


def play(seeds: Iterable[int], way: Way) -> Tally:
    """Play the histories of a world for each seed."""
    tally = Tally()
    for seed in seeds:
        Play(seed, way, tally).play()
    return tally
