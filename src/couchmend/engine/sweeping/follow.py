"""Follows databases: what changes is swept soon, and so is what falls due."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from couchmend.engine.clock import Clock
from couchmend.engine.finding.databases import Known
from couchmend.engine.finding.targets import Target
from couchmend.engine.sweeping.ears import FEW, Ear, OfServer, of_database
from couchmend.engine.sweeping.report import SweepReport
from couchmend.engine.sweeping.scheduling import Pool
from couchmend.engine.sweeping.sweep import Sweep
from couchmend.errors import CouchmendError
from couchmend.events import DatabaseSeen, Event
from couchmend.journal import databases, listing
from couchmend.journal.opening import Journal
from couchmend.settings import Work

_TICK_SECONDS: Final = 0.2
"""What changes meanwhile is one sweep."""
_DUE_EVERY_SECONDS: Final = 10.0
_FIRST_PAUSE_SECONDS: Final = 2.0
_LONGEST_PAUSE_SECONDS: Final = 300.0


@dataclass(slots=True)
class _State:
    """How it stands with one database."""

    target: Target
    woken: bool = True
    running: bool = False
    failures: int = 0
    not_before: float = field(default=0.0)


class _Task:
    """A sweep whose end is told."""

    def __init__(self, sweep: Sweep, over: Callable[[SweepReport], None]) -> None:
        self._sweep, self._over = sweep, over

    @property
    def place(self) -> str:
        return self._sweep.place

    def advance(self, until: float) -> bool:
        done = self._sweep.advance(until)
        if done:
            self._over(self._sweep.report)
        return done

    def abandon(self) -> None:
        self._sweep.abandon()


class Follower:
    """Follows databases until it is told to stop.

    names: those that are meant; None for all that are configured.
    made: a sweep of a database.
    is_quiet: whether the server of one is left alone now.
    on_swept: called, from any thread, after each sweep.
    """

    def __init__(
        self,
        known: Known,
        names: Sequence[str] | None,
        journal: Journal,
        clock: Clock,
        work: Work,
        *,
        emit: Callable[[Event], None],
        made: Callable[[Target], Sweep],
        is_quiet: Callable[[Target], bool],
        on_swept: Callable[[SweepReport], None],
    ) -> None:
        self._known, self._names = known, names
        self._journal, self._clock, self._work = journal, clock, work
        self._emit, self._made = emit, made
        self._is_quiet, self._on_swept = is_quiet, on_swept
        self._states: dict[str, _State] = {}
        self._ears: dict[str, tuple[frozenset[str], list[Ear]]] = {}
        self._lock = threading.Lock()

    def run(self, pool: Pool, stop: threading.Event) -> None:
        """Until `stop` is set.

        Raises:
            UsageError: a name means no database.
            JournalError: the journal cannot be read any more.
        """
        next_look = next_due = self._clock.monotonic()
        first = True
        try:
            while not stop.is_set():
                moment = self._clock.monotonic()
                if moment >= next_look:
                    self._look(first=first)
                    first = False
                    next_look = moment + self._work.refresh_seconds
                if moment >= next_due:
                    self._wake_what_is_due()
                    next_due = moment + _DUE_EVERY_SECONDS
                self._submit(pool)
                pool.wait(0)
                stop.wait(_TICK_SECONDS)
        finally:
            self._listen({})

    # --- which databases there are

    def _look(self, *, first: bool) -> None:
        try:
            targets = self._targets()
        except CouchmendError:
            if first:
                raise
            return  # told by the sweeps
        now = self._clock.now()
        with self._lock:
            appeared = [one for one in targets if one.url not in self._states]
            there = {one.url for one in targets}
            gone = [state.target for url, state in self._states.items() if url not in there]
            for one in appeared:
                self._states[one.url] = _State(one)
            for one in targets:
                self._states[one.url].target = one
            for one in gone:
                del self._states[one.url]
        for change, some in (("appeared", [] if first else appeared), ("vanished", gone)):
            for one in some:
                self._emit(DatabaseSeen(at=now, database=one.name, change=change))
        self._note_vanished(gone, now)
        self._listen(self._groups(targets))

    def _targets(self) -> list[Target]:
        if self._names is not None:
            return self._known.named(self._names)
        self._known.refresh()
        return self._known.configured()

    def _note_vanished(self, gone: Sequence[Target], now: int) -> None:
        if not gone:
            return
        with self._journal.write() as tx:
            for one in gone:
                known = databases.named(tx, one.name)
                if known is not None and known.vanished_at is None:
                    databases.mark_vanished(tx, known.id, now)

    # --- listening

    def _groups(self, targets: Sequence[Target]) -> dict[str, list[Target]]:
        """What one or several ears listen to: a server with many databases, or one database."""
        groups: dict[str, list[Target]] = {}
        for target in targets:
            try:
                server = self._known.server(target)
            except CouchmendError:
                server = None
            groups.setdefault(target.url if server is None else server.url, []).append(target)
        return groups

    def _listen(self, groups: Mapping[str, list[Target]]) -> None:
        ended: list[Ear] = []
        for place, (members, ears) in list(self._ears.items()):
            if frozenset(one.url for one in groups.get(place, ())) != members:
                for ear in ears:
                    ear.end()
                ended += ears
                del self._ears[place]
        for place, targets in groups.items():
            if place not in self._ears:
                members = frozenset(one.url for one in targets)
                self._ears[place] = (members, self._ears_for(targets))
        if not groups:
            until = self._clock.monotonic() + 0.5
            for ear in ended:
                ear.join(max(0.0, until - self._clock.monotonic()))

    def _ears_for(self, targets: Sequence[Target]) -> list[Ear]:
        server = self._known.server(targets[0])
        if server is not None and len(targets) > FEW:
            names = {one.database: one.url for one in targets}
            heard = OfServer(server, names, self._work.poll_seconds)
            return [Ear(heard.hear, self.wake, [one.url for one in targets])]
        return [
            Ear(
                partial(of_database, partial(self._known.open, one), one.url),
                self.wake,
                [one.url],
            )
            for one in targets
        ]

    def wake(self, url: str) -> None:
        """A database changed."""
        with self._lock:
            state = self._states.get(url)
            if state is not None:
                state.woken = True

    # --- sweeping

    def _wake_what_is_due(self) -> None:
        now, moment = self._clock.now(), self._clock.monotonic()
        with self._lock:
            asleep = [one for one in self._states.values() if not one.woken and not one.running]
        with self._journal.read() as tx:
            for state in asleep:
                known = databases.named(tx, state.target.name)
                if known is not None and listing.due(tx, known.id, now, limit=1):
                    state.woken = state.not_before <= moment

    def _submit(self, pool: Pool) -> None:
        moment = self._clock.monotonic()
        with self._lock:
            ready = [
                state
                for state in self._states.values()
                if state.woken and not state.running and state.not_before <= moment
            ]
        for state in ready:
            if self._is_quiet(state.target):
                continue
            with self._lock:
                state.woken, state.running = False, True
            pool.submit(_Task(self._made(state.target), partial(self._over, state)))

    def _over(self, state: _State, report: SweepReport) -> None:
        with self._lock:
            state.running = False
            if report.outcome in ("failed", "held", "vanished"):
                pause = _FIRST_PAUSE_SECONDS * 2.0**state.failures
                state.failures += 1
                state.woken = True
                state.not_before = self._clock.monotonic() + min(pause, _LONGEST_PAUSE_SECONDS)
            else:
                state.failures, state.not_before = 0, 0.0
        self._on_swept(report)
