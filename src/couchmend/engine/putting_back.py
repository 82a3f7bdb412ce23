"""The part of the engine that puts versions back, and says why something is as it is."""

from __future__ import annotations

from couchmend.core.revtree import Rev
from couchmend.engine.carrying import Site
from couchmend.engine.deciding import restoring
from couchmend.engine.deciding.restoring import Restored
from couchmend.engine.decisions import Decisions
from couchmend.engine.doctor import diagnosing
from couchmend.engine.doctor.diagnosis import Diagnosis
from couchmend.engine.finding.targets import Target
from couchmend.engine.sweeping.passing import site_of
from couchmend.errors import EngineRefused
from couchmend.journal.databases import Database


class PuttingBack(Decisions):
    """Restoring from the archive, and diagnosis; see `Engine`."""

    def restore(
        self, database: str, document: str, rev: Rev, *, by: str, preview: bool = False
    ) -> Restored:
        """Put a kept version of a document back: as a new revision, over its winner.

        Raises:
            NotFound: the version is not kept, or there is no such document any more.
            EngineRefused: the document says the same now, or nothing may be written.
            UsageError: there is no database of this name.
        """
        target = self.target(database)
        known = self._registered(target)
        if preview:
            site = self._watching(target, known)
            return restoring.restore(site, document, rev, by=by, preview=True)
        with self._permitted(target.name) as (_, permit):
            site = site_of(self.shared, known, self._databases.open(target), permit)
            self._note(by, "restored", f"{target.name} {document}")
            return restoring.restore(site, document, rev, by=by)

    def diagnose(self, database: str, document: str | None = None) -> Diagnosis:
        """Why something is, or is not, in conflict, resolved, or seen by a sweep.

        Raises:
            UsageError: there is no database of this name.
            ReplicaError: it cannot be reached.
        """
        target = self.target(database)
        return diagnosing.diagnose(
            self.journal,
            target,
            self.ground(target),
            self._databases.open(target),
            self.clock.now(),
            document,
        )

    def _watching(self, target: Target, database: Database) -> Site:
        """Where nothing may be written."""
        return Site(
            journal=self.journal,
            database=database,
            replica=self._databases.open(target),
            clock=self.clock,
            emit=self.events.emit,
            may_write=_refuse,
        )


def _refuse() -> None:
    raise EngineRefused("a preview writes nothing")
