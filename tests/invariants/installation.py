"""An installation of couchmend at one replica of the world: its engine, its journal, its clock.

Whatever the engine writes is judged in the moment in which it is written: what is written over or
deleted must be in the archive by then, and what is written must be right.
"""

from __future__ import annotations

import functools
import random
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import delete
from sqlalchemy.util import LRUCache

from couchmend.core.conflicts.deletions import concurrent_deletions
from couchmend.core.document import JSON, Doc
from couchmend.core.plans.planned import Plan
from couchmend.core.plans.undo import How
from couchmend.core.policy.policy import Policy
from couchmend.core.revtree import Rev
from couchmend.core.values import ABSENT, same
from couchmend.engine.engine import Engine
from couchmend.engine.finding.targets import Watched
from couchmend.engine.hooks import Hooks
from couchmend.errors import CouchmendError
from couchmend.journal import archive, conflicts, databases, resolutions, tables
from couchmend.journal.conflicts import Conflict
from couchmend.journal.listing import Wanted, listed
from couchmend.journal.opening import Journal, open_journal
from couchmend.journal.resolutions import Resolution
from couchmend.policies import Policies
from couchmend.settings import Database, Settings
from tests.invariants.truth import FILES, Lost, Place, Truth, body_of_choice, places
from tests.invariants.wires import Killed, When, Wire, WiredJournal, Wrote, wired_replica
from tests.invariants.world import SECOND, Look, World, every_dead, look

SHARED_MEMORY = Path("/dev/shm")
MANY = 100_000


class WorldClock:
    """The clock of a machine in the world: it may be wrong."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.skew_seconds = 0.0

    def now(self) -> int:
        """As the machine has it."""
        return self._world.now + int(self.skew_seconds * SECOND)

    def monotonic(self) -> float:
        """As it passes in the world."""
        return self._world.now / SECOND

    def sleep(self, seconds: float) -> None:
        """Time passes."""
        self._world.pass_time(seconds)


@dataclass(frozen=True)
class Waiting:
    """A conflict that waits for a person; `check` is the first that it does not pass."""

    number: int
    check: str


class Installation:
    """An engine, which may be killed and started anew on its journal."""

    def __init__(
        self, world: World, where: int, policy: Policy, journal: Journal, mode: str = "auto"
    ) -> None:
        self.world, self.where, self.policy, self.journal = world, where, policy, journal
        self.mode = mode
        self.name = f"replica-{where}"
        self.url = f"file:/nowhere/{id(world)}/{self.name}.couch"
        self.replica = world.replicas[where]
        self.written: dict[str, int] = {}
        """How many revisions engines wrote here, by document."""
        self.merges = self.revived = 0
        self.clock = WorldClock(world)
        self._running: Mapping[str, list[Resolution]] = {}
        self._undone: set[int] = set()
        self._temporary: tempfile.TemporaryDirectory[str] | None = None
        self.begin()

    @classmethod
    def start(cls, world: World, where: int, policy: Policy, mode: str = "auto") -> Installation:
        """One with a journal of its own."""
        temporary = _folder()
        (Path(temporary.name) / "journal.db").write_bytes(_empty_journal())
        journal = open_journal(f"sqlite:///{temporary.name}/journal.db")
        # Statements are compiled once for all journals, not for each anew.
        journal.engine._compiled_cache = _COMPILED
        made = cls(world, where, policy, journal, mode)
        made._temporary = temporary
        return made

    def begin(self) -> None:
        """Start a process anew, with nothing but the journal."""
        self.wire = Wire(writing=self._writing, told=self._told)
        entry = Database(url=self.url, name=self.name, mode=self.mode)
        self.engine = Engine(
            Settings(databases=(entry,)),
            policies=Policies((self.policy,)),
            journal=WiredJournal(self.journal, self.wire),
            clock=self.clock,
            hooks=Hooks(),
        )
        _WIRED[self.url] = wired_replica(self.replica, self.wire)

    def close(self) -> None:
        """End, for good."""
        self.engine.close()
        _WIRED.pop(self.url, None)
        if self._temporary is not None:
            self.journal.close()
            self._temporary.cleanup()

    # --- what it does

    def sweep(self, *, full: bool = False) -> None:
        """Sweep once."""
        self.world.note(self.where, "sweep", len(self.world.truths))
        for report in self.engine.sweep(full=full).each:
            if report.error is not None:
                raise Lost(f"a sweep failed at {self.where}: {report.error}") from report.error

    def killed_sweep(self, at: int, when: When) -> bool:
        """Sweep, and be killed at a call; whether it came so far."""
        return self.killed(lambda: self.engine.sweep(), at, when)

    def killed(self, act: Callable[[], object], at: int, when: When) -> bool:
        """Do something, and be killed at a call; whether it came so far.  Then a new process
        begins."""
        self.wire.arm(at, when, self.wire.kill)
        try:
            act()
        except Killed as end:
            self.world.note(self.where, f"killed {end}")
        finally:
            died = self.wire.dead
            self.wire.at = None
        if died:
            self.engine.close()
            self.expire()
            self.begin()
        return died

    def interrupted_sweep(self, at: int, action: Callable[[], None]) -> bool:
        """Sweep, and be stopped at a call while something happens; whether it came so far."""
        happened = []

        def act() -> None:
            self.world.note(self.where, f"stopped at call {at}, {self.wire.calls[-1]}")
            self.expire()
            action()
            happened.append(True)
            self.world.note(self.where, "goes on")

        self.wire.arm(at, "between", act)
        self.engine.sweep()
        self.wire.at = None
        return bool(happened)

    @contextmanager
    def deputy(self) -> Iterator[Installation]:
        """Another process that works with the same journal."""
        other = Installation(self.world, self.where, self.policy, self.journal, self.mode)
        try:
            yield other
        finally:
            other.engine.close()
            for id, count in other.written.items():
                self.written[id] = self.written.get(id, 0) + count
            self.merges += other.merges
            self.expire()
            _WIRED[self.url] = wired_replica(self.replica, self.wire)

    def expire(self) -> None:
        """So much time passes that every lease has run out."""
        with self.journal.write() as tx:
            tx.execute(delete(tables.leases))

    # --- people

    def decide(self, chance: random.Random) -> int:
        """Somebody decides some of what waits, rightly; how much."""
        count = 0
        for number, id in sorted((one.number, id) for id, one in self.waiting().items()):
            if chance.random() < 0.5:
                count += self._decide(number, id, chance)
        return count

    def decide_first(self, place: int) -> None:
        """Somebody decides what waits first, second …, rightly."""
        waiting = sorted((one.number, id) for id, one in self.waiting().items())
        if place < len(waiting):
            self._decide(*waiting[place], random.Random(place))

    def _decide(self, number: int, id: str, chance: random.Random) -> bool:
        seen, truth = look(self.replica, id), self.world.truths[id]
        if not seen.live:
            return False
        more: dict[str, Any] = {}
        if concurrent_deletions(seen.tree):
            strategy = "preserve-non-deleted"
            if len(seen.live) > 1:
                strategy, more["body"] = "manual", self._right(seen, truth, chance)
        else:
            strategy, more["body"] = "manual", self._right(seen, truth, chance)
        try:
            carried = self.engine.resolve(number, strategy, by="ann", **more)
        except CouchmendError as problem:
            self.world.note(self.where, f"ann cannot decide {id}: {problem}")
            return False
        self.world.note(self.where, f"ann decides {id}: {carried}")
        return True

    def _right(self, seen: Look, truth: Truth, chance: random.Random) -> Doc:
        """A body that says what it should."""
        dead = every_dead(seen, truth)
        edits = set().union(*(truth.known(rev, dead) for rev in seen.live))
        chosen = {
            place: chance.choice(values) for place, values in sorted(truth.allowed(edits).items())
        }
        if truth.excused:
            chosen = places(seen.bodies[seen.live[0]])
        body = body_of_choice(chosen)
        files = {
            name: _entry(seen, name, chosen[FILES, name])
            for what, name in sorted(place for place in chosen if place[0] == FILES)
            if chosen[what, name] is not ABSENT
        }
        if self.world.timed:
            body["updatedAt"] = self.world.now // 1000
        # Without a word about files, those of the merge would be taken.
        return {**body, FILES: files}

    def undo(self, chance: random.Random) -> int:
        """Somebody takes a resolution back, one way or the other."""
        done = [
            one for one in self.resolutions() if one.kind == "resolve" and one.state == "done"
            and one.undone_by is None
        ]  # fmt: skip
        if not done:
            return 0
        one = chance.choice(done)
        how: How = "restore" if chance.random() < 0.5 else "reopen"
        self.world.truths[one.document].excused = "undone"
        try:
            self.engine.undo(one.id, how, by="ann")
        except CouchmendError as problem:
            self.world.note(self.where, f"ann cannot undo {one.id}: {problem}")
            return 0
        self.world.note(self.where, f"ann undoes {one.id}, {how}")
        return 1

    # --- what is known

    def waiting(self) -> dict[str, Waiting]:
        """The conflicts that wait, by document."""
        with self.journal.read() as tx:
            page = listed(tx, Wanted(database=self.name), MANY) if self._is_known(tx) else None
            found = [] if page is None else page.conflicts
            return {
                one.document: Waiting(one.id, _why(one, conflicts.details(tx, one.id)))
                for one in found
                if one.is_open and one.state != "acknowledged"
            }

    def open(self) -> set[str]:
        """The documents with an open conflict, skipped ones included."""
        with self.journal.read() as tx:
            if not self._is_known(tx):
                return set()
            return {one.document for one in listed(tx, Wanted(database=self.name), MANY).conflicts}

    def resolutions(self) -> list[Resolution]:
        """All that was ever begun."""
        with self.journal.read() as tx:
            if not self._is_known(tx):
                return []
            return list(resolutions.listed(tx, self.name, limit=MANY))

    def _is_known(self, tx: Any) -> bool:
        return databases.named(tx, self.name) is not None

    # --- judging

    def _writing(self, docs: Sequence[Mapping[str, JSON]]) -> None:
        """Before documents are written: what they go over is in the archive, with its plan."""
        ids = [str(doc["_id"]) for doc in docs]
        with self.journal.read() as tx:
            database = databases.named(tx, self.name)
            assert database is not None
            kept = archive.kept(tx, database.id, ids)
            running: dict[str, list[Resolution]] = {}
            for one in resolutions.unfinished(tx, database.id):
                running.setdefault(one.document, []).append(one)
        self._running = running
        for doc, id in zip(docs, ids, strict=True):
            seen = look(self.replica, id)
            for rev in seen.live:
                if rev == _parent(doc):
                    # An undo may write one body several times; it is kept once.
                    bodies = [one.body for one in kept.get(id, {}).values() if one.body is not None]
                    if not any(same(body, seen.bodies[rev]) for body in bodies):
                        raise Lost(f"{id} {rev} is written over and not in the archive")

    def _told(self, wrote: Wrote) -> None:
        """After a document was written."""
        self.written[wrote.id] = self.written.get(wrote.id, 0) + 1
        truth = self.world.truths[wrote.id]
        running = self._running.get(wrote.id, [])
        if any(one.kind == "undo" for one in running):
            truth.excused = "undone"
        if truth.excused:
            return
        for one in running:
            if one.plan is not None and self._is_of(Plan.from_json(one.plan), wrote, truth):
                return
        raise Lost(f"{wrote} is of no plan")

    def _is_of(self, plan: Plan, wrote: Wrote, truth: Truth) -> bool:
        seen = look(self.replica, wrote.id)
        dead = every_dead(seen, truth)
        losers = [tombstone.rev for tombstone in plan.tombstones]
        if wrote.deleted and wrote.parent in losers:
            loser = wrote.parent
            if plan.deletes:
                truth.delete(wrote.rev, loser)
            else:
                into = plan.winner if plan.write is None else plan.write.expected
                truth.end(wrote.rev, loser, into, truth.known(loser, dead))
                truth.check(into, [*dead, wrote.rev], f"at {self.where}, {loser} is tombstoned")
            self.world.note(self.where, f"tombstones {wrote.id} {wrote.parent}")
            return True
        if not wrote.deleted and plan.write is not None and plan.write.parent == wrote.parent:
            leaves = [plan.winner, *losers]
            known = [truth.known(leaf, dead) for leaf in leaves]
            body = seen.bodies[wrote.rev]
            edits = set().union(*known)
            truth.merge(wrote.rev, plan.winner, body, edits)
            self.merges += 1
            self.world.note(self.where, f"merges {wrote.id} {leaves} -> {wrote.rev} {body}")
            truth.check(wrote.rev, dead, f"at {self.where}, merged")
            self._hold_recorded(plan, truth, body, edits)
            return True
        if not wrote.deleted and wrote.parent is not None and wrote.parent in truth.parents:
            return self._is_revival(plan, wrote, truth, seen)
        return False

    def _is_revival(self, plan: Plan, wrote: Wrote, truth: Truth, seen: Look) -> bool:
        """Two engines may have tombstoned each other's winner: then, and only then, one writes
        what was to live on over a tombstone."""
        parent = wrote.parent
        if parent not in truth.ended:
            return False
        gone = [rev for rev in seen.dead if rev in truth.deletions]
        if parent in truth.deletions or gone or len(seen.live) > 1:
            raise Lost(f"{wrote.id} is there again, and a user had deleted it: {gone or parent}")
        edits = truth.known(plan.winner, every_dead(seen, truth))
        for tombstone in plan.tombstones:
            edits |= truth.known(tombstone.rev, every_dead(seen, truth))
        truth.merge(wrote.rev, parent, seen.bodies[wrote.rev], edits)
        self.revived += 1
        self.world.note(self.where, f"revives {wrote.id} {parent} -> {wrote.rev}")
        truth.check(wrote.rev, every_dead(seen, truth), f"at {self.where}, revived")
        return True

    def _hold_recorded(self, plan: Plan, truth: Truth, body: Doc, edits: set[Rev]) -> None:
        """What somebody wrote last and the merge does not say is decided, and written down."""
        last = truth.allowed(edits)
        decided = {str(step) for decision in plan.decisions for step in decision.path}
        told = places(body)
        contained = {one.rev for one in plan.containment if one.state == "contained"}
        for leaf in (plan.winner, *(one.rev for one in plan.tombstones)):
            for place, value in places(truth.bodies[leaf]).items():
                if leaf in contained or same(told.get(place, ABSENT), value):
                    continue
                if not any(same(value, one) for one in last.get(place, ())):
                    continue  # somebody who knew it wrote over it
                if place[0] not in decided:
                    raise Lost(f"{plan.id} {leaf}: {place} is gone, and no decision says so")

    def check_queue(self) -> None:
        """After a sweep of all that there is: the queue has what is in conflict, and only that."""
        known = self.open()
        acknowledged = self._acknowledged()
        for id in self.world.truths:
            seen = look(self.replica, id)
            deletions = set(concurrent_deletions(seen.tree)) - acknowledged.get(id, frozenset())
            is_conflict = len(seen.live) > 1 or bool(seen.live and deletions)
            if is_conflict and id not in known:
                raise Lost(f"{id} is in conflict at {self.where}, and not in the queue")

    def _acknowledged(self) -> Mapping[str, frozenset[Rev]]:
        with self.journal.read() as tx:
            database = databases.named(tx, self.name)
            if database is None:
                return {}
            return resolutions.acknowledged(tx, database.id, list(self.world.truths))

    def check_archive(self) -> None:
        """Whatever was written over or tombstoned here is kept, as it was."""
        ids = list(self.written)
        with self.journal.read() as tx:
            database = databases.named(tx, self.name)
            kept = {} if database is None else archive.kept(tx, database.id, ids)
        for one in self.resolutions():
            if one.kind != "resolve" or one.plan is None or one.state == "abandoned":
                continue
            plan = Plan.from_json(one.plan)
            for rev in (plan.winner, *(tombstone.rev for tombstone in plan.tombstones)):
                archived = kept.get(one.document, {}).get(rev)
                body = None if archived is None else archived.body
                right = self.world.truths[one.document].bodies.get(rev)
                if one.document in ids and (body is None or right is None or not same(body, right)):
                    raise Lost(f"{one.document} {rev} is not in the archive: {body} {right}")

    def check_finished(self) -> None:
        """Nothing is under way any more."""
        with self.journal.read() as tx:
            database = databases.named(tx, self.name)
            left = [] if database is None else resolutions.unfinished(tx, database.id)
        if left:
            raise Lost(f"at {self.where}, {left} is not finished")


def _folder() -> tempfile.TemporaryDirectory[str]:
    folder = SHARED_MEMORY if SHARED_MEMORY.is_dir() else None
    return tempfile.TemporaryDirectory(prefix="couchmend-", dir=folder)


@functools.cache
def _empty_journal() -> bytes:
    """The file of a new journal."""
    with _folder() as folder:
        path = Path(folder) / "journal.db"
        open_journal(f"sqlite:///{path}").close()
        return path.read_bytes()


def _parent(doc: Mapping[str, JSON]) -> Rev | None:
    told: Any = doc.get("_revisions")
    if told is not None:
        return Rev(told["start"] - 1, told["ids"][1]) if len(told["ids"]) > 1 else None
    return Rev.parse(doc["_rev"]) if "_rev" in doc else None


def _entry(seen: Look, name: str, digest: Any) -> Doc:
    for body in seen.bodies.values():
        for entry in body.get(FILES, {}).values():
            if entry["digest"] == digest:
                return dict(entry)
    raise Lost(f"{name}: nobody has {digest}")


def _why(conflict: Conflict, details: JSON) -> str:
    """Why it waits: the first check that it does not pass."""
    checks: Any = details.get("checks") if isinstance(details, dict) else None
    if conflict.last_error:
        return "failed"
    if checks is None:
        return "overtaken" if "took in" in conflict.sentence else conflict.sentence
    return next((str(check["name"]) for check in checks if not check["passed"]), "eligible")


_COMPILED: Any = LRUCache(2000)

_WIRED: dict[str, Any] = {}
"""The replicas that engines get, by address."""

_open = Watched.open


def _open_wired(self: Watched, target: Any) -> Any:
    return _WIRED[target.url] if target.url in _WIRED else _open(self, target)


Watched.open = _open_wired  # type: ignore[method-assign]  # in memory there is no address
_ = Place
