"""The part of the engine that takes back, puts back, and says why."""

from __future__ import annotations

from couchmend.core.plans.undo import How
from couchmend.core.policy.policy import Policy
from couchmend.core.revtree import Rev
from couchmend.engine import diagnosing, restoring
from couchmend.engine import undo as undoing
from couchmend.engine.carrying import Site
from couchmend.engine.decisions import Decisions
from couchmend.engine.diagnosing import Diagnosis
from couchmend.engine.passing import site_of
from couchmend.engine.restoring import Restored
from couchmend.engine.targets import Target
from couchmend.engine.undo import Undone
from couchmend.errors import EngineRefused
from couchmend.journal import archive, resolutions
from couchmend.journal.databases import Database


class Retaking(Decisions):
    """Undo, restoring from the archive, and diagnosis; see `Engine`."""

    def undo(
        self, resolution: int, how: How = "restore", *, by: str, preview: bool = False
    ) -> Undone:
        """Take a resolution back, by its number; an undo, too.

        how: `restore` puts the winner's body from before over what was written; `reopen` also
            brings back the versions that were deleted, and with them the conflict.
        preview: only say what would be done.

        Raises:
            EngineRefused: it cannot be taken back, or nothing may be written; says why.
            PlanError: what it left is gone, or its bodies are not kept any more.
            UsageError: there is no such resolution.
        """
        with self.journal.read() as tx:
            taken = resolutions.get(tx, resolution)
        target = self.target(taken.database)
        database = self._registered(target)
        policy = self._policy_of(target, database, taken.document)
        if preview:
            site = self._watching(target, database)
            return undoing.undo(site, resolution, how, by=by, policy=policy, preview=True)
        with self._permitted(target.name) as (_, permit):
            site = site_of(self.shared, database, self._databases.open(target), permit)
            self._note(by, "undid", f"{taken.database} {taken.document}")
            return undoing.undo(site, resolution, how, by=by, policy=policy)

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

    def _policy_of(self, target: Target, database: Database, document: str) -> Policy:
        """The policy of a document, by the newest version that is kept."""
        with self.journal.read() as tx:
            kept = archive.kept(tx, database.id, [document]).get(document, {})
        bodies = [one.body for _, one in sorted(kept.items(), reverse=True) if one.body]
        body = bodies[0] if bodies else {}
        return self.policies.choose({"_id": document, **body}, target.policies)


def _refuse() -> None:
    raise EngineRefused("a preview writes nothing")
