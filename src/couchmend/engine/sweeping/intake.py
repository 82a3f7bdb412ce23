"""Documents that were read go into the journal: what they are, their bodies, and which are over.

Everything about a batch is in one transaction.  What may be resolved by itself comes back.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from sqlalchemy import Connection

from couchmend.core.conflicts.deletions import row_digest
from couchmend.core.conflicts.document import ConflictedDocument
from couchmend.core.plans.assessing import Assessment
from couchmend.core.revtree import Rev
from couchmend.engine.clock import Clock
from couchmend.engine.finding import overtaken
from couchmend.engine.finding.judging import Ground, Judged, first_failed, for_a_person, judge
from couchmend.engine.finding.reading import InConflict, NotInConflict, Reading, Unread, Vanished
from couchmend.engine.finding.remembering import remembered
from couchmend.engine.sweeping.report import Tally
from couchmend.errors import JournalError, ReplicaError
from couchmend.events import ConflictClosed, ConflictDetected, ConflictQueued, Event
from couchmend.journal import archive, conflicts, databases, records, resolutions
from couchmend.journal.archive import Archived
from couchmend.journal.conflicts import Conflict, State
from couchmend.journal.opening import Journal
from couchmend.journal.queueing import Finding, Queued, queue
from couchmend.replica.base import Replica

HOUR: Final = 3_600_000_000
_UNREAD_AGAIN: Final = 300_000_000
"""When a document is tried again that could not be read, in microseconds."""


@dataclass(frozen=True, slots=True)
class Eligible:
    """A conflict that may be resolved by itself."""

    conflict: Conflict
    assessment: Assessment


_Ours: TypeAlias = tuple[Mapping[Rev, frozenset[Rev]], Mapping[Rev, Rev]]
"""What we did to a document: our merges, and our tombstones by loser."""


@dataclass(slots=True)
class _Batch:
    """What is to be written about some documents."""

    judged: dict[str, Judged] = field(default_factory=dict)
    others: dict[str, Finding] = field(default_factory=dict)
    kept: dict[str, list[Archived]] = field(default_factory=dict)
    rows: dict[str, str] = field(default_factory=dict)
    over: dict[str, State] = field(default_factory=dict)
    unread: dict[str, str] = field(default_factory=dict)


class Intake:
    """Takes in the documents of one database.

    dry: nothing is written; what would be is counted.
    """

    def __init__(
        self,
        journal: Journal,
        database_id: int,
        replica: Replica,
        ground: Ground,
        clock: Clock,
        emit: Callable[[Event], None],
        tally: Tally,
        *,
        dry: bool = False,
    ) -> None:
        self._journal, self._id, self._replica = journal, database_id, replica
        self._ground, self._clock, self._emit = ground, clock, emit
        self._tally, self._dry = tally, dry

    def take(self, readings: Sequence[Reading], since: float) -> list[Eligible]:
        """Take in what was read; what may be resolved by itself is returned.

        since: when the documents were met, as `clock.monotonic()` has it.

        Raises:
            JournalError: nothing of it is in the journal.
            ReplicaError: what else was to be read could not be.
        """
        now = self._clock.now()
        ids = [one.row.id for one in readings]
        with self._journal.read() as tx:
            known = conflicts.open_ones(tx, self._id, ids)
            recent = resolutions.recent(tx, self._id, ids, now - HOUR)
            dead = resolutions.tombstones_of(tx, self._id, ids)
            merged = resolutions.recorded(tx, self._id, dead)
        ours = {id: (merged.get(id, {}), dead[id]) for id in dead}
        batch = self._judged(readings, known, recent, ours, now)
        self._tally.candidates += len(readings)
        if self._dry:
            return self._counted(batch, known)
        elapsed = max(0, round((self._clock.monotonic() - since) * 1_000_000))
        with self._journal.write() as tx:
            queued = queue(tx, self._id, self._findings(batch), now)
            archive.keep(tx, self._id, batch.kept, now)
            databases.settle(tx, self._id, batch.rows)
            for document in batch.unread:
                self._put_off(tx, document, batch.unread[document], now)
            closed = self._close(tx, batch, known, now)
            detected = [self._detected(one, elapsed, now) for one in queued if one.what != "same"]
            records.record_events(tx, [(now, one.name, _told(one)) for one in detected])
        return self._tell(batch, queued, detected, closed, now)

    def close(self, over: Mapping[str, State]) -> None:
        """Close the open conflicts of documents that are in none any more."""
        now = self._clock.now()
        with self._journal.read() as tx:
            known = conflicts.open_ones(tx, self._id, over)
        if not known:
            return
        if self._dry:
            self._tally.closed += len(known)
            return
        with self._journal.write() as tx:
            closed = self._close(tx, _Batch(over=dict(over)), known, now)
        self._tell_closed(closed, now)

    # --- judging

    def _judged(
        self,
        readings: Sequence[Reading],
        known: Mapping[str, Conflict],
        recent: Mapping[str, int],
        ours: Mapping[str, _Ours],
        now: int,
    ) -> _Batch:
        batch = _Batch()
        for one in readings:
            id = one.row.id
            match one:
                case Vanished():
                    batch.over[id] = "vanished"
                case Unread(error=error):
                    batch.unread[id] = str(error)
                case InConflict(doc=doc) | NotInConflict(doc=doc):
                    digest = row_digest(leaf.rev for leaf in doc.tree.leaves())
                    batch.rows[id] = digest
                    judged = None
                    if isinstance(one, InConflict):
                        about = self._ground.circumstances(now, known.get(id), recent.get(id, 0))
                        judged = judge(self._ground, doc, about, digest)
                    found = None if judged else self._overtaken(doc, ours.get(id), digest)
                    if found is not None:
                        batch.others[id] = found
                    elif judged is not None:
                        batch.judged[id] = judged
                    else:
                        batch.over[id] = "resolved"
                        continue
                    batch.kept[id] = archived(doc)
        return batch

    def _overtaken(
        self,
        doc: ConflictedDocument,
        ours: _Ours | None,
        digest: str,
    ) -> Finding | None:
        """A finding about what somebody else merged that had been tombstoned here."""
        if ours is None:
            return None
        merged, dead = ours
        doc = dataclasses.replace(doc, recorded=merged)
        candidates = overtaken.overtakers(doc, dead)
        if not candidates:
            return None
        known = remembered(self._journal, self._id, [doc.id])[doc.id]
        try:
            policy = self._ground.policy(doc)
            found = overtaken.overtaken(self._replica, doc, candidates, known, policy)
        except (ReplicaError, JournalError):
            raise
        except Exception as problem:  # noqa: BLE001  # a policy's own code may raise; it is told of
            self._tally.notices[
                f"{doc.id}: it cannot be told whether a deleted version was overtaken:"
                f" {type(problem).__name__}"
            ] = None
            return None
        if found is None:
            return None
        by, losers = found
        made = for_a_person(
            doc,
            digest,
            sentence=overtaken.sentence(by, losers),
            reason="only a person can tell which is right",
            digest=row_digest([by, *losers]),
        )
        # What is written since does not make it another conflict.
        return dataclasses.replace(made, leafset=tuple(sorted([by, *losers])))

    def _findings(self, batch: _Batch) -> list[Finding]:
        return [*(one.finding for one in batch.judged.values()), *batch.others.values()]

    # --- writing

    def _put_off(self, tx: Connection, document: str, why: str, now: int) -> None:
        """What cannot be read now is in the queue, and tried again."""
        known = conflicts.open_ones(tx, self._id, [document])
        if document not in known:
            finding = Finding(
                document=document,
                type="edit_edit",
                severity="high",
                hidden=False,
                leaves=0,
                fields=(),
                devices=(),
                suggested="manual",
                eligible=False,
                reason=f"it cannot be read: {why}",
                sentence="it has several versions, and cannot be read",
                policy="",
                policy_digest="",
                digest="",
                leafset=(),
                row_digest="",
            )
            (queued,) = queue(tx, self._id, [finding], now)
            known[document] = queued.conflict
        old = known[document]
        # What a person decided stays, and what failed otherwise.
        waits = old.state == "pending" and not old.last_error
        unread = waits or (old.state == "failed" and not old.attempts)
        conflicts.set_state(
            tx,
            old.id,
            "failed" if unread else old.state,
            now,
            error=why if unread else None,
            next_attempt_at=now + _UNREAD_AGAIN,
        )

    def _close(
        self, tx: Connection, batch: _Batch, known: Mapping[str, Conflict], now: int
    ) -> list[Conflict]:
        closed = []
        for document, state in batch.over.items():
            conflict = known.get(document)
            if conflict is not None and conflict.state != "resolving":
                closed.append(conflicts.set_state(tx, conflict.id, state, now, error=""))
        return closed

    # --- telling

    def _detected(self, one: Queued, elapsed: int, now: int) -> ConflictDetected:
        found = one.conflict
        return ConflictDetected(
            at=now,
            database=self._ground.database,
            document=found.document,
            conflict=found.id,
            type=found.type,
            severity=found.severity,
            hidden=found.hidden,
            leaves=found.leaves,
            elapsed=elapsed,
        )

    def _tell(
        self,
        batch: _Batch,
        queued: Sequence[Queued],
        detected: Sequence[ConflictDetected],
        closed: Sequence[Conflict],
        now: int,
    ) -> list[Eligible]:
        for event in detected:
            self._tally.by_type[event.type] += 1
            self._emit(event)
        eligible = []
        for one in queued:
            judged = batch.judged.get(one.conflict.document)
            found = None if judged is None else judged.assessment
            if found is not None and found.eligible and is_ready(one.conflict, now):
                eligible.append(Eligible(one.conflict, found))
                continue
            self._tally.reasons[_reason(one.conflict, found)] += 1
            if one.what != "same":
                self._emit(self._waits(one.conflict, now))
        self._tell_closed(closed, now)
        return eligible

    def _waits(self, conflict: Conflict, now: int) -> ConflictQueued:
        return ConflictQueued(
            at=now,
            database=self._ground.database,
            document=conflict.document,
            conflict=conflict.id,
            type=conflict.type,
            severity=conflict.severity,
            suggested=conflict.suggested,
            eligible=conflict.eligible,
            reason=conflict.reason,
        )

    def _tell_closed(self, closed: Sequence[Conflict], now: int) -> None:
        self._tally.closed += len(closed)
        for conflict in closed:
            self._emit(
                ConflictClosed(
                    at=now,
                    database=self._ground.database,
                    document=conflict.document,
                    conflict=conflict.id,
                    state=conflict.state,
                )
            )

    def _counted(self, batch: _Batch, known: Mapping[str, Conflict]) -> list[Eligible]:
        """What would come of it, in a dry run."""
        self._tally.closed += sum(document in known for document in batch.over)
        for judged in batch.judged.values():
            finding, old = judged.finding, known.get(judged.doc.id)
            if old is None or old.digest != finding.digest:
                self._tally.by_type[finding.type] += 1
            if judged.assessment is not None and judged.assessment.eligible:
                self._tally.would_resolve += 1
                self._tally.by_strategy[judged.assessment.plan.strategy] += 1
            else:
                self._tally.reasons[_reason(old, judged.assessment)] += 1
        for finding in batch.others.values():
            if finding.document not in known:
                self._tally.by_type[finding.type] += 1
            self._tally.reasons["overtaken"] += 1
        return []


def is_ready(conflict: Conflict, now: int) -> bool:
    """Whether a conflict that is eligible may be resolved by itself now."""
    if conflict.state == "failed":
        # No pause is as long as an hour: else the clock was set back.
        return conflict.next_attempt_at is not None and (
            conflict.next_attempt_at <= now or conflict.next_attempt_at > now + HOUR
        )
    # One that failed too often is pending with its error, and waits for a person.
    return conflict.state == "pending" and not conflict.last_error


def archived(doc: ConflictedDocument) -> list[Archived]:
    """All that is known of what a document's revisions say; leaves with their whole chains."""
    tree = doc.tree
    kept = []
    for rev, body in doc.bodies.items():
        if rev not in tree:
            continue
        chain = tree.chain(rev)
        chain = chain if tree.is_leaf(rev) else chain[:2]
        kept.append(Archived(rev, tuple(chain), tree.is_deleted(rev), body))
    return kept


def _reason(conflict: Conflict | None, found: Assessment | None) -> str:
    """In a word, why a conflict waits."""
    if conflict is not None and conflict.state == "acknowledged":
        return "skipped"
    if conflict is not None and conflict.last_error:
        return "failed"
    if found is None:
        return "not examined"
    return first_failed(found) or "waiting"


def _told(event: ConflictDetected) -> dict[str, str | int | bool | None]:
    return {name: value for name, value in dataclasses.asdict(event).items() if name != "at"}
