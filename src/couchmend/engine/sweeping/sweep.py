"""One incremental pass over a database: from its checkpoint to now.

The checkpoint moves on only after everything before it is in the journal, so that a sweep which is
killed anywhere and run again ends in the same state.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from typing import TypeAlias

from couchmend.engine.clock import elapsed_since
from couchmend.engine.finding.judging import Ground
from couchmend.engine.finding.replanning import fingerprint
from couchmend.engine.finding.targets import Target
from couchmend.engine.sweeping.glance import nothing_to_do, told_of, waiting
from couchmend.engine.sweeping.passing import Pass, Shared, Steps, is_announced
from couchmend.engine.sweeping.permit import Stopped
from couchmend.engine.sweeping.report import Outcome, Progress, SweepReport, Tally
from couchmend.errors import CouchmendError, DatabaseNotFound, EngineRefused
from couchmend.events import DatabaseSeen, SweepFinished
from couchmend.journal import databases
from couchmend.replica.base import Replica

OnProgress: TypeAlias = Callable[[Progress], None]


class Sweep:
    """A pass over one database, in steps.

    full: begins at the first change, and looks into what was settled, too.
    dry: nothing is written anywhere.
    """

    def __init__(
        self,
        shared: Shared,
        target: Target,
        opened: Callable[[], Replica],
        stop: threading.Event,
        *,
        full: bool = False,
        dry: bool = False,
        on_progress: OnProgress = lambda progress: None,
    ) -> None:
        self.target = target
        self._shared, self._opened, self._stop = shared, opened, stop
        self._full, self._dry, self._on_progress = full, dry, on_progress
        self._tally = Tally()
        self._started = shared.clock.monotonic()
        self._report: SweepReport | None = None
        self._steps = self._run()

    # --- a task

    @property
    def place(self) -> str:
        """The server on which it is done."""
        return self.target.server

    @property
    def report(self) -> SweepReport:
        """What it did; one that was never begun was stopped."""
        return self._report or self._reported("stopped", None)

    def left_alone(self) -> SweepReport:
        """What to tell where the server is left alone now."""
        self._steps.close()
        return self._reported("quiet", None)

    def advance(self, until: float) -> bool:
        """Go on until a moment of `clock.monotonic()`, or to the end; tells whether it is done."""
        for _ in self._steps:
            self._on_progress(self._progress())
            if self._shared.clock.monotonic() >= until:
                return False
        return True

    def abandon(self) -> None:
        """Release what it holds; it is not gone on with."""
        self._steps.close()

    def _progress(self) -> Progress:
        tally = self._tally
        return Progress(
            self.target.name,
            tally.rows,
            None if tally.ahead is None else max(0, tally.ahead - tally.rows),
            tally.detected,
            tally.resolved,
            tally.failed,
        )

    def _run(self) -> Steps:
        outcome: Outcome = "stopped"
        error: CouchmendError | None = None
        try:
            yield from self._pass()
            outcome = "done"
        except Stopped:
            pass
        except DatabaseNotFound as problem:
            outcome, error = "vanished", problem
            self._note_vanished()
        except EngineRefused as problem:
            outcome, error = "held", problem
        except CouchmendError as problem:
            outcome, error = "failed", problem
        finally:
            self._report = self._reported(outcome, error)
            self._tell(self._report)

    def _reported(self, outcome: Outcome, error: CouchmendError | None) -> SweepReport:
        tally = self._tally
        return SweepReport(
            database=self.target.name,
            outcome=outcome,
            mode=self.target.mode,
            rows=tally.rows,
            candidates=tally.candidates,
            detected=tally.detected,
            closed=tally.closed,
            resolved=0 if self._dry else tally.resolved,
            failed=tally.failed,
            would_resolve=tally.would_resolve,
            waiting=dict(tally.waiting),
            by_type=dict(tally.by_type),
            by_strategy=dict(tally.by_strategy),
            reasons=dict(tally.reasons),
            elapsed=elapsed_since(self._shared.clock, self._started),
            error=error,
            notices=tuple(tally.notices),
        )

    def _tell(self, report: SweepReport) -> None:
        if self._dry:
            return
        self._shared.emit(
            SweepFinished(
                at=self._shared.clock.now(),
                database=report.database,
                rows=report.rows,
                candidates=report.candidates,
                detected=report.detected,
                resolved=report.resolved,
                failed=report.failed,
                waiting=sum(report.waiting.values()),
                elapsed=report.elapsed,
                error="" if report.error is None else type(report.error).__name__,
            )
        )

    def _note_vanished(self) -> None:
        now = self._shared.clock.now()
        if self._dry:
            return
        with self._shared.journal.write() as tx:
            known = databases.named(tx, self.target.name)
            if known is None or known.vanished_at is not None:
                return
            databases.mark_vanished(tx, known.id, now)
        self._shared.emit(DatabaseSeen(at=now, database=self.target.name, change="vanished"))

    # --- the pass

    def _pass(self) -> Steps:
        shared, target, tally = self._shared, self.target, self._tally
        replica = self._opened()
        made = partial(Pass, shared, target, replica, full=self._full)
        if self._dry:
            yield from made(lease=None, stop=self._stop, tally=tally).steps()
            return
        if self._is_idle(replica):
            return
        with shared.leases.hold(target.name) as lease:
            yield from made(lease=lease, stop=self._stop, tally=tally).steps()

    def _is_idle(self, replica: Replica) -> bool:
        """Whether there is nothing to do; then what waits is counted."""
        shared, target = self._shared, self.target
        if self._full or not is_announced(shared, target):
            return False
        idle = nothing_to_do(
            shared.journal,
            replica,
            target.name,
            shared.clock,
            fingerprint(Ground.of(target, shared.policies)),
            writes=target.mode != "observe",
        )
        if idle:
            with shared.journal.read() as tx:
                found = waiting(tx, target.name)
                same = shared.waiting.get(target.name) == found
                told = () if same else told_of(tx, target.name, found, shared.clock.now())
            self._tally.waiting.update(found)
            shared.waiting[target.name] = found
            for event in told:
                shared.emit(event)
        return idle
