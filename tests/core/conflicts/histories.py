"""Random histories of one document on several replicas, each with an engine of its own that
resolves conflicts automatically; and the truth, which says of every result whether it is right.

What users write is known, and what each of them had before their eyes.  A write is *superseded*
when somebody wrote the same field who knew it.  Of what a revision has taken in, every field must
have a value that was written and not superseded; a counter must be the sum.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

from couchmend.core.conflicts.containment import Containments
from couchmend.core.conflicts.deletions import concurrent_deletions
from couchmend.core.conflicts.document import ConflictedDocument
from couchmend.core.merging.fold import fold
from couchmend.core.policy.policy import Policy
from couchmend.core.policy.resolvers import Context, Resolver
from couchmend.core.revid import new_rev
from couchmend.core.revtree import Rev, RevTree
from couchmend.core.values import ABSENT, Value, canonical, same

Body = dict[str, Any]
Absorbed = dict[Rev, set[Rev]]
"""The edits that a revision took in after it was written: its losers said nothing new."""

FIELDS = ("x", "y", "z")
RULES = frozenset(
    {
        "containment",
        "record",
        "dead leaves",
        "branches",
        "overtaken",
        "untestable",
        "doubts",
        "left out",
        "trace",
    }
)
"""What keeps edits; a history that is played without one of them shows what it is for.

trace: with counters a resolution that changes nothing writes a revision all the same.
containment: losers that are contained are not merged.
record: for counters only the journal's word counts.
dead leaves: no merge over a base that is older than what a branch contains, going by tombstones.
left out: the same, going by losers that are not merged because they are contained.
branches: the same, going by what one branch contains of another.
doubts: what nobody can tell of a branch waits for a person.
untestable: what cannot be tested waits for a person.
overtaken: revisions that took in an older version of a loser are found.
"""


def _least(base: Value, current: Value, other: Value, context: Context) -> Value:
    """A resolver that leaves nothing open: what is absent, then the smaller."""
    if current is ABSENT or other is ABSENT:
        return ABSENT
    return min(current, other, key=canonical)


LEAST = Resolver("least", _least, trusted=True)
PLAIN_FIELDS = Policy(
    fields=dict.fromkeys(FIELDS, "least"), resolvers={"least": LEAST}, timestamp_fields=()
)
COUNTERS = Policy(
    fields={**dict.fromkeys(FIELDS, "least"), "c": "counter"},
    resolvers={"least": LEAST},
    timestamp_fields=(),
)


class Lost(AssertionError):
    """An edit was lost, or a counter is wrong."""


class Collision(Exception):
    """A user wrote what a merge wrote, in one revision: nobody can tell them apart."""


@dataclass
class Truth:
    """What was written, by whom, knowing what."""

    body: Body
    bodies: dict[Rev, Body] = field(default_factory=dict)
    parents: dict[Rev, Rev | None] = field(default_factory=dict)
    own: dict[Rev, set[Rev]] = field(default_factory=dict)
    """The edits that a revision brought to its branch."""
    saw: dict[Rev, frozenset[Rev]] = field(default_factory=dict)
    """The edits that whoever made one knew."""
    wrote: dict[Rev, Body] = field(default_factory=dict)
    merges: set[Rev] = field(default_factory=set)

    def known(self, rev: Rev, absorbed: Absorbed) -> set[Rev]:
        """The edits that a revision has taken in, as far as a replica knows."""
        edits = set[Rev]()
        step: Rev | None = rev
        while step is not None:
            edits |= self.own[step] | absorbed.get(step, set())
            step = self.parents[step]
        return edits

    def add(self, rev: Rev, parent: Rev | None, body: Body) -> bool:
        """Whether the revision is new."""
        if rev in self.bodies:
            return False
        self.bodies[rev], self.parents[rev], self.own[rev] = body, parent, set()
        return True

    def check(self, rev: Rev, absorbed: Absorbed, why: str) -> None:
        """Whether a revision's body is right."""
        edits = self.known(rev, absorbed)
        body = self.bodies[rev]
        for name in (*FIELDS, "c"):
            writes = [edit for edit in edits if name in self.wrote[edit]]
            value = body.get(name, ABSENT)
            if name == "c":
                total = self.body.get("c", 0) + sum(self.wrote[edit][name] for edit in writes)
                if body.get("c", 0) != total:
                    raise Lost(f"{why}: {rev} counts {value}, not {total}")
                continue
            last = [w for w in writes if not any(w in self.saw[o] for o in writes if o != w)]
            allowed = [self.wrote[w][name] for w in last] or [self.body.get(name, ABSENT)]
            if not any(same(value, one) for one in allowed):
                raise Lost(f"{why}: {rev} has {name}={value!r}, not one of {allowed}")


@dataclass
class Replica:
    """A replica of the document, and the journal of its engine."""

    tree: RevTree = field(default_factory=RevTree)
    bodies: dict[Rev, Body] = field(default_factory=dict)
    archive: dict[Rev, Body] = field(default_factory=dict)
    recorded: dict[Rev, frozenset[Rev]] = field(default_factory=dict)
    losers: set[Rev] = field(default_factory=set)
    """Those that were tombstoned without a merge."""
    looked_at: set[Rev] = field(default_factory=set)
    absorbed: Absorbed = field(default_factory=dict)

    def live(self) -> list[Rev]:
        return [leaf.rev for leaf in self.tree.leaves() if not leaf.deleted]

    def document(self) -> ConflictedDocument:
        known = {**self.archive, **self.bodies}
        return ConflictedDocument("db", "doc", self.tree, known, recorded=dict(self.recorded))


Outcome = Literal["clean", "waits", "collided"]


class History:
    """One document's history, played by chance."""

    def __init__(
        self,
        seed: int,
        policy: Policy,
        *,
        rules: frozenset[str] = RULES,
        counts: bool = False,
        steps: int = 14,
        crashes: bool = True,
        compacts: bool = False,
        deletes: bool = False,
        people: bool = False,
    ) -> None:
        self.chance = random.Random(seed)
        self.policy, self.rules, self.counts, self.steps = policy, rules, counts, steps
        self.crashes, self.compacts = crashes, compacts
        self.deletes, self.people = deletes, people
        body: Body = dict.fromkeys(FIELDS, 1)
        if counts:
            body["c"] = 0
        self.truth = Truth(body)
        root = new_rev(None, False, body)
        self.truth.add(root, None, body)
        self.replicas = [Replica() for _ in range(self.chance.choice((2, 3, 3)))]
        for replica in self.replicas:
            replica.tree.insert([root])
            replica.bodies[root] = body
        self.log: list[str] = []
        self.waits = Counter[str]()
        self.merges = 0

    # --- what happens

    def play(self) -> Outcome:
        """Play it to its end, when all replicas have all revisions."""
        try:
            for _ in range(self.steps):
                self._step()
            for _ in range(6):
                for one in self.replicas:
                    for other in self.replicas:
                        if one is not other:
                            self.replicate(one, other)
                for replica in self.replicas:
                    self.sweep(replica)
        except Collision:
            return "collided"
        if self.waits:
            return "waits"
        for replica in self.replicas:
            live = replica.live()
            if len(live) == 1:
                self.truth.check(live[0], replica.absorbed, "in the end")
        return "clean"

    def _step(self) -> None:
        replica = self.chance.choice(self.replicas)
        what = self.chance.choices(
            ("edit", "replicate", "sweep", "compact", "delete"),
            (6, 5, 4, 2 * self.compacts, 0.7 * self.deletes),
        )[0]
        if what == "edit":
            self.edit(replica)
        elif what == "replicate":
            other = self.chance.choice([one for one in self.replicas if one is not replica])
            self.replicate(replica, other)
        elif what == "sweep":
            self.sweep(replica)
        elif what == "compact":
            self.compact(replica)
        else:
            self.delete(replica)

    def edit(self, replica: Replica) -> None:
        live = replica.live()
        if not live:
            return
        parent = live[0] if self.chance.random() < 0.85 else self.chance.choice(live)
        body = dict(replica.bodies[parent])
        wrote: Body = {}
        if self.counts and self.chance.random() < 0.6:
            step = self.chance.choice((1, -1))
            body["c"] = body.get("c", 0) + step
            wrote["c"] = step
        for name in self.chance.sample(FIELDS, self.chance.choice((1, 1, 2))):
            if self.counts and wrote and self.chance.random() < 0.7:
                continue
            value = self.chance.choice((ABSENT, 0, 1))
            if same(body.get(name, ABSENT), value):
                continue
            wrote[name] = value
            body.pop(name, None)
            if value is not ABSENT:
                body[name] = value
        body = {name: body[name] for name in ("c", *FIELDS) if name in body}
        if wrote:
            self._user(replica, parent, body, wrote, self.truth.known(parent, replica.absorbed))

    def _user(
        self, replica: Replica, parent: Rev, body: Body, wrote: Body, saw: Iterable[Rev]
    ) -> Rev | None:
        rev = new_rev(parent, False, body)
        known = not self.truth.add(rev, parent, body)
        if known and (rev in self.truth.merges or self.truth.wrote.get(rev) != wrote):
            raise Collision
        self.truth.own[rev].add(rev)
        self.truth.saw[rev] = frozenset(saw)
        self.truth.wrote[rev] = wrote
        self._write(replica, rev, parent, body)
        self._note(replica, f"edit {parent} -> {rev} {body}")
        return rev

    def delete(self, replica: Replica) -> None:
        live = replica.live()
        if live:
            self._tombstone(replica, live[0])
            self._note(replica, f"a user deletes {live[0]}")

    def replicate(self, source: Replica, target: Replica) -> None:
        """Leaves with their chains; which inner revisions are tombstones is not said."""
        for leaf in source.tree.leaves():
            target.tree.insert(source.tree.chain(leaf.rev), deleted=leaf.deleted)
            if leaf.rev in source.bodies:
                target.bodies[leaf.rev] = source.bodies[leaf.rev]
        for rev, edits in source.absorbed.items():
            target.absorbed.setdefault(rev, set()).update(edits)
        self._note(source, f"to {self.replicas.index(target)}")

    def compact(self, replica: Replica) -> None:
        replica.bodies = {
            rev: body for rev, body in replica.bodies.items() if replica.tree.is_leaf(rev)
        }
        self._note(replica, "compact")

    def _write(self, replica: Replica, rev: Rev, parent: Rev, body: Body) -> None:
        replica.tree.insert([rev, *replica.tree.chain(parent)])
        replica.bodies[rev] = body

    def _tombstone(self, replica: Replica, rev: Rev) -> None:
        dead = new_rev(rev, True, {})
        replica.tree.insert([dead, *replica.tree.chain(rev)], deleted=True)

    def _note(self, replica: Replica, what: str) -> None:
        self.log.append(f"{self.replicas.index(replica)}: {what}")

    # --- the engine

    def sweep(self, replica: Replica) -> None:
        """What an engine in automatic mode does with the document as it is."""
        doc = replica.document()
        tests = Containments(doc, self.policy)
        live = replica.live()
        if not live:
            return
        if "overtaken" in self.rules:
            for rev in doc.tree.chain(live[0]):
                if rev not in replica.looked_at:
                    replica.looked_at.add(rev)
                    if tests.overtaken(rev, replica.losers):
                        self.waits["overtaken"] += 1
                        self._note(replica, f"{rev} overtook a loser")
        if len(live) < 2:
            return
        replica.archive.update({rev: replica.bodies[rev] for rev in live})
        contained = self._contained(doc, tests)
        among = [rev for rev in doc.live if rev not in contained]
        why = self._why_wait(doc, tests, contained, among)
        if why:
            self._person(replica, doc, why)
        elif len(among) == 1:
            self._settle(replica, live[0], contained, f"contains {contained}")
        else:
            self._merge(replica, doc, among)

    def _contained(self, doc: ConflictedDocument, tests: Containments) -> list[Rev]:
        if "containment" not in self.rules:
            return []
        found = []
        for loser in doc.live[1:]:
            answer = tests.of(loser)
            unchecked = answer.state == "manual" and answer.by and "record" not in self.rules
            if answer.state == "contained" or unchecked:
                found.append(loser)
        return found

    def _why_wait(
        self, doc: ConflictedDocument, tests: Containments, contained: list[Rev], among: list[Rev]
    ) -> str:
        if concurrent_deletions(doc.tree):
            return "deletion"
        for loser in among[1:]:
            state = tests.of(loser).state
            if state == "manual" and "containment" in self.rules:
                return "containment"
            if state == "untestable" and "untestable" in self.rules:
                return "untestable"
        made = fold(doc.tree, doc.bodies, self.policy, among=among, approximate=False)
        if not made.is_exact:
            return "base"
        if made.side.open:
            return "open"
        for meeting in made.meetings:
            left_out = contained if "left out" in self.rules else ()
            if "dead leaves" in self.rules and tests.unsettled(meeting.at, left_out):
                return "dead leaves"
            outdated = tests.outdated(meeting)
            if outdated and ("branches" if outdated.certain else "doubts") in self.rules:
                return "branches" if outdated.certain else "doubts"
        return ""

    def _merge(self, replica: Replica, doc: ConflictedDocument, among: list[Rev]) -> None:
        made = fold(doc.tree, doc.bodies, self.policy, among=among, approximate=False)
        winner, *losers = doc.live
        body = made.side.value
        self.merges += 1
        leaves_trace = "trace" in self.rules and self.counts
        if same(body, doc.bodies[winner]) and not leaves_trace:
            replica.losers.update(losers)
            self._settle(replica, winner, losers, f"nothing new in {losers}")
            return
        rev = new_rev(winner, False, body)
        if not self.truth.add(rev, winner, body) and rev not in self.truth.merges:
            raise Collision
        self.truth.merges.add(rev)
        for leaf in doc.live:
            self.truth.own[rev] |= self.truth.known(leaf, replica.absorbed)
        self._note(replica, f"merge {among} -> {rev} {body}")
        self.truth.check(rev, replica.absorbed, "merged")
        replica.recorded[rev] = frozenset(doc.live)
        self._write(replica, rev, winner, body)
        if self.crashes and self.chance.random() < 0.25:
            self._note(replica, "crash")
            return
        self._settle(replica, rev, losers, "tombstones")

    def _settle(self, replica: Replica, winner: Rev, losers: Iterable[Rev], why: str) -> None:
        self._note(replica, f"{winner}: {why}")
        for loser in losers:
            edits = self.truth.known(loser, replica.absorbed)
            replica.absorbed.setdefault(winner, set()).update(edits)
            self._tombstone(replica, loser)
        self.truth.check(winner, replica.absorbed, why)

    def _person(self, replica: Replica, doc: ConflictedDocument, why: str) -> None:
        """Nobody is there, or somebody who knows all that was written."""
        self._note(replica, f"waits for a person: {why}")
        if not self.people or self.chance.random() < 0.5 or concurrent_deletions(doc.tree):
            self.waits[why] += 1
            return
        winner, *losers = doc.live
        edits = set().union(*(self.truth.known(leaf, replica.absorbed) for leaf in doc.live))
        body: Body = {}
        if self.counts:
            deltas = [self.truth.wrote[edit].get("c", 0) for edit in edits]
            body["c"] = sum(deltas)
        for name in FIELDS:
            writes = [edit for edit in edits if name in self.truth.wrote[edit]]
            last = [w for w in writes if not any(w in self.truth.saw[o] for o in writes)]
            value = self.truth.wrote[self.chance.choice(sorted(last))][name] if last else 1
            if value is not ABSENT:
                body[name] = value
        if same(body, doc.bodies[winner]) and not ("trace" in self.rules and self.counts):
            replica.losers.update(losers)
        else:
            rev = new_rev(winner, False, body)
            if not self.truth.add(rev, winner, body) and rev not in self.truth.merges:
                raise Collision
            self.truth.merges.add(rev)
            self.truth.own[rev] |= edits
            replica.recorded[rev] = frozenset(doc.live)
            self._write(replica, rev, winner, body)
            winner = rev
        self._settle(replica, winner, losers, f"a person decides: {body}")


@dataclass
class Tally:
    """What came of many histories."""

    played: int = 0
    merges: int = 0
    clean: int = 0
    collided: int = 0
    waits: Counter[str] = field(default_factory=Counter)
    lost: list[tuple[int, str, list[str]]] = field(default_factory=list)

    def __str__(self) -> str:
        waits = ", ".join(f"{why} {count}" for why, count in sorted(self.waits.items()))
        return (
            f"{self.played} histories, {self.merges} merges: {self.clean} clean, "
            f"{len(self.lost)} lost an edit, {sum(self.waits.values())} wait ({waits}), "
            f"{self.collided} not told apart"
        )


def play(seeds: Iterable[int], policy: Policy, **options: Any) -> Tally:
    """Play a history for each seed."""
    tally = Tally()
    for seed in seeds:
        history = History(seed, policy, **options)
        tally.played += 1
        try:
            outcome = history.play()
        except Lost as problem:
            tally.lost.append((seed, str(problem), history.log))
            continue
        finally:
            tally.merges += history.merges
        tally.clean += outcome == "clean"
        tally.collided += outcome == "collided"
        if outcome == "waits":
            tally.waits[history.waits.most_common(1)[0][0]] += 1
    return tally
