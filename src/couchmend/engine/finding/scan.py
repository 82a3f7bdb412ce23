"""Finds and classifies the conflicts of a database; writes nothing anywhere."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from couchmend.errors import DocumentInvalid
from couchmend.replica.ahead import read_ahead
from couchmend.replica.base import ChangeRow, ChangesQuery, Replica

if TYPE_CHECKING:
    from couchmend.core.conflicts.document import ConflictedDocument
    from couchmend.core.paths import Path
    from couchmend.core.plans.assessing import Classified
    from couchmend.core.policy.policy import Policy
    from couchmend.engine.finding.choosing import Choosing
    from couchmend.policies import Policies

# What reads and classifies documents is imported for the first that has several leaves: a scan
# that finds none should not wait for it.

K = TypeVar("K")

MOST_TOLD = 1000
"""How many different fields or pairs of devices are counted apart, and how many problems kept."""
OTHERS = "…"
_PAGES_AHEAD = 8
WHOLE_DOCUMENT = "(the whole document)"

OnProgress = Callable[[int, int], None]
"""Called with how many documents of the feed have come, and about how many there are."""


@dataclass(frozen=True, slots=True)
class Scanned:
    """A conflict that was found.

    leaves: how many versions it is between, deletions included.
    """

    database: str
    document: str
    examined_by: Policy
    found: Classified
    leaves: int
    doc: ConflictedDocument

    @property
    def policy(self) -> str:
        """The name of the policy that holds for it."""
        return self.examined_by.name

    @property
    def type(self) -> str:
        """What kind of conflict it is."""
        return self.found.kind.type

    @property
    def severity(self) -> str:
        """How grave it is."""
        return self.found.kind.severity

    @property
    def hidden(self) -> bool:
        """Whether CouchDB does not list it in `_conflicts`."""
        return self.found.hidden

    @property
    def fields(self) -> tuple[str, ...]:
        """What is contested, for people."""
        return self.found.fields

    @property
    def devices(self) -> tuple[str, ...]:
        """That wrote the versions, the winner's first."""
        return self.found.devices

    @property
    def sentence(self) -> str:
        """Why it is of its type."""
        return self.found.kind.sentence


@dataclass(frozen=True, slots=True)
class Problem:
    """A document of which not all could be told; `sentence` says why."""

    document: str
    sentence: str


@dataclass(slots=True)
class ScanReport:
    """What a scan of a database found so far.

    documents: those that are not deleted.
    rows: of the changes feed that have come; `candidates` of them had several leaves.
    by_both: by type and severity.
    by_field: how many conflicts a field is contested in; elements of lists are one field.
    by_devices: how many conflicts are between two devices.
    unreadable: documents some of whose versions cannot be read; `unread`: of which nothing can.
    vanished: documents that went away between two requests.
    complete: whether it came to its end.
    """

    database: str
    url: str
    documents: int = 0
    rows: int = 0
    candidates: int = 0
    conflicts: int = 0
    hidden: int = 0
    by_type: Counter[str] = field(default_factory=Counter)
    by_severity: Counter[str] = field(default_factory=Counter)
    by_both: Counter[tuple[str, str]] = field(default_factory=Counter)
    by_field: Counter[str] = field(default_factory=Counter)
    by_devices: Counter[tuple[str, str]] = field(default_factory=Counter)
    by_policy: Counter[str] = field(default_factory=Counter)
    unreadable: int = 0
    unread: int = 0
    vanished: int = 0
    problems: list[Problem] = field(default_factory=list)
    complete: bool = False

    def count(self, one: Scanned) -> None:
        """One more conflict."""
        self.conflicts += 1
        self.hidden += one.hidden
        self.by_type[one.type] += 1
        self.by_severity[one.severity] += 1
        self.by_both[one.type, one.severity] += 1
        self.by_policy[one.policy] += 1
        fields = dict.fromkeys(map(general, one.found.paths))
        if not fields and one.type == "edit_delete":
            fields = {WHOLE_DOCUMENT: None}
        for name in fields:
            _count(self.by_field, name, OTHERS)
        for pair in itertools.combinations(sorted(one.devices), 2):
            _count(self.by_devices, pair, (OTHERS, OTHERS))

    def trouble(self, document: str, sentence: str) -> None:
        """Something about a document could not be told."""
        if len(self.problems) < MOST_TOLD:
            self.problems.append(Problem(document, sentence))


class Scan:
    """The conflicts of a database, as they are found; `report` tells of those that have come."""

    def __init__(
        self,
        replica: Replica,
        choosing: Callable[[], Choosing],
        name: str,
        on_progress: OnProgress | None,
    ) -> None:
        self.report = ScanReport(name, replica.url)
        self._replica = replica
        self._choosing = choosing
        self._on_progress = on_progress or (lambda rows, total: None)
        self._total = 0

    def __iter__(self) -> Iterator[Scanned]:
        """Every conflict, in the order of the changes feed; once."""
        report = self.report
        told = self._replica.info()
        report.documents = told.documents
        self._total = told.documents + told.deleted_documents
        with closing(self._candidates()) as rows:
            first = next(rows, None)
            if first is not None:
                yield from self._read(itertools.chain([first], rows))
        report.complete = True

    def _read(self, rows: Iterable[ChangeRow]) -> Iterator[Scanned]:
        from couchmend.engine.finding.reading import (
            InConflict,
            NotInConflict,
            Reader,
            Unread,
            Vanished,
        )

        report, choosing = self.report, self._choosing()
        dead_branches = choosing.reports_dead_branches
        reader = Reader(self._replica, report.database, dead_branches=dead_branches)
        with closing(reader.documents(rows)) as readings:
            for reading in readings:
                match reading:
                    case InConflict(doc=doc):
                        found = self._scanned(doc, choosing)
                        if found is not None:
                            report.count(found)
                            yield found
                    case NotInConflict():
                        pass
                    case Vanished():
                        report.vanished += 1
                    case Unread(row=row, error=error):
                        report.unread += 1
                        report.trouble(row.id, str(error))

    def _candidates(self) -> Generator[ChangeRow, None, None]:
        """The rows with several leaves."""
        report = self.report
        query = ChangesQuery(style="all_docs", pending=False)
        # Meanwhile the server goes on with the feed.
        with read_ahead(self._replica.change_pages(query), _PAGES_AHEAD) as pages:
            for page in pages:
                for row in page.rows:
                    if len(row.revs) > 1:
                        report.candidates += 1
                        yield row
                report.rows += len(page.rows)
                self._on_progress(report.rows, max(self._total, report.rows))

    def _scanned(self, doc: ConflictedDocument, choosing: Choosing) -> Scanned | None:
        if doc.unreadable:
            self.report.unreadable += 1
            self.report.trouble(doc.id, f"{len(doc.unreadable)} of its versions cannot be read")
        if not doc.live:
            return None
        policy = choosing.policy_for(doc)
        found = classified_anyway(doc, policy)
        if found is None:
            return None
        leaves = len(doc.live) + len(doc.unreadable) + (1 if found.hidden else 0)
        return Scanned(doc.database, doc.id, policy, found, leaves, doc)


def classified_anyway(doc: ConflictedDocument, policy: Policy) -> Classified | None:
    """As `classified`; what is nested too deep to be merged is a conflict that says so."""
    from couchmend.core.conflicts.classify import Classification
    from couchmend.core.plans.assessing import Classified, classified

    try:
        return classified(doc, policy)
    except DocumentInvalid as problem:
        sentence = f"it cannot be merged: {problem.message}"
        kind = Classification("edit_edit", "high", None, sentence)
        return Classified(kind, len(doc.live) == 1, (), ())


def scan(
    replica: Replica,
    policies: Policies | Policy | None = None,
    *,
    names: Iterable[str] | None = None,
    name: str | None = None,
    on_progress: OnProgress | None = None,
) -> Scan:
    """Find and classify the conflicts of a database, hidden ones included.

    Nothing is written anywhere, and whoever may read the database may do this.  Iterate over
    what is returned to get each conflict; its `report` then has the sums.

    policies: those of a configuration file, of which the first that matches a document holds;
        or one for all documents.  By default what holds where nothing is said.
    names: of the policies to choose from; by default all that say what they match.
    name: what the database is to be called; by default its URL.

    Raises:
        UsageError: there is no policy of a name.
        ReplicaError: the database cannot be read, at once or while it is; what has come is
            right.
    """

    def choosing() -> Choosing:
        from couchmend.engine.finding.choosing import Choosing

        return Choosing(policies, names)

    if policies is not None or names is not None:
        choosing()  # or raises
    return Scan(replica, choosing, name or replica.url, on_progress)


def general(path: Path) -> str:
    """A path for people with all elements of a list alike: `subtasks[].title`."""
    from couchmend.core.paths import readable

    shown = ""
    for step in path:
        if isinstance(step, str):
            shown += ("." if shown else "") + readable((step,))
        else:
            shown += "[]"
    return shown or "."


def _count(counts: Counter[K], key: K, others: K) -> None:
    counts[key if key in counts or len(counts) < MOST_TOLD else others] += 1
