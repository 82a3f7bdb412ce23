"""Why something is, or is not, a conflict, resolved, or seen by a sweep: facts, gathered without
writing anything."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from functools import partial
from typing import Final

from couchmend.core.conflicts.deletions import concurrent_deletions, possible_deletions
from couchmend.core.conflicts.document import ConflictedDocument
from couchmend.core.plans.assessing import Assessment, assess
from couchmend.core.revtree import Rev
from couchmend.engine.doctor.diagnosis import Diagnosis, DocumentDiagnosis, Fact, Weight
from couchmend.engine.doctor.document_facts import about_document
from couchmend.engine.finding.judging import Ground
from couchmend.engine.finding.reading import (
    InConflict,
    NotInConflict,
    Reader,
    Unread,
    Vanished,
    row_of,
)
from couchmend.engine.finding.remembering import remembered
from couchmend.engine.finding.targets import Target
from couchmend.errors import CouchmendError, ReplicaError
from couchmend.journal import conflicts, databases, leases, listing, records, resolutions
from couchmend.journal.conflicts import Conflict
from couchmend.journal.opening import Journal
from couchmend.journal.resolutions import Resolution
from couchmend.replica.base import ChangesQuery, DatabaseInfo, Replica

HOUR: Final = 3_600_000_000
SMALL_REVS_LIMIT: Final = 100
_RESOLUTIONS: Final = 10
_ORDER: Final[tuple[Weight, ...]] = ("problem", "notice", "ok")


def diagnose(
    journal: Journal,
    target: Target,
    ground: Ground,
    replica: Replica,
    now: int,
    document: str | None = None,
) -> Diagnosis:
    """What there is to say of a database, and of one of its documents.

    now: in microseconds since 1970.

    Raises:
        ReplicaError: the database cannot be reached.
    """
    return _Examination(journal, target, ground, replica, now).all(document)


class _Examination:
    def __init__(
        self, journal: Journal, target: Target, ground: Ground, replica: Replica, now: int
    ) -> None:
        self._journal = journal
        self._target, self._ground, self._replica = target, ground, replica
        self._now = now
        with journal.read() as tx:
            self._database = databases.named(tx, target.name)
            self._paused = tuple(databases.pauses(tx, target.name))
            self._lease = leases.holder(tx, target.name)
            self._operations = tuple(
                one for one in records.pending_operations(tx) if one.database == target.name
            )
            known = self._database is not None
            self._failed = (
                listing.listed(
                    tx, listing.Wanted(database=target.name, state="failed"), 1
                ).conflicts
                if known
                else []
            )

    def all(self, document: str | None) -> Diagnosis:
        """Everything, with the facts in order."""
        info = self._replica.info()
        lag = self._lag(info)
        found = None if document is None else self._document(document)
        facts = [*self._about_database(info, lag)]
        if found is not None:
            known = self._database is not None
            facts = [*about_document(found, self._target.name, is_known=known), *facts]
        return Diagnosis(
            target=self._target,
            database=self._database,
            info=info,
            lag=lag,
            lease=self._lease,
            paused=self._paused,
            operations=self._operations,
            document=found,
            facts=tuple(sorted(facts, key=lambda fact: _ORDER.index(fact.weight))),
        )

    # --- the database

    def _lag(self, info: DatabaseInfo) -> int | None:
        database = self._database
        if database is None or database.instance not in ("", info.instance_start_time):
            return None
        page = self._replica.changes(ChangesQuery(since=database.checkpoint, limit=1))
        return len(page.rows) + page.pending

    def _about_database(self, info: DatabaseInfo, lag: int | None) -> Iterator[Fact]:
        yield from self._about_sweeps(info, lag)
        mode = self._target.mode
        match mode:
            case "auto":
                rollout = self._target.rollout
                part = "" if rollout >= 100 else f", for {rollout:g} % of the documents"
                yield Fact("ok", f"the mode is auto: what is eligible is resolved{part}")
            case "suggest":
                yield Fact(
                    "notice", "the mode is suggest: people decide, nothing is resolved by itself",
                    'mode = "auto" in [[databases]] resolves what is eligible',
                )  # fmt: skip
            case _:
                yield Fact(
                    "notice", "the mode is observe: conflicts are found, and nothing is written",
                    'mode = "suggest" in [[databases]] lets people decide',
                )  # fmt: skip
        for pause in self._paused:
            which = "everything is" if pause.name == "*" else "it is"
            name = "--all" if pause.name == "*" else self._target.name
            yield Fact("problem", f"{which} paused, by {pause.by}", f"couchmend resume {name}")
        yield from self._about_work()
        yield from self._about_revisions()
        for notice in info.notices:
            yield Fact("notice", notice)

    def _about_sweeps(self, info: DatabaseInfo, lag: int | None) -> Iterator[Fact]:
        name, database = self._target.name, self._database
        sweep = f"couchmend sweep {name}"
        if database is None or database.swept_at is None:
            yield Fact("problem", "no sweep has seen this database yet", sweep)
            return
        if database.vanished_at is not None:
            yield Fact("notice", "a sweep found it gone; it is there now", sweep)
        if lag is None:
            yield Fact("problem", "it was made anew since the last sweep", sweep)
        elif lag:
            changes = "1 change" if lag == 1 else f"{lag} changes"
            yield Fact("notice", f"no sweep has seen its last {changes}", sweep)
        else:
            yield Fact("ok", "a sweep has seen all of its changes")

    def _about_work(self) -> Iterator[Fact]:
        if self._lease is not None:
            seconds = (self._now - self._lease.since) // 1_000_000
            yield Fact("ok", f"{self._lease.holder} works on it, since {seconds} s")
        for one in self._operations:
            seconds = (self._now - one.started_at) // 1_000_000
            told = f"{one.step} of {one.document or 'the database'} runs since {seconds} s"
            if one.is_overdue(self._now):
                yield Fact("problem", f"{told}, longer than it may", "the next sweep takes it up")
            else:
                yield Fact("ok", told)
        for failed in self._failed:
            yield Fact(
                "problem",
                f"resolving failed, for one of {failed.document}: {failed.last_error}",
                f"couchmend conflicts list --state failed --database {self._target.name}",
            )

    def _about_revisions(self) -> Iterator[Fact]:
        try:
            limit = self._replica.revs_limit()
        except ReplicaError:  # not every account may ask
            return
        if limit < SMALL_REVS_LIMIT:
            yield Fact(
                "problem",
                f"it remembers only {limit} revisions of a document: branches that are longer"
                " look unrelated",
                "raise _revs_limit to 1000, which is usual",
            )

    # --- one document

    def _document(self, id: str) -> DocumentDiagnosis:
        conflict, done = None, list[Resolution]()
        ours: set[Rev] = set()
        if self._database is not None:
            with self._journal.read() as tx:
                tombstones = resolutions.tombstones_of(tx, self._database.id, [id])
                ours = set(tombstones.get(id, {}).values())
                conflict = conflicts.open_ones(tx, self._database.id, [id]).get(id)
                done = resolutions.listed(tx, self._target.name, document=id, limit=_RESOLUTIONS)
        doc = self._read(id)
        if doc is None:
            return DocumentDiagnosis(id, conflict=conflict, resolutions=tuple(done))
        hidden = bool(concurrent_deletions(doc.tree))
        live = len(doc.live) + len(doc.unreadable)
        return DocumentDiagnosis(
            id,
            doc,
            open=live > 1,
            hidden=live == 1 and hidden,
            possible=tuple(rev for rev in possible_deletions(doc.tree) if rev not in ours),
            assessment=self._assessed(doc, conflict),
            conflict=conflict,
            resolutions=tuple(done),
            seen=self._is_seen(id),
        )

    def _read(self, id: str) -> ConflictedDocument | None:
        database = self._database
        # With dead branches counted, their ancestors are read, too.
        reader = Reader(
            self._replica,
            self._target.name,
            None if database is None else partial(remembered, self._journal, database.id),
            dead_branches=True,
        )
        with closing(reader.documents([row_of(id)])) as read:
            match next(iter(read)):
                case InConflict(doc=doc) | NotInConflict(doc=doc):
                    return doc
                case Unread(error=error):
                    raise error
                case Vanished():
                    return None

    def _assessed(self, doc: ConflictedDocument, conflict: Conflict | None) -> Assessment | None:
        recent = 0
        if self._database is not None:
            with self._journal.read() as tx:
                counted = resolutions.recent(tx, self._database.id, [doc.id], self._now - HOUR)
            recent = counted.get(doc.id, 0)
        circumstances = self._ground.circumstances(
            self._now, conflict, recent, paused=bool(self._paused)
        )
        try:
            return assess(doc, self._ground.policy(doc), circumstances)
        except CouchmendError:  # it says so where the queue has it
            return None

    def _is_seen(self, id: str) -> bool:
        database = self._database
        if database is None or database.swept_at is None:
            return False
        query = ChangesQuery(since=database.checkpoint, doc_ids=[id], pending=False)
        try:
            return not self._replica.changes(query).rows
        except ReplicaError:  # the sequence is of a database that was there before
            return False
