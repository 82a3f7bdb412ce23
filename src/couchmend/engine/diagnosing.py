"""Why something is, or is not, a conflict, resolved, or seen by a sweep: facts, gathered without
writing anything."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from couchmend.core.conflicts.deletions import concurrent_deletions, possible_deletions
from couchmend.core.conflicts.document import ConflictedDocument
from couchmend.core.merging.telling import are, labels
from couchmend.core.plans.assessing import Assessment, assess
from couchmend.core.revtree import Rev
from couchmend.engine.judging import Ground
from couchmend.engine.reading import InConflict, NotInConflict, Reader, Unread, Vanished, row_of
from couchmend.engine.remembering import remembered
from couchmend.engine.targets import Target
from couchmend.errors import CouchmendError, ReplicaError
from couchmend.journal import conflicts, databases, leases, listing, records, resolutions
from couchmend.journal.conflicts import Conflict
from couchmend.journal.databases import Database, Pause
from couchmend.journal.leases import Lease
from couchmend.journal.opening import Journal
from couchmend.journal.records import Operation
from couchmend.journal.resolutions import Resolution
from couchmend.replica.base import ChangesQuery, DatabaseInfo, Replica

Weight: TypeAlias = Literal["ok", "notice", "problem"]

HOUR: Final = 3_600_000_000
SMALL_REVS_LIMIT: Final = 100
_RESOLUTIONS: Final = 10
_ORDER: Final[tuple[Weight, ...]] = ("problem", "notice", "ok")


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing that is so, how much it matters, and what to do about it."""

    weight: Weight
    sentence: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class DocumentDiagnosis:
    """What there is to say of one document.

    doc: None where there is no such document, or it cannot be read.
    possible: dead leaves that may be deletions by users, but for those that the journal knows as
        our own.
    assessment: None where it is in no conflict.
    conflict: the open one of the journal.
    resolutions: the newest ones.
    seen: whether a sweep has come past its last change.
    """

    id: str
    doc: ConflictedDocument | None = None
    open: bool = False
    hidden: bool = False
    possible: tuple[Rev, ...] = ()
    assessment: Assessment | None = None
    conflict: Conflict | None = None
    resolutions: tuple[Resolution, ...] = ()
    seen: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """What there is to say of a database, and of a document of it.

    database: as the journal knows it; None where no sweep has seen it.
    lag: how many changes no sweep has seen; None where that is not known.
    facts: in sentences, the weightiest first.
    """

    target: Target
    database: Database | None = None
    info: DatabaseInfo | None = None
    lag: int | None = None
    lease: Lease | None = None
    paused: tuple[Pause, ...] = ()
    operations: tuple[Operation, ...] = ()
    document: DocumentDiagnosis | None = None
    facts: tuple[Fact, ...] = field(default=())


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
            self._paused = tuple(
                one for one in databases.pauses(tx) if one.name in ("*", target.name)
            )
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
            facts = [*self._about_document(found), *facts]
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
            None if database is None else lambda ids: remembered(self._journal, database.id, ids),
            dead_branches=True,
        )
        with closing(reader.documents([row_of(id)])) as read:  # type: ignore[type-var]
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

    def _about_document(self, found: DocumentDiagnosis) -> Iterator[Fact]:
        doc = found.doc
        if doc is None:
            yield Fact(
                "problem",
                "there is no such document in the database",
                f"couchmend archive show {self._target.name} {found.id}"
                if found.conflict or found.resolutions
                else "check its id",
            )
            return
        yield from self._about_conflict(found, doc)
        if doc.unreadable:
            yield Fact(
                "problem",
                f"{labels(doc.unreadable)} cannot be read: the database lists what it does not"
                " have; it is left alone",
                "restore it from a backup or another replica, or purge it",
            )
        yield from self._about_dead_branches(found)
        cut = [leaf.rev for leaf in doc.tree.leaves() if _is_cut(doc, leaf.rev)]
        if cut:
            yield Fact(
                "notice",
                f"the beginning of {labels(cut)} {are(cut, 'forgotten')}: the database keeps no"
                " longer histories, so that a common version may be missing",
                "raise _revs_limit, if conflicts come without a common version",
            )
        if not found.seen and self._database is not None:
            yield Fact(
                "notice",
                "no sweep has seen the document's last change",
                f"couchmend sweep {self._target.name}",
            )

    def _about_conflict(self, found: DocumentDiagnosis, doc: ConflictedDocument) -> Iterator[Fact]:
        if found.assessment is None:
            yield from self._why_no_conflict(found, doc)
            return
        live = len(doc.live) + len(doc.unreadable)
        versions = f"{live} versions of it live"
        if found.hidden:
            versions = "one version lives, and a deletion stands beside it, which _conflicts hides"
        yield Fact("notice", f"it is in conflict: {versions}")
        one = found.conflict
        if one is None:
            told = "it is not in the queue yet"
            yield Fact("notice", told, f"couchmend sweep {self._target.name}")
            return
        show = f"couchmend conflicts show {one.id}"
        yield Fact("ok", f"it is in the queue as conflict {one.id}, {one.state}", show)
        if one.last_error:
            yield Fact("problem", f"resolving it failed {one.attempts} times: {one.last_error}")
        why = [check.sentence for check in found.assessment.checks if not check.passed]
        if why:
            told = f"it is not resolved by itself: {'; '.join(why)}"
            yield Fact("notice", told, f"couchmend conflicts explain {one.id}")

    def _why_no_conflict(self, found: DocumentDiagnosis, doc: ConflictedDocument) -> Iterator[Fact]:
        leaves = doc.tree.leaves()
        if found.open or found.hidden:
            aside = [rev for rev in concurrent_deletions(doc.tree) if rev in doc.acknowledged]
            if aside:
                told = f"the deletion {labels(aside)} was set aside: the edit is kept"
                yield Fact("ok", f"it is not in conflict any more: {told}")
            else:
                yield Fact("problem", "its versions cannot be examined", "look at couchmend -vv")
        elif all(leaf.deleted for leaf in leaves):
            yield Fact("ok", "it is not in conflict: it is deleted, on every branch")
        elif len(leaves) == 1:
            yield Fact("ok", "it is not in conflict: it has a single version")
        else:
            dead = len(leaves) - 1
            branches = "another branch ends" if dead == 1 else f"{dead} other branches end"
            yield Fact("ok", f"it is not in conflict: one version lives, {branches} deleted")
        if found.conflict is not None:
            yield Fact(
                "notice",
                f"the queue still has it, as conflict {found.conflict.id}",
                f"couchmend sweep {self._target.name}",
            )
        for one in found.resolutions[:1]:
            told = f"resolution {one.id} ended it, by {one.strategy} and {one.by}"
            if one.undone_by is None and one.state == "done" and one.kind == "resolve":
                yield Fact("ok", told, f"couchmend undo {one.id}")

    def _about_dead_branches(self, found: DocumentDiagnosis) -> Iterator[Fact]:
        if found.possible:
            yield Fact(
                "notice",
                f"{labels(found.possible)} may be {_deletions(found.possible)} by a person, or"
                " what a resolution left: nobody can tell",
                'dead_branches = "report" in the policy has them reported',
            )


def _deletions(revs: tuple[Rev, ...]) -> str:
    return "a deletion" if len(revs) == 1 else "deletions"


def _is_cut(doc: ConflictedDocument, leaf: Rev) -> bool:
    """Whether the first revisions of a branch are not known."""
    return doc.tree.chain(leaf)[-1].generation > 1
