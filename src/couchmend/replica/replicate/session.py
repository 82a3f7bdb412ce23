"""One session of a replication: once through the feed, or for as long as it is wanted."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from email.utils import formatdate

from couchmend.core.document import JSON
from couchmend.errors import CouchmendError, ReplicaError
from couchmend.replica.ahead import read_ahead
from couchmend.replica.base import ChangesQuery, Heartbeat, Replica
from couchmend.replica.replicate.batches import Batch, read_batches
from couchmend.replica.replicate.checkpoints import BEGINNING, Log, replication_id
from couchmend.replica.replicate.counting import Progress, Summary
from couchmend.replica.replicate.storing import Store

CHECKPOINT_SECONDS = 5.0
HEARTBEAT_SECONDS = 5.0
LONGEST_PAUSE_SECONDS = 60.0
LAST_CHECKPOINT_SECONDS = 3.0

OnProgress = Callable[[Progress], None]
OnProblem = Callable[[ReplicaError, float], None]


def replicate(
    source: Replica,
    target: Replica,
    *,
    doc_ids: Sequence[str] | None = None,
    selector: Mapping[str, JSON] | None = None,
    since: str | None = None,
    on_progress: OnProgress | None = None,
) -> Summary:
    """Bring to `target` every revision of `source` that it lacks, once.

    It goes on from the checkpoint that both sides know.  `since` begins elsewhere: at `"0"`
    everything is compared again; from a later sequence on no checkpoint is kept, since what
    lies before is left out.  `doc_ids` or a Mango `selector` limit it to some documents.

    Killed at any point and run again, it ends in the same state: a checkpoint never runs
    ahead of what is stored.  What has been done when an error ends it, `on_progress` knows.

    Raises:
        ReplicaError: either side failed; what was written until then stays and is noted.
    """
    session = _Session(source, target, doc_ids, selector, since, on_progress)
    with session.noted_however_it_ends():
        session.catch_up()
    return session.summary()


def keep_replicating(
    source: Replica,
    target: Replica,
    *,
    doc_ids: Sequence[str] | None = None,
    selector: Mapping[str, JSON] | None = None,
    since: str | None = None,
    on_progress: OnProgress | None = None,
    on_problem: OnProblem | None = None,
    stop: threading.Event | None = None,
) -> Summary:
    """As `replicate`, and then everything that changes, until `stop` is set.

    A side that fails in a way that may pass is tried again, after pauses that grow to a
    minute; `on_problem` is told the error and the seconds of the pause.

    Raises:
        ReplicaError: a failure that will not pass by itself.
    """
    session = _Session(source, target, doc_ids, selector, since, on_progress)
    with session.noted_however_it_ends():
        session.keep_up(stop or threading.Event(), on_problem)
    return session.summary()


class _Session:
    def __init__(
        self,
        source: Replica,
        target: Replica,
        doc_ids: Sequence[str] | None,
        selector: Mapping[str, JSON] | None,
        since: str | None,
        on_progress: OnProgress | None,
    ) -> None:
        self._source = source
        self._target = target
        self._query = ChangesQuery(
            style="all_docs", doc_ids=doc_ids, selector=selector, pending=False
        )
        self._since = since
        self._on_progress = on_progress
        self._progress = Progress()
        self._store = Store(source, target, self._progress)
        self._id = uuid.uuid4().hex
        self._started = formatdate(usegmt=True)
        self._log: Log | None = None
        """None before the first request, and for a replication that leaves out its beginning."""
        self._noted = time.monotonic()

    def catch_up(self, stop: threading.Event | None = None) -> None:
        """Once through the feed, up to its present end, unless `stop` is set before."""
        if not self._progress.last_seq:
            self._begin()
        query = replace(self._query, since=self._progress.last_seq)
        if self._on_progress is not None:
            self._progress.pending = self._beyond(query)
        coming = read_batches(self._source, self._target, query)
        # Between files a thread would only be in the way.
        over_network = any(r.url.startswith("http") for r in (self._source, self._target))
        with read_ahead(coming) if over_network else closing(coming) as ready:
            for batch in ready:
                self._take(batch)
                if stop is not None and stop.is_set():
                    return

    def keep_up(self, stop: threading.Event, on_problem: OnProblem | None) -> None:
        """Catch up whenever there is something new."""
        pause = 1.0
        while not stop.is_set():
            try:
                self.catch_up(stop)
                pause = 1.0
                self._wait_for_changes(stop)
            except ReplicaError as problem:
                if not problem.transient:
                    raise
                if on_problem is not None:
                    on_problem(problem, pause)
                stop.wait(pause)
                pause = min(2 * pause, LONGEST_PAUSE_SECONDS)

    def summary(self) -> Summary:
        """What has been done until now."""
        return Summary(self._id, self._started, formatdate(usegmt=True), self._progress)

    @contextmanager
    def noted_however_it_ends(self) -> Iterator[None]:
        """Note at the end how far it came, also when it was interrupted.

        After a failure or an interruption a side may not answer, and nobody waits for long:
        the log saves only some comparing.
        """
        try:
            yield
        except BaseException:
            noting = threading.Thread(target=self._checkpoint_if_possible, daemon=True)
            noting.start()
            noting.join(LAST_CHECKPOINT_SECONDS)
            raise
        self._checkpoint()

    def _begin(self) -> None:
        """Find out where to go on."""
        progress = self._progress
        if self._since is None or self._since == BEGINNING:
            id = replication_id(self._source, self._target, self._query)
            self._log = Log(self._source, self._target, id)
        if self._since is not None:
            progress.last_seq = self._since
        elif self._log is not None:
            progress.last_seq = self._log.start_seq
        progress.start_seq = progress.last_seq
        self._tell_notice()

    def _take(self, batch: Batch) -> None:
        progress = self._progress
        progress.missing_checked += batch.missing_checked
        progress.missing_found += batch.missing_found
        progress.documents += batch.documents
        progress.docs_read += len(batch.incoming)
        progress.note_unreadable(batch.unreadable)
        self._store.store(batch.incoming)
        if batch.seq is not None:
            progress.changes_read += batch.rows
            progress.pending = max(0, progress.pending - batch.rows)
            progress.last_seq = batch.seq
            if time.monotonic() - self._noted >= CHECKPOINT_SECONDS:
                self._checkpoint()
        if self._on_progress is not None:
            self._on_progress(progress)

    def _checkpoint(self) -> None:
        progress = self._progress
        if self._log is None or progress.last_seq == progress.start_seq:
            return
        self._log.record(progress.last_seq, self.summary().history_entry())
        self._tell_notice()
        self._noted = time.monotonic()

    def _tell_notice(self) -> None:
        notice = None if self._log is None else self._log.notice
        self._progress.notices = [] if notice is None else [notice]

    def _checkpoint_if_possible(self) -> None:
        with suppress(CouchmendError):  # the first error tells what is wrong
            self._checkpoint()

    def _wait_for_changes(self, stop: threading.Event) -> None:
        query = replace(self._query, since=self._progress.last_seq)
        with closing(self._source.follow(query, heartbeat_seconds=HEARTBEAT_SECONDS)) as feed:
            for row in feed:
                if stop.is_set() or not isinstance(row, Heartbeat):
                    return
                self._checkpoint()

    def _beyond(self, query: ChangesQuery) -> int:
        """About how many rows the feed has from here on.  CouchDB counts without filters."""
        page = self._source.changes(replace(query, limit=1, pending=True))
        return len(page.rows) + page.pending
