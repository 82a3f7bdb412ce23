"""The pass itself: through the feed, into the journal, and what may be resolved is."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Final, TypeAlias

from couchmend.core.conflicts.deletions import row_digest
from couchmend.engine.carrying import Carried, Order, Resolved, Site, carry_out
from couchmend.engine.carrying import Stopped as CarryingStopped
from couchmend.engine.carrying.recovery import recover
from couchmend.engine.clock import Clock
from couchmend.engine.finding import replanning
from couchmend.engine.finding.choosing import Choosing
from couchmend.engine.finding.judging import Ground
from couchmend.engine.finding.reading import InConflict, Reader, Reading, row_of
from couchmend.engine.finding.remembering import remembered
from couchmend.engine.finding.replanning import fingerprint, leaves_of, with_purges
from couchmend.engine.finding.targets import Target
from couchmend.engine.sweeping.announcing import announce
from couchmend.engine.sweeping.glance import is_noted, told_of, waiting
from couchmend.engine.sweeping.intake import Eligible, Intake
from couchmend.engine.sweeping.lease import Lease, Leases
from couchmend.engine.sweeping.permit import Permit, Stopped, told_of_pause
from couchmend.engine.sweeping.report import Tally
from couchmend.errors import BadRequest
from couchmend.events import CheckpointLagging, DatabaseSeen, Event
from couchmend.journal import databases, listing, resolutions
from couchmend.journal.conflicts import State
from couchmend.journal.databases import Database
from couchmend.journal.opening import Journal
from couchmend.policies import Policies
from couchmend.replica.base import ChangeRow, ChangesPage, ChangesQuery, Replica
from couchmend.settings import Work

_CHECKPOINT_SECONDS: Final = 5.0
ANNOUNCED_EVERY_SECONDS: Final = 3600.0

RECOVERED: Final = "recovered"
"""In place of a strategy, of what an earlier run began."""

Steps: TypeAlias = Generator[None, None, None]


@dataclass(frozen=True, slots=True)
class Shared:
    """What all sweeps of a process have in common.

    installation: which one this is; see `announcing`.
    announced: when, by database, as `clock.monotonic()` has it.
    waiting: by database, how many conflicts waited by severity, as was told last.
    """

    journal: Journal
    clock: Clock
    emit: Callable[[Event], None]
    leases: Leases
    policies: Policies
    work: Work
    veto: Callable[[Order], str | None]
    installation: str
    announced: dict[str, float] = field(default_factory=dict)
    waiting: dict[str, dict[str, int]] = field(default_factory=dict)


class Pass:
    """A pass over a database that is open.

    lease: that it is ours; None in a dry run, which writes nothing anywhere.
    full: begins at the first change, and looks into what was settled, too.
    """

    def __init__(
        self,
        shared: Shared,
        target: Target,
        replica: Replica,
        lease: Lease | None,
        stop: threading.Event,
        tally: Tally,
        *,
        full: bool,
    ) -> None:
        self._shared, self._target, self._replica = shared, target, replica
        self._lease, self._stop, self._tally, self._full = lease, stop, tally, full
        self._journal, self._clock = shared.journal, shared.clock
        self._dry = lease is None
        self._ground = Ground.of(target, shared.policies)

    def steps(self) -> Steps:
        """All of it."""
        info = self._replica.info()
        self._fingerprint = with_purges(fingerprint(self._ground), info.purge_seq)
        self._database, anew = self._registered(info.instance_start_time)
        with self._journal.read() as tx:
            self._newest = listing.newest(tx, self._database.id)
            pauses = databases.pauses(tx, self._target.name)
            self._unfinished = resolutions.begun(tx, self._database.id)
        self._paused = bool(pauses)
        if self._target.mode != "observe":
            self._tally.notices |= dict.fromkeys(map(told_of_pause, pauses))
        self._intake = Intake(
            self._journal,
            self._database.id,
            self._replica,
            self._ground,
            self._clock,
            self._shared.emit,
            self._tally,
            dry=self._dry,
        )
        self._began = self._clock.now()
        self._check()
        if self._lease is not None and self._target.mode != "observe" and not self._paused:
            self._announce()
            if self._unfinished:
                self._count(recover(self._site(self._lease)), {})
                with self._journal.read() as tx:
                    self._unfinished = resolutions.begun(tx, self._database.id)
                yield
        since = databases.START if self._full or anew else self._database.checkpoint
        self._estimate(info.update_seq, since)
        yield from self._look(since)
        swept_at = self._database.swept_at
        was_set_back = swept_at is not None and swept_at > self._began
        yield from self._plan_again(everything=anew or was_set_back)
        self._finish()

    def _registered(self, instance: str) -> tuple[Database, bool]:
        """The database as the journal knows it, and whether it is another than it was."""
        name, url, now = self._target.name, self._target.url, self._clock.now()
        with self._journal.read() as tx:
            known = databases.named(tx, name)
        if known is not None and known.url == url and known.instance == instance:
            return known, False
        anew = known is not None and known.instance not in ("", instance)
        if self._dry:
            missing = Database(0, name, url, instance, databases.START, now, None, "", None)
            return known or missing, anew
        with self._journal.write() as tx:
            known = databases.register(tx, name, url, now)
            if known.instance != instance:
                databases.restart(tx, known.id, instance)
                known = databases.get(tx, known.id)
        if anew:
            self._shared.emit(DatabaseSeen(at=now, database=name, change="recreated"))
        return known, anew

    def _check(self) -> None:
        """Hold that we may go on."""
        if self._stop.is_set():
            raise Stopped("it was told to stop", target=self._target.name)
        if self._lease is not None:
            self._shared.leases.check(self._lease)

    def _announce(self) -> None:
        if is_announced(self._shared, self._target):
            return
        now = self._clock.now()
        notice = announce(self._replica, self._shared.installation, now, write=True)
        self._shared.announced[self._target.name] = self._clock.monotonic()
        if notice:
            self._tally.notices[notice] = None

    def _estimate(self, update_seq: str, since: str) -> None:
        """About how many changes lie ahead, going by the numbers that sequences begin with."""
        ends = [text.partition("-")[0] for text in (update_seq, since)]
        if all(end.isascii() and end.isdecimal() for end in ends):
            self._tally.ahead = max(0, int(ends[0]) - int(ends[1]))
            self._lagging(self._tally.ahead)

    def _lagging(self, changes: int) -> None:
        if not self._dry:
            now = self._clock.now()
            event = CheckpointLagging(at=now, database=self._target.name, changes=changes)
            self._shared.emit(event)

    # --- looking through the feed

    def _look(self, since: str) -> Steps:
        rows: list[ChangeRow] = []
        noted = self._clock.monotonic()
        at = since
        with self._pages(since) as pages:
            for page in pages:
                self._check()
                self._tally.rows += len(page.rows)
                rows += self._candidates(page.rows)
                at = page.last_seq
                if len(rows) >= self._shared.work.batch_documents:
                    yield from self._take_in(rows)
                    rows = []
                    self._advance(at)
                    noted = self._clock.monotonic()
                elif not rows and self._clock.monotonic() - noted > _CHECKPOINT_SECONDS:
                    self._advance(at)
                    noted = self._clock.monotonic()
                yield
        yield from self._take_in(rows)
        if self._tally.rows:
            self._advance(at)

    @contextmanager
    def _pages(self, since: str) -> Iterator[Iterator[ChangesPage]]:
        query = ChangesQuery(since=since, style="all_docs", pending=False)
        with closing(self._replica.change_pages(query, self._shared.work.page_rows)) as pages:
            yield self._from_the_start(pages, since)

    def _from_the_start(
        self, pages: Generator[ChangesPage, None, None], since: str
    ) -> Iterator[ChangesPage]:
        """The pages; of a database that does not know the checkpoint, from the first on."""
        try:
            first = next(pages, None)
        except BadRequest:
            if since == databases.START:
                raise
            self._tally.notices[
                "the database did not know the checkpoint: it was swept from the beginning"
            ] = None
            query = ChangesQuery(style="all_docs", pending=False)
            rest = self._replica.change_pages(query, self._shared.work.page_rows)
            with closing(rest):
                yield from rest
            return
        if first is not None:
            yield first
        yield from pages

    def _candidates(self, rows: Sequence[ChangeRow]) -> list[ChangeRow]:
        """Of a page those that are to be read; conflicts that are over are closed."""
        several = [row for row in rows if len(row.revs) > 1 and not row.deleted]
        # A winner that is deleted has no live leaf beside it.
        over: dict[str, State] = {
            row.id: "resolved" for row in rows if len(row.revs) == 1 or row.deleted
        }
        if over and (self._newest or self._tally.by_type):
            self._intake.close(over)
        if not several or self._full:
            return several
        with self._journal.read() as tx:
            settled = databases.settled(tx, self._database.id, [row.id for row in several])
        return [row for row in several if settled.get(row.id) != row_digest(row.revs)]

    def _take_in(self, rows: Sequence[ChangeRow]) -> Steps:
        """Read documents, bring them into the journal, and resolve what may be."""
        if not rows:
            return
        met = self._clock.monotonic()
        reader = Reader(
            self._replica,
            self._target.name,
            partial(remembered, self._journal, self._database.id),
            dead_branches=Choosing(self._shared.policies).reports_dead_branches,
        )
        with closing(_closable(reader.documents(rows))) as documents:
            for batch in self._batches(documents):
                self._check()
                self._carry(self._intake.take(batch, met))
                yield

    def _batches(self, documents: Iterator[Reading]) -> Iterator[list[Reading]]:
        batch: list[Reading] = []
        size = 0
        for one in documents:
            batch.append(one)
            size += one.bytes if isinstance(one, InConflict) else 0
            work = self._shared.work
            if len(batch) >= work.batch_documents or size >= work.batch_bytes:
                yield batch
                batch, size = [], 0
        if batch:
            yield batch

    def _advance(self, checkpoint: str) -> None:
        if self._dry:
            return
        with self._journal.write() as tx:
            databases.advance(tx, self._database.id, checkpoint, self._clock.now())

    # --- resolving

    def _site(self, lease: Lease) -> Site:
        permit = Permit(
            self._journal,
            self._target.name,
            self._target.mode,
            self._shared.leases,
            lease,
            self._stop,
        )
        return site_of(self._shared, self._database, self._replica, permit)

    def _carry(self, eligible: Sequence[Eligible]) -> None:
        if not eligible or self._lease is None or self._target.mode != "auto":
            return
        if self._paused:
            self._tally.reasons["paused"] += len(eligible)
            return
        orders = [
            Order(
                conflict=one.conflict.id,
                doc=one.assessment.doc,
                plan=one.assessment.plan,
                type=one.conflict.type,
                severity=one.conflict.severity,
                by=resolutions.AUTO,
            )
            for one in eligible
            if one.conflict.document not in self._unfinished  # what it is, is not known before
        ]
        strategies = {order.conflict: order.plan.strategy for order in orders}
        self._count(carry_out(self._site(self._lease), orders), strategies)

    def _count(self, outcomes: Sequence[Carried], strategies: Mapping[int | None, str]) -> None:
        for one in outcomes:
            match one:
                case Resolved():
                    self._tally.by_strategy[strategies.get(one.conflict, RECOVERED)] += 1
                case CarryingStopped():
                    self._tally.reasons["stopped"] += 1
                    self._paused = True
                case _:
                    self._tally.failed += 1
        if self._paused:
            self._check()

    # --- planning again

    def _plan_again(self, *, everything: bool) -> Steps:
        """Look again at conflicts that wait, where something that decides about them changed."""
        if not self._newest:
            return
        if everything or self._database.fingerprint != self._fingerprint:
            pages = replanning.all_open(self._journal, self._database.id, self._newest)
        elif not self._paused and not self._dry:
            pages = replanning.due(self._journal, self._database.id, self._began)
        else:
            return
        for page in pages:
            self._check()
            yield from self._take_in([row_of(one.document, leaves_of(one)) for one in page])

    # --- the end

    def _finish(self) -> None:
        now = self._clock.now()
        name = self._target.name
        with self._journal.read() as tx:
            found = waiting(tx, name)
            told = told_of(tx, name, found, now)
        self._tally.waiting.update(found)
        if self._dry:
            return
        database = self._database
        idle = not self._tally.rows and database.fingerprint == self._fingerprint
        if not (idle and is_noted(database, now)):
            with self._journal.write() as tx:
                databases.mark_swept(tx, database.id, now, self._fingerprint)
        self._shared.waiting[name] = found
        for event in told:
            self._shared.emit(event)


def is_announced(shared: Shared, target: Target) -> bool:
    """Whether others were told of us of late, or need not be."""
    last = shared.announced.get(target.name)
    recent = last is not None and shared.clock.monotonic() - last < ANNOUNCED_EVERY_SECONDS
    return recent or target.mode == "observe"


def site_of(
    shared: Shared, database: Database, replica: Replica, permit: Callable[[], None]
) -> Site:
    """Where the plans for a database are carried out."""
    return Site(
        journal=shared.journal,
        database=database,
        replica=replica,
        clock=shared.clock,
        emit=shared.emit,
        may_write=permit,
        veto=shared.veto,
        step_timeout_seconds=shared.work.step_timeout_seconds,
    )


def _closable(documents: Iterator[Reading]) -> Generator[Reading, None, None]:
    yield from documents
