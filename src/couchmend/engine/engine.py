"""The engine as a library: everything that couchmend does with databases and a journal."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from functools import partial

from couchmend.engine.finding.targets import Target
from couchmend.engine.putting_back import PuttingBack
from couchmend.engine.sweeping.follow import Follower
from couchmend.engine.sweeping.report import SweepReport, Swept
from couchmend.engine.sweeping.scheduling import Pool
from couchmend.engine.sweeping.sweep import OnProgress, Sweep
from couchmend.errors import CouchmendError
from couchmend.journal import databases, records
from couchmend.journal.records import Operation
from couchmend.settings import Server
from couchmend.settings.hours import is_quiet


class Engine(PuttingBack):
    """Finds, resolves and undoes conflicts.  Usable from several threads; close it, or use it in
    a `with`."""

    # --- finding

    def sweep(
        self,
        names: Sequence[str] | None = None,
        *,
        full: bool = False,
        dry_run: bool = False,
        stop: threading.Event | None = None,
        on_progress: OnProgress = lambda progress: None,
    ) -> Swept:
        """One incremental pass over some databases, or all that are configured.

        What goes wrong with one database is in its report, and the others go on.

        full: from the first change on; what was settled is looked into again.
        dry_run: nothing is written anywhere.
        stop: ends it soon once it is set.
        on_progress: called, from any thread, after every step.

        Raises:
            UsageError: there is no database of a name.
            JournalError: the journal cannot be opened.
        """
        stop = stop or threading.Event()
        before = self._databases.configured()
        targets = self.targets(names)
        shared = self._dry_shared() if dry_run else self.shared
        made = partial(Sweep, shared, stop=stop, full=full, dry=dry_run, on_progress=on_progress)
        sweeps = [made(one, partial(self._databases.open, one)) for one in targets]
        reports: dict[str, SweepReport] = {}
        try:
            with self.pool(stop, most=len(sweeps)) as pool:
                for one in sweeps:
                    if names is None and self.is_quiet(one.target):
                        reports[one.target.url] = one.left_alone()
                    else:
                        pool.submit(one)
                try:
                    pool.wait()
                except BaseException:
                    stop.set()
                    raise
        finally:
            if dry_run:
                shared.leases.close()
                if shared.journal is not self._journal:
                    shared.journal.close()
        each = [reports.get(one.target.url, one.report) for one in sweeps]
        if names is None:
            each += [_unreachable(*one) for one in self._databases.unreachable]
        was, now = {one.url for one in before}, {one.url for one in targets}
        known = names is None and before
        return Swept(
            tuple(each),
            tuple(one.name for one in targets if known and one.url not in was),
            tuple(one.name for one in before if known and one.url not in now),
        )

    def follow(
        self,
        stop: threading.Event,
        names: Sequence[str] | None = None,
        *,
        on_swept: Callable[[SweepReport], None] = lambda report: None,
    ) -> None:
        """Sweep some databases, or all that are configured, and again whenever they change or
        something falls due, until `stop` is set.  Those that appear on a server are found.

        on_swept: called, from any thread, after each sweep; what went wrong is in the report.

        Raises:
            UsageError: there is no database of a name.
            JournalError: the journal cannot be opened, or not be read any more.
        """
        shared = self.shared

        def made(target: Target) -> Sweep:
            return Sweep(shared, target, partial(self._databases.open, target), stop)

        follower = Follower(
            self._databases,
            names,
            shared.journal,
            self.clock,
            self.settings.engine,
            emit=self.events.emit,
            made=made,
            is_quiet=self.is_quiet,
            on_swept=on_swept,
        )
        with self.pool(stop, most=self.settings.engine.concurrency) as pool:
            follower.run(pool, stop)

    def pool(self, stop: threading.Event, most: int) -> Pool:
        """Threads that work on as many databases at once as the settings allow.

        most: how many there are to work on.
        """
        work = self.settings.engine
        return Pool(
            self.clock,
            stop,
            concurrency=max(1, min(work.concurrency, most)),
            most_on=self._most_on,
        )

    def _most_on(self, place: str) -> int:
        entry = self._entry(place)
        return self.settings.engine.concurrency if entry is None else entry.concurrency

    def _entry(self, url: str) -> Server | None:
        """What the settings say of the server of an address."""
        return self._servers.entry(url) if url.startswith("http") else None

    def is_quiet(self, target: Target) -> bool:
        """Whether the server of a database is left alone now."""
        entry = self._entry(target.url)
        return entry is not None and is_quiet(entry.quiet_hours, entry.time_zone, self.clock.now())

    # --- stopping and looking

    def pause(self, name: str | None = None, *, by: str) -> None:
        """Write nothing to a database, or to any, from before the next write on."""
        where = databases.EVERYWHERE if name is None else self.target(name).name
        with self.journal.write() as tx:
            databases.pause(tx, where, by, self.clock.now())
        self._note(by, "paused", where)

    def resume(self, name: str | None = None, *, by: str) -> bool:
        """End a pause, or all; tells whether there was one."""
        where = databases.EVERYWHERE if name is None else self.target(name).name
        with self.journal.write() as tx:
            ended = databases.resume(tx, where)
        self._note(by, "resumed", where)
        return ended

    def operations(self) -> list[Operation]:
        """The steps that are under way, the longest first."""
        with self.journal.read() as tx:
            return records.pending_operations(tx)


def _unreachable(server: str, problem: CouchmendError) -> SweepReport:
    return SweepReport(database=server, outcome="failed", mode="observe", error=problem)
